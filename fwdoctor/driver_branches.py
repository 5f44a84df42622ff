"""Which driver branch a machine should have: for its GPUs, still supported, new enough.

Pure functions over a snapshot and the matrices; the commands are made in `fixes.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import DriverBranch
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.versions import ComputeCapability, DriverVersion


def gpu_capabilities(
    snapshot: Snapshot, matrices: Matrices
) -> tuple[ComputeCapability, ...] | None:
    """What the GPUs need: as the driver says, else by their PCI device ids.

    None when one of them is in no table, or when there is none.
    """
    known = presence.capabilities(snapshot)
    if known:
        return known
    models = [
        matrices.find_gpu_by_device_id(device.device_id)
        for device in snapshot.pci or ()
        if device.vendor == "nvidia" and device.kind == "gpu"
    ]
    if not models or None in models:
        return None
    found = {model.compute_capability for model in models if model}
    return tuple(sorted(found))


def driver_branch_for(
    snapshot: Snapshot, matrices: Matrices, least: DriverVersion | None
) -> DriverBranch | None:
    """The oldest long-lived branch, still supported, that serves these GPUs.

    Without `least` it is newer than the driver here. Where no driver is installed and
    support of these GPUs has ended, it is the last branch that drives them.
    """
    installed = snapshot.driver.version
    needed = {
        device.architecture
        for cc in gpu_capabilities(snapshot, matrices) or ()
        if (device := matrices.find_architecture(cc))
    }
    last = None
    for branch in matrices.driver_branches():
        if not _is_long_lived(branch) or not needed <= set(branch.architectures):
            continue
        last = branch
        if _is_alive(branch, snapshot) and _is_enough(branch, least, installed):
            return branch
    return last if least is None and installed is None else None


def _is_enough(
    branch: DriverBranch, least: DriverVersion | None, installed: DriverVersion | None
) -> bool:
    if least is not None:
        return branch.branch >= least.branch
    return installed is None or branch.branch > installed.branch


def driver_branch_from(
    snapshot: Snapshot, matrices: Matrices, first: int
) -> int | None:
    """The oldest long-lived, still supported branch from `first` on."""
    return next(
        (
            branch.branch
            for branch in matrices.driver_branches()
            if _is_long_lived(branch)
            and branch.branch >= first
            and _is_alive(branch, snapshot)
        ),
        None,
    )


def _is_long_lived(branch: DriverBranch) -> bool:
    return branch.kind in ("LTS", "production")


def _is_alive(branch: DriverBranch, snapshot: Snapshot) -> bool:
    """Whether NVIDIA still mends the branch in the month of the snapshot."""
    month = (snapshot.created_at or "")[:7]
    return not branch.end_of_life or branch.end_of_life >= month


def need_proprietary(
    capabilities: tuple[ComputeCapability, ...], matrices: Matrices
) -> bool:
    """Whether a GPU is older than the open kernel modules, or none is known."""
    devices = [matrices.find_architecture(cc) for cc in capabilities]
    return not devices or any(d and d.open_modules == "impossible" for d in devices)
