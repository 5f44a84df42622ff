"""CUDA does not start, with an error code that has no rule of its own.

What it checks
--------------
cuInit's answer. Codes with a meaning of their own (34, 100, 802, 803, 804) belong to
other rules, and the unknown error 999 is taken over by a rule that knows its reason;
this one names the rest from the table of CUDA's error codes.

Why it matters
--------------
Whatever PyTorch or TensorFlow is installed, its first call to the driver fails with
this code.

How to fix
----------
The meaning of the code and the kernel log say more. A restart often helps, since the
driver is in a state that it should not be in.

References
----------
- https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
- https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.fw711_wsl_container_runtime_old import is_old_wsl_runtime
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_KNOWN_ELSEWHERE = (
    0,  # success
    state.CUDA_STUB,
    state.CUDA_NO_DEVICE,
    state.CUDA_SYSTEM_NOT_READY,
    state.CUDA_DRIVER_MISMATCH,
    state.CUDA_COMPAT_NOT_SUPPORTED,
)


@rule(
    "FW126",
    "cuda-init-failed",
    cause="uvm-or-suspend",
    needs=("driver.libcuda.init_code",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Any other answer of cuInit."""
    if snapshot.origin == "pasted":
        return  # the lines beside the code decide (see rules/deciding.py)
    code = state.init_code(snapshot)
    is_orphan = code == state.CUDA_DRIVER_MISMATCH and state.has_own_driver_kind(
        snapshot
    )  # FW105 leaves WSL and Jetson alone
    if code is None or (code in _KNOWN_ELSEWHERE and not is_orphan):
        return
    if not state.has_gpu_to_use(snapshot) or is_old_wsl_runtime(snapshot):
        return
    known = matrices.find_code("cuda-driver", code)
    name = f", {known.name}" if known else ""
    yield Problem(
        subject="driver",
        message=f"CUDA does not start: cuInit answers {code}{name}",
        detail=known.meaning if known else "the code is not in our tables",
        evidence=(state.code_evidence("cuda-driver", code, matrices),),
        fix=(
            Fix(
                effort="host-root",
                commands=("sudo dmesg | grep -i nvrm",),
                why="see what the kernel module says",
                verify=fixes.check_command(snapshot.target),
            ),
            fixes.reboot("start the driver anew"),
        ),
        certainty="likely",
        blocks=state.BOTH,
    )
