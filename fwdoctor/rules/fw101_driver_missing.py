"""A GPU is there, but no NVIDIA driver is installed for it.

What it checks
--------------
The PCI bus lists an NVIDIA GPU, and no NVIDIA driver answers: the NVML library is not
there, no kernel module is loaded or lies on disk, and no driver package is installed.
A GPU that is handed to a virtual machine is left out.

Why it matters
--------------
PyTorch and TensorFlow bring their own CUDA libraries, but never the driver. Without it
`torch.cuda.is_available()` is False and TensorFlow says «Could not find cuda drivers»,
whatever is installed in Python.

How to fix
----------
Install the NVIDIA driver of your distribution and reboot. Nothing needs to change in
the Python environment, and the CUDA toolkit is not needed.

References
----------
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import PciDevice, Snapshot


@rule(
    "FW101",
    "driver-missing",
    cause="driver-missing",
    needs=("pci", "driver.nvml_code"),
    explains=("FW107",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """An NVIDIA GPU on the bus and no trace of a driver."""
    devices = state.gpus_on_bus(snapshot)
    code = snapshot.driver.nvml_code
    if not devices or code != state.NVML_LIBRARY_NOT_FOUND or snapshot.gpus:
        return
    if state.is_in_container(snapshot) or state.has_own_driver_kind(snapshot):
        return
    if state.is_module_loaded(snapshot) or state.has_driver_on_disk(snapshot):
        return
    first = devices[0]
    others = f" and {len(devices) - 1} more" if len(devices) > 1 else ""
    yield Problem(
        subject="driver",
        message="no NVIDIA driver is installed for the"
        f" {state.device_name(first, matrices)} at {first.address}{others}",
        detail=_what_holds_it(first),
        evidence=(
            Evidence(fact="pci", value=f"10de:{first.device_id}", source="pci"),
            state.code_evidence("nvml", code, matrices),
        ),
        fix=(fixes.driver_upgrade(snapshot, matrices, None),),
        blocks=state.BOTH,
    )


def _what_holds_it(device: PciDevice) -> str:
    if state.is_held_by_rival(device):
        return f"the kernel's own {device.kernel_driver} drives it, without CUDA"
    return ""
