"""The PCI bus lists an NVIDIA GPU that the driver does not.

What it checks
--------------
NVML started, and an NVIDIA GPU on the PCI bus is not among its GPUs. GPUs that are
handed to a virtual machine, or held by nouveau, are left out; where the driver is too
new, too old, or of the wrong kind for the GPU, the rules that know it take this over.

Why it matters
--------------
The driver found the card and could not start it (`RmInitAdapter failed` in the kernel
log): bad power, slot or riser, a firmware setting such as «Above 4G decoding», or a
faulty card.

How to fix
----------
Read what the kernel log says about the GPU at this address. Switch the machine off and
on; then look at power, slot and firmware settings.

References
----------
- https://docs.nvidia.com/deploy/gpu-debug-guidelines/
- https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import PciDevice, Snapshot
    from fwdoctor.versions import ComputeCapability


@rule(
    "FW132",
    "gpu-not-seen-by-driver",
    cause="hardware-fault",
    needs=("pci", "gpus", "driver.nvml_code"),
    explains=("FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs on the bus that NVML does not list."""
    if snapshot.driver.nvml_code != 0 or state.has_own_driver_kind(snapshot):
        return
    for device in state.unseen_gpus(snapshot):
        if state.is_held_by_rival(device):
            continue
        cc = state.device_capability(device, matrices)
        if cc is None and snapshot.gpus:
            continue  # an unknown card beside GPUs that work: most likely an old one
        if cc is None or _may_be_driven(cc, snapshot, matrices):
            yield _problem(snapshot, matrices, device, is_known=cc is not None)


def _may_be_driven(
    cc: ComputeCapability, snapshot: Snapshot, matrices: Matrices
) -> bool:
    """Whether nothing in our tables keeps this driver from it (FW113, FW114)."""
    driver = snapshot.driver.version
    return driver is None or (
        compat.driver_drives(cc, driver, matrices).ok is not False
    )


def _problem(
    snapshot: Snapshot, matrices: Matrices, device: PciDevice, *, is_known: bool
) -> Problem:
    works = bool(snapshot.gpus)
    bound = device.kernel_driver or "no kernel driver"
    return Problem(
        subject="driver",
        message="the driver does not list the"
        f" {state.device_name(device, matrices)} at {device.address}",
        detail=f"the bus shows it, bound to {bound}; NVML lists"
        f" {len(snapshot.gpus or ())}",
        evidence=(
            Evidence(fact="pci", value=f"10de:{device.device_id}", source="pci"),
        ),
        fix=(
            Fix(
                effort="hardware",
                commands=("sudo dmesg | grep -iE 'nvrm|xid'",),
                why="see why the driver could not start it; then switch the machine"
                " off and on, and check power, slot and firmware settings",
                verify="nvidia-smi -L",
            ),
        ),
        severity="warning" if works else None,
        certainty="likely" if is_known else "possible",
        blocks=() if works else state.BOTH,
    )
