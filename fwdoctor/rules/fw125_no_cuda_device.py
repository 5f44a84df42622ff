"""NVML lists a GPU, and CUDA says that there is none.

What it checks
--------------
cuInit answers 100 (no CUDA-capable device is detected) while NVML lists a GPU. Rules
that know a reason (a variable, MIG, permissions, a foreign libcuda) take this finding
over as their consequence; alone it means that none of them applies.

Why it matters
--------------
PyTorch says «No CUDA GPUs are available», TensorFlow `CUDA_ERROR_NO_DEVICE`.

How to fix
----------
Look at the kernel log for lines that begin with NVRM; then restart. In a container,
start it anew with the GPU.

References
----------
- https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
- https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW125",
    "no-cuda-device",
    cause="visible-devices",
    needs=("driver.libcuda.init_code", "gpus"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The code 100 of cuInit beside a GPU that NVML lists."""
    if snapshot.origin == "pasted":
        return  # the lines beside the code decide (see rules/deciding.py)
    code = state.init_code(snapshot)
    usable = [gpu for gpu in snapshot.gpus or () if gpu.error_code is None]
    if code != state.CUDA_NO_DEVICE or not usable:
        return
    plural = "s" if len(usable) > 1 else ""
    yield Problem(
        subject="driver",
        message=f"NVML lists {len(usable)} GPU{plural}, and CUDA finds none",
        evidence=(
            state.code_evidence("cuda-driver", code, matrices),
            Evidence(
                fact="GPUs",
                value=state.listed(gpu.name or "GPU" for gpu in usable),
                source="nvml",
            ),
        ),
        fix=tuple(_fixes(snapshot)),
        certainty="likely",
        blocks=state.BOTH,
    )


def _fixes(snapshot: Snapshot) -> Iterator[Fix]:
    if state.is_in_container(snapshot):
        yield from fixes.start_with_gpu(snapshot)
        return
    yield Fix(
        effort="host-root",
        commands=("sudo dmesg | grep -i nvrm",),
        why="see what the kernel module says about the GPU",
        verify=fixes.check_command(snapshot.target),
    )
    yield fixes.reboot("start the driver anew")
