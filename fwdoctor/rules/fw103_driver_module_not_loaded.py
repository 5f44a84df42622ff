"""The NVIDIA driver is installed, but its kernel module is not loaded.

What it checks
--------------
NVML answers «driver not loaded» (code 9), a GPU is on the bus, and the kernel has no
nvidia module. If DKMS or the distribution's packages built the module for another
kernel than the running one, that kernel is named.

Why it matters
--------------
A kernel update that comes without the kernel's headers leaves the driver behind: the
libraries are there, the module is not. `nvidia-smi` «couldn't communicate with the
NVIDIA driver», and no framework finds a GPU.

How to fix
----------
Install the headers of the running kernel, let DKMS build the module, and load it; or
start the kernel the module was built for. Python needs no change.

References
----------
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
- https://github.com/dell/dkms
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.fw104_driver_module_unsigned import is_refused_by_secure_boot
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import DriverPackage, Snapshot

_PREBUILT = "linux-modules-nvidia-"


@rule(
    "FW103",
    "driver-module-not-loaded",
    cause="driver-not-loaded",
    needs=("pci", "driver.nvml_code"),
    explains=("FW106", "FW118", "FW125", "FW126", "FW132"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The driver is on disk and not in the kernel."""
    code = snapshot.driver.nvml_code
    devices = state.gpus_on_bus(snapshot)
    if not devices or state.is_module_loaded(snapshot) or snapshot.gpus:
        return
    is_there = code == state.NVML_DRIVER_NOT_LOADED or (
        code == state.NVML_LIBRARY_NOT_FOUND and state.has_driver_on_disk(snapshot)
    )
    if not is_there or state.has_own_driver_kind(snapshot):
        return
    if all(state.is_held_by_rival(device) for device in devices):
        return  # FW102 says more
    if is_refused_by_secure_boot(snapshot):
        return  # FW104 says more
    kernel = snapshot.host.kernel
    running = f" of the running kernel {kernel}" if kernel else ""
    yield Problem(
        subject="driver",
        message=f"the nvidia kernel module{running} is not loaded",
        detail=_why(snapshot),
        evidence=(
            state.code_evidence("nvml", code, matrices),
            *_package_evidence(snapshot),
        ),
        fix=tuple(_fixes(snapshot)),
        blocks=state.BOTH,
    )


def _built(snapshot: Snapshot) -> list[DriverPackage]:
    return [p for p in snapshot.driver.packages or () if p.manager == "dkms"]


def _why(snapshot: Snapshot) -> str:
    """Which kernel the module was built for, as far as the packages say."""
    kernel = snapshot.host.kernel
    for package in _built(snapshot):
        if package.state == "failed" and package.kernel == kernel:
            return f"DKMS failed to build {package.version} for this kernel"
    kernels = sorted({p.kernel for p in _built(snapshot) if p.kernel} - {kernel})
    is_on_disk = bool(snapshot.driver.modules_on_disk)
    if kernels and not is_on_disk:
        return f"DKMS built it for {state.listed(kernels)}, not for this kernel"
    if _built(snapshot) and not is_on_disk:
        return "DKMS knows the driver's sources and has built nothing for this kernel"
    prebuilt = _prebuilt_kernels(snapshot)
    if prebuilt and kernel not in prebuilt and not is_on_disk:
        return f"the packages hold it for {state.listed(prebuilt)}"
    if is_on_disk:
        versions = state.listed(snapshot.driver.modules_on_disk or ())
        return f"version {versions} is on disk for this kernel"
    return ""


def _prebuilt_kernels(snapshot: Snapshot) -> list[str]:
    """Kernels in names such as linux-modules-nvidia-550-open-6.8.0-40-generic."""
    found = set()
    for package in state.driver_packages(snapshot):
        words = package.name.removeprefix(_PREBUILT).split("-")
        at = next((i for i, word in enumerate(words) if word.count(".") == 2), None)
        if package.name.startswith(_PREBUILT) and at is not None:
            found.add("-".join(words[at:]))
    return sorted(found)


def _package_evidence(snapshot: Snapshot) -> Iterator[Evidence]:
    for package in state.driver_packages(snapshot)[:3]:
        kernel = f" for {package.kernel}" if package.kernel else ""
        value = f"{package.name} {package.version}{kernel}, {package.state}"
        yield Evidence(fact="package", value=value, source=package.manager)


def _fixes(snapshot: Snapshot) -> Iterator[Fix]:
    if state.is_in_container(snapshot):
        why = "load the nvidia module on the host, outside this container"
        yield Fix(effort="host-root", why=why, verify="nvidia-smi")
        return
    load = "sudo modprobe nvidia"
    if snapshot.driver.modules_on_disk:
        yield Fix(
            effort="host-root",
            commands=(load,),
            why="load the module; if it is refused, `sudo dmesg` says why",
            verify="nvidia-smi",
        )
        return
    if _built(snapshot):
        yield Fix(
            effort="host-root",
            commands=(
                *fixes.kernel_headers(snapshot),
                "sudo dkms autoinstall",
                load,
            ),
            why="build the module for this kernel and load it",
            verify="nvidia-smi",
        )
        return
    yield Fix(
        effort="reboot",
        commands=(load,),
        why="load the module; where there is none for this kernel, install the"
        " driver's kernel package again and restart",
        verify="nvidia-smi",
    )
