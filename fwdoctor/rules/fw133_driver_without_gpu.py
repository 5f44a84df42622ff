"""The driver's libraries are installed, and its kernel module has no GPU to drive.

What it checks
--------------
NVML is there and says that the driver is not loaded, and the PCI bus lists no NVIDIA
GPU (or cannot be read, as in some containers).

Why it matters
--------------
`nvidia-smi` says it «couldn't communicate with the NVIDIA driver», which reads like a
broken driver. A cloud image made for GPUs and started on a machine without one looks
like this, and so does a card that is not seated.

How to fix
----------
Start the machine with a GPU, or look at the card and its power. Where no GPU is meant
to be, nothing has to be done.

References
----------
- https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW133",
    "driver-without-gpu",
    cause="driver-not-loaded",
    severity="info",
    needs=("driver.nvml_code",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """NVML without a loaded driver, and no GPU on the bus."""
    code = snapshot.driver.nvml_code
    if code != state.NVML_DRIVER_NOT_LOADED or state.gpus_on_bus(snapshot):
        return
    if state.is_module_loaded(snapshot) or state.has_own_driver_kind(snapshot):
        return
    is_bus_known = snapshot.pci is not None
    bus = "lists no NVIDIA GPU" if is_bus_known else "cannot be read here"
    yield Problem(
        subject="driver",
        message=f"the NVIDIA driver is installed and not loaded; the PCI bus {bus}",
        detail="" if is_bus_known else "whether a GPU is there is not known",
        severity="info" if is_bus_known else "warning",
        certainty="likely",
        evidence=(state.code_evidence("nvml", code, matrices),),
        fix=(
            Fix(
                effort="host-root",
                commands=("lspci -nn -d 10de:",),
                why="see whether the machine has a GPU at all",
            ),
        ),
    )
