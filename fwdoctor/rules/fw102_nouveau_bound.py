"""The kernel's own nouveau driver holds the GPU, so NVIDIA's driver cannot.

What it checks
--------------
NVIDIA's driver is installed, but the PCI device is bound to nouveau (or nova_core), the
drivers that come with Linux.

Why it matters
--------------
Only one kernel driver can hold a device, and CUDA speaks to NVIDIA's alone. NVML
answers «driver not loaded» and no framework finds a GPU.

How to fix
----------
Keep nouveau from loading at start, rebuild the start image, and reboot. Packages of a
distribution do this themselves; it is left out by an interrupted installation or a
driver installed by hand.

References
----------
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
- https://wiki.debian.org/NvidiaGraphicsDrivers
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
    "FW102",
    "nouveau-bound",
    cause="driver-not-loaded",
    needs=("pci", "driver.nvml_code"),
    explains=("FW106", "FW125", "FW126", "FW132"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A GPU bound to the kernel's own driver although NVIDIA's is installed."""
    held = [d for d in state.gpus_on_bus(snapshot) if state.is_held_by_rival(d)]
    code = snapshot.driver.nvml_code
    is_installed = code != state.NVML_LIBRARY_NOT_FOUND or state.has_driver_on_disk(
        snapshot
    )
    if not held or not is_installed or state.is_in_container(snapshot):
        return
    first, works = held[0], state.cuda_works(snapshot)
    yield Problem(
        subject="driver",
        message=f"{first.kernel_driver} holds the"
        f" {state.device_name(first, matrices)} at {first.address},"
        " so the NVIDIA driver cannot",
        evidence=(
            Evidence(
                fact=f"driver of {first.address}",
                value=first.kernel_driver or "",
                source="pci",
            ),
            state.code_evidence("nvml", code, matrices),
        ),
        fix=(_block_rival(snapshot, first.kernel_driver or ""),),
        severity="warning" if works else None,
        blocks=() if works else state.BOTH,
    )


def _block_rival(snapshot: Snapshot, module: str) -> Fix:
    path = "/etc/modprobe.d/blacklist-nouveau.conf"
    lines = rf"blacklist {module}\noptions {module} modeset=0\n"
    return Fix(
        effort="reboot",
        commands=(
            f"printf '{lines}' | sudo tee {path}",
            *fixes.rebuild_start_image(snapshot),
            "sudo reboot",
        ),
        why=f"keep {module} from loading, then restart",
        verify="nvidia-smi",
    )
