"""The driver branch no longer supports this GPU.

What it checks
--------------
Each NVIDIA GPU on the PCI bus that the driver does not list, against the last driver
branch for its architecture.

Why it matters
--------------
NVIDIA ends support for old architectures branch by branch. A newer driver installs and
loads without complaint, but leaves the GPU alone: `nvidia-smi` says «No devices were
found». A distribution's upgrade can bring this about.

How to fix
----------
Install the last driver branch that supports the GPU and keep the package manager from
moving on. Frameworks must then be builds for a CUDA that this branch speaks and that
still has code for the GPU.

References
----------
- https://docs.nvidia.com/datacenter/tesla/drivers/
- https://www.nvidia.com/en-us/drivers/unix/legacy-gpu/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW113",
    "gpu-dropped-by-driver",
    cause="gpu-arch-too-old",
    needs=("pci", "driver.version"),
    explains=("FW125", "FW126", "FW132"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs the driver does not list because its branch came after their last."""
    driver = snapshot.driver.version
    if driver is None or state.has_own_driver_kind(snapshot):
        return
    works = bool(snapshot.gpus)
    for device in state.unseen_gpus(snapshot):
        cc = state.device_capability(device, matrices)
        verdict = compat.driver_drives(cc, driver, matrices) if cc else None
        if cc is None or verdict is None or verdict.ok is not False:
            continue
        architecture = matrices.find_architecture(cc)
        last = architecture.last_driver_branch if architecture else None
        if last is None or driver.branch <= last:
            continue  # FW114
        yield Problem(
            subject="driver",
            message=f"driver {driver} no longer supports the"
            f" {state.device_name(device, matrices)} at {device.address}",
            detail=verdict.reason,
            evidence=(
                state.version_evidence(
                    "driver_version", driver, snapshot.driver.version_source or ""
                ),
                Evidence(fact="pci", value=f"10de:{device.device_id}", source="pci"),
            ),
            fix=(_older_branch(snapshot, last),),
            severity="info" if works else None,
            blocks=() if works else state.BOTH,
        )


def _older_branch(snapshot: Snapshot, branch: int) -> Fix:
    return Fix(
        effort="reboot",
        commands=fixes.driver_install(snapshot, branch, is_open=False),
        why=f"install driver branch {branch}, the last one for this GPU",
        verify="nvidia-smi",
    )
