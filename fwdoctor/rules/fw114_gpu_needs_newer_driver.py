"""The driver is older than the GPU and does not know it.

What it checks
--------------
Each NVIDIA GPU on the PCI bus that the driver does not list, against the first driver
branch for its compute capability.

Why it matters
--------------
A driver drives only the GPUs that existed when it was made. It loads, `nvidia-smi` says
«No devices were found», and frameworks find no GPU. Distributions often ship drivers
older than a new card.

How to fix
----------
Install a newer driver branch. The newest architectures also need the open kernel
modules.

References
----------
- https://docs.nvidia.com/datacenter/tesla/drivers/
- https://github.com/NVIDIA/open-gpu-kernel-modules
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, fixes
from fwdoctor.driver_branches import driver_branch_from
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW114",
    "gpu-needs-newer-driver",
    cause="driver-too-old",
    needs=("pci", "driver.version"),
    explains=("FW111", "FW125", "FW126", "FW132"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs the driver does not list because its branch came before them."""
    driver = snapshot.driver.version
    if driver is None or state.has_own_driver_kind(snapshot):
        return
    works = bool(snapshot.gpus)
    for device in state.unseen_gpus(snapshot):
        cc = state.device_capability(device, matrices)
        verdict = compat.driver_drives(cc, driver, matrices) if cc else None
        architecture = matrices.find_architecture(cc) if cc else None
        first = architecture.first_driver_branch if architecture else None
        if verdict is None or verdict.ok is not False or first is None:
            continue
        if architecture is None or driver.branch >= first:
            continue  # FW113
        yield Problem(
            subject="driver",
            message=f"driver {driver} is older than the"
            f" {state.device_name(device, matrices)} at {device.address}",
            detail=verdict.reason,
            evidence=(
                state.version_evidence(
                    "driver_version", driver, snapshot.driver.version_source or ""
                ),
                Evidence(fact="pci", value=f"10de:{device.device_id}", source="pci"),
            ),
            fix=(
                _newer_branch(
                    snapshot, matrices, first, architecture.open_modules == "required"
                ),
            ),
            severity="warning" if works else None,
            blocks=() if works else state.BOTH,
        )


def _newer_branch(
    snapshot: Snapshot, matrices: Matrices, first: int, needs_open: bool
) -> Fix:
    branch = driver_branch_from(snapshot, matrices, first)
    kind = " with open kernel modules" if needs_open else ""
    return Fix(
        effort="reboot",
        commands=fixes.driver_install(snapshot, branch or first, is_open=needs_open),
        why=f"install driver branch {first} or newer{kind}",
        verify="nvidia-smi",
    )
