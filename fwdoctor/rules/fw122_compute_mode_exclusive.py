"""A GPU's compute mode admits one process only, or none.

What it checks
--------------
The compute mode of each GPU: «Prohibited» lets no process use it; «Exclusive process»
lets one, which matters when memory shows that there is one already.

Why it matters
--------------
A second process gets «all CUDA-capable devices are busy or unavailable» (error 46),
although driver, GPU and build are right. Data loaders or notebooks that were left open
are often that other process.

How to fix
----------
End the other process, or set the mode back to default.

References
----------
- https://docs.nvidia.com/cuda/cuda-programming-guide/
- https://docs.nvidia.com/deploy/mps/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Gpu, Snapshot

# A CUDA process keeps at least a context of some hundred MiB; an idle driver less.
_A_PROCESS_BYTES = 1 << 30


@rule(
    "FW122",
    "compute-mode-exclusive",
    cause="shm-or-limits",
    severity="info",
    needs=("gpus",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Prohibited, or exclusive and probably taken."""
    del matrices
    gpus = snapshot.gpus or ()
    is_closed = all(gpu.compute_mode == "prohibited" for gpu in gpus)
    for gpu in gpus:
        if gpu.compute_mode == "prohibited":
            yield _problem(
                gpu,
                "is in compute mode «Prohibited»: no process may use it",
                severity="error" if is_closed else "warning",
                blocks=state.BOTH if is_closed else (),
            )
        elif gpu.compute_mode in ("exclusive-process", "exclusive-thread"):
            used = gpu.memory_used_bytes or 0
            if used > _A_PROCESS_BYTES:
                yield _problem(
                    gpu,
                    f"is in compute mode «{gpu.compute_mode}» and another process"
                    f" holds it, with {used / 2**30:.1f} GiB",
                    severity="warning",
                    certainty="likely",
                )
            else:
                words = f"is in compute mode «{gpu.compute_mode}»: one process at once"
                yield _problem(gpu, words)


def _problem(gpu: Gpu, words: str, **more: object) -> Problem:
    return Problem(
        subject=f"GPU {gpu.index}",
        message=f"GPU {gpu.index} {words}",
        evidence=(
            Evidence(
                fact=f"GPU {gpu.index} compute mode",
                value=gpu.compute_mode or "",
                source="nvml",
            ),
        ),
        fix=(
            Fix(
                effort="host-root",
                commands=(f"sudo nvidia-smi -i {gpu.index} -c DEFAULT",),
                why="set the mode back to default, or end the process that"
                " `nvidia-smi` lists",
                verify=f"nvidia-smi -i {gpu.index} -q -d COMPUTE",
            ),
        ),
        **more,  # type: ignore[arg-type]  # fields of Problem, named by the caller
    )
