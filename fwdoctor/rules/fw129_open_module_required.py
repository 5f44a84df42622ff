"""The GPU needs NVIDIA's open kernel modules, and the proprietary one is loaded.

What it checks
--------------
Each NVIDIA GPU on the PCI bus that the driver does not list, while the loaded module is
the proprietary one and the GPU's architecture requires the open one.

Why it matters
--------------
From Blackwell on NVIDIA supports its open kernel modules alone. The proprietary module
of the same version loads and leaves the GPU alone: `nvidia-smi` says «No devices were
found», the kernel log «requires use of the NVIDIA open kernel modules».

How to fix
----------
Install the open flavour of the driver package and restart.

References
----------
- https://developer.nvidia.com/blog/nvidia-transitions-fully-towards-open-source-gpu-kernel-modules/
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
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
    from fwdoctor.model.snapshot import PciDevice, Snapshot

_REQUIRED = "required"


@rule(
    "FW129",
    "open-module-required",
    cause="driver-not-loaded",
    needs=("pci", "driver.version", "driver.kernel_module_flavour"),
    explains=("FW125", "FW126", "FW132"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs that the proprietary module leaves alone."""
    driver = snapshot.driver
    if driver.kernel_module_flavour != "proprietary" or driver.version is None:
        return
    works = bool(snapshot.gpus)
    for device in state.unseen_gpus(snapshot):
        if not _needs_open(device, matrices, driver.version.branch):
            continue
        yield Problem(
            subject="driver",
            message=f"the {state.device_name(device, matrices)} at {device.address}"
            " needs the open kernel modules, and the proprietary one is loaded",
            evidence=(
                Evidence(
                    fact="kernel_module_flavour",
                    value="proprietary",
                    source="/proc/driver/nvidia/version",
                ),
                Evidence(fact="pci", value=f"10de:{device.device_id}", source="pci"),
            ),
            fix=(_open_flavour(snapshot, driver.version.branch),),
            severity="warning" if works else None,
            blocks=() if works else state.BOTH,
        )


def _needs_open(device: PciDevice, matrices: Matrices, branch: int) -> bool:
    cc = state.device_capability(device, matrices)
    architecture = matrices.find_architecture(cc) if cc else None
    if architecture is None or architecture.open_modules != _REQUIRED:
        return False
    first = architecture.first_driver_branch
    return first is None or branch >= first  # older: FW114


def _open_flavour(snapshot: Snapshot, branch: int) -> Fix:
    return Fix(
        effort="reboot",
        commands=fixes.driver_install(snapshot, branch, is_open=True),
        why="install the open kernel modules of the driver",
        verify="nvidia-smi",
    )
