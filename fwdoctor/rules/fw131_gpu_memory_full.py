"""Nearly all memory of the GPU is in use.

What it checks
--------------
Used against total memory of each GPU, as NVML reports them now.

Why it matters
--------------
A program that starts now gets «CUDA out of memory», or an error that does not name
memory: cuDNN «not initialized» and cuBLAS `ALLOC_FAILED` are often this. TensorFlow
takes all memory by itself unless told otherwise. The installation is right.

How to fix
----------
End the process that holds the memory, or use another GPU.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://www.tensorflow.org/guide/gpu
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Gpu, Snapshot

_NEARLY_FULL = 0.95


@rule(
    "FW131",
    "gpu-memory-full",
    cause="gpu-memory",
    severity="info",
    needs=("gpus",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs that are nearly full; a warning when every one is."""
    del matrices
    gpus = snapshot.gpus or ()
    full = [gpu for gpu in gpus if _share(gpu) >= _NEARLY_FULL]
    for gpu in full:
        used, total = gpu.memory_used_bytes or 0, gpu.memory_bytes or 0
        value = f"{used / 2**30:.1f} of {total / 2**30:.1f} GiB"
        yield Problem(
            subject=f"GPU {gpu.index}",
            message=f"GPU {gpu.index} is nearly full: {value} in use",
            evidence=(
                Evidence(fact=f"GPU {gpu.index} memory", value=value, source="nvml"),
            ),
            fix=(
                Fix(
                    effort="environment",
                    commands=(f"nvidia-smi -i {gpu.index}",),
                    why="see which process holds the memory, and end it",
                    verify="nvidia-smi",
                ),
            ),
            severity="warning" if len(full) == len(gpus) else None,
        )


def _share(gpu: Gpu) -> float:
    if not gpu.memory_bytes or gpu.memory_used_bytes is None or gpu.mig_enabled:
        return 0.0
    return gpu.memory_used_bytes / gpu.memory_bytes
