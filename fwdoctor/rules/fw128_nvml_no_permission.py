"""NVML refuses to start for this user.

What it checks
--------------
NVML's answer to start: 4, no permission. Where a device file is the reason, FW119 says
so and takes this finding over.

Why it matters
--------------
`nvidia-smi` says «Failed to initialize NVML: Insufficient Permissions», and CUDA finds
no device: the user, the container or the batch job may not use the driver.

How to fix
----------
Try as root to see that it is a matter of permissions; then look at groups, at the
container's device rules, or at how the job was submitted.

References
----------
- https://docs.nvidia.com/deploy/nvml-api/
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW128",
    "nvml-no-permission",
    cause="device-permission",
    needs=("driver.nvml_code",),
    explains=("FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The code 4 of NVML."""
    code = snapshot.driver.nvml_code
    if code != state.NVML_NO_PERMISSION or state.cuda_works(snapshot):
        return
    verify = fixes.check_command(snapshot.target)
    look = Fix(
        effort="host-root",
        commands=("ls -l /dev/nvidia*", "id"),
        why="compare the group of the device files with your groups, and join it",
        verify=verify,
    )
    in_container = state.is_in_container(snapshot)
    yield Problem(
        subject="driver",
        message="NVML says that this user may not use the driver",
        evidence=(state.code_evidence("nvml", code, matrices),),
        fix=fixes.start_with_gpu(snapshot) if in_container else (look,),
        blocks=state.BOTH,
    )
