"""Secure Boot is on and the NVIDIA kernel module on disk is not loaded.

What it checks
--------------
The machine starts with Secure Boot, the nvidia module was built on this machine (by
DKMS) for the running kernel, and it is not loaded while NVML answers «driver not
loaded». Modules that the distribution signed itself are left out.

Why it matters
--------------
With Secure Boot the kernel refuses modules whose key the firmware does not know. A
module that DKMS built is signed with the machine's own key, which has to be enrolled
once by hand.

How to fix
----------
Enrol the machine's key and confirm it on the blue screen at the next start, or take the
distribution's signed modules, or turn Secure Boot off in the firmware.

References
----------
- https://wiki.ubuntu.com/UEFI/SecureBoot
- https://wiki.debian.org/SecureBoot
- https://github.com/dell/dkms
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_UBUNTU_KEY = "/var/lib/shim-signed/mok/MOK.der"
_DKMS_KEY = "/var/lib/dkms/mok.pub"


def is_refused_by_secure_boot(snapshot: Snapshot) -> bool:
    """A module built here for this kernel, Secure Boot on, and not loaded."""
    kernel = snapshot.host.kernel
    built_here = any(
        package.manager == "dkms"
        and package.state in ("installed", "built")
        and kernel is not None
        and package.kernel == kernel
        for package in snapshot.driver.packages or ()
    )
    return (
        snapshot.host.secure_boot is True
        and built_here
        and state.is_module_loaded(snapshot) is False
        and not state.is_in_container(snapshot)
    )


@rule(
    "FW104",
    "driver-module-unsigned",
    cause="driver-not-loaded",
    needs=("pci", "driver.nvml_code", "host.secure_boot"),
    explains=("FW106", "FW118", "FW125", "FW126", "FW132"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Secure Boot on, the module built and not loaded."""
    code = snapshot.driver.nvml_code
    devices = state.gpus_on_bus(snapshot)
    if code != state.NVML_DRIVER_NOT_LOADED or not devices:
        return
    if not is_refused_by_secure_boot(snapshot):
        return
    if all(state.is_held_by_rival(device) for device in devices):
        return  # FW102
    key = _UBUNTU_KEY if snapshot.host.distribution_id == "ubuntu" else _DKMS_KEY
    yield Problem(
        subject="driver",
        message=f"the nvidia module for kernel {snapshot.host.kernel} is built and not"
        " loaded, and Secure Boot is on",
        detail="Secure Boot refuses modules signed with a key that is not enrolled",
        evidence=(
            Evidence(fact="secure_boot", value="on", source="host"),
            state.code_evidence("nvml", code, matrices),
        ),
        fix=(
            Fix(
                effort="reboot",
                commands=(f"sudo mokutil --import {key}", "sudo reboot"),
                why="enrol the machine's own key: choose a password now and give it"
                " again under «Enroll MOK» while the machine starts",
                verify="nvidia-smi",
            ),
            Fix(
                effort="reboot",
                why="turn Secure Boot off in the firmware's settings",
                verify="mokutil --sb-state",
            ),
        ),
        certainty="likely",
        blocks=state.BOTH,
    )
