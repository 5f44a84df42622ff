"""A GPU is there, but no NVIDIA driver is installed for it.

What it checks
--------------
The PCI bus lists an NVIDIA GPU, and no NVIDIA driver answers: the NVML library is not
there, no kernel module is loaded, and no driver package is installed.

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
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

NVML_LIBRARY_NOT_FOUND = 12


@rule(
    "FW101",
    "driver-missing",
    cause="driver-missing",
    needs=("pci", "driver.nvml_code"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """An NVIDIA GPU on the bus and no trace of a driver."""
    devices = [
        d for d in snapshot.pci or () if d.vendor == "nvidia" and d.kind == "gpu"
    ]
    driver = snapshot.driver
    in_container = snapshot.container is not None and snapshot.container.kind
    if not devices or in_container or driver.nvml_code != NVML_LIBRARY_NOT_FOUND:
        return
    if driver.kernel_module is not None or driver.modules_on_disk or driver.packages:
        return
    first = devices[0]
    model = matrices.find_gpu_by_device_id(first.device_id)
    yield Problem(
        subject="driver",
        message=f"no NVIDIA driver is installed for the {model.name if model else 'GPU'}"
        f" at {first.address}",
        evidence=(
            Evidence(fact="pci", value=f"10de:{first.device_id}", source="pci"),
            Evidence(fact="nvml_code", value=str(driver.nvml_code), source="nvml"),
        ),
        fix=(fixes.driver_upgrade(snapshot, matrices, None),),
        blocks=("torch", "tensorflow"),
    )
