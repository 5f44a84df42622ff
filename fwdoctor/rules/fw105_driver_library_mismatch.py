"""The driver's libraries are of another version than the loaded kernel module.

What it checks
--------------
NVML answers «Driver/library version mismatch» (code 18), cuInit answers 803
(unsupported driver combination), or CUDA does not start while libcuda is of another
version than the kernel module. The package manager's history tells which change caused
it. A forward-compatibility libcuda is another matter (FW112).

Why it matters
--------------
The two halves of the driver must be of the same version. A package update exchanges the
libraries at once, while the kernel keeps the old module until the next start; updates
that run unattended do this overnight.

How to fix
----------
Where NVML fits the module and only libcuda does not, a second libcuda is in the way:
remove it. Otherwise restart the machine; where that has to wait, the modules can be
reloaded once no process uses the GPU. In a container the libraries come from the host:
restart the container after the host.

References
----------
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
- https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import PackageEvent, Snapshot
    from fwdoctor.versions import DriverVersion

_LIBRARIES = ("libnvidia-", "libcuda", "nvidia-", "cuda-drivers")
_ARRIVALS = ("upgrade", "install", "downgrade", "reinstall")


@rule(
    "FW105",
    "driver-library-mismatch",
    cause="driver-library-mismatch",
    needs=("driver",),
    explains=("FW106", "FW108", "FW112", "FW125", "FW126", "FW132"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """NVML's code 18, or libcuda and kernel module of different versions."""
    if state.has_own_driver_kind(snapshot) or state.cuda_works(snapshot):
        return
    driver = snapshot.driver
    code = driver.nvml_code
    name, library = _other_library(snapshot)
    if not _is_refused(snapshot) and library is None:
        return
    module = driver.kernel_module
    versions = (
        f": kernel module {module}, {name} {library}" if library and module else ""
    )
    event = _culprit(snapshot, library)
    yield Problem(
        subject="driver",
        message=f"the driver's libraries do not fit the loaded kernel module{versions}",
        detail=_told(event) or _why(snapshot, library),
        evidence=(
            state.version_evidence("kernel_module", module, "kernel module"),
            *((state.version_evidence(name, library, name),) if library else ()),
            state.code_evidence("nvml", code, matrices),
            *_event_evidence(event),
        ),
        fix=tuple(_fixes(snapshot, library)),
        blocks=state.BOTH,
    )


def _is_refused(snapshot: Snapshot) -> bool:
    """NVML or cuInit say themselves that the versions do not fit."""
    libcuda = snapshot.driver.libcuda
    return snapshot.driver.nvml_code == state.NVML_VERSION_MISMATCH or (
        libcuda is not None
        and libcuda.init_code == state.CUDA_DRIVER_MISMATCH
        and libcuda.kind != "compat"
    )


def _other_library(snapshot: Snapshot) -> tuple[str, DriverVersion | None]:
    """The library whose version differs from the module's; proven, or NVML says so."""
    driver, libcuda = snapshot.driver, snapshot.driver.libcuda
    module = driver.kernel_module
    own = libcuda.version if libcuda and libcuda.kind == "driver" else None
    if driver.nvml_code == state.NVML_VERSION_MISMATCH:
        for name, version in (("NVML", driver.nvml_version), ("libcuda", own)):
            if version is not None and version != module:
                return name, version
    elif None not in (own, module) and own != module and _may_fail(snapshot):
        return "libcuda", own
    return "", None


def _may_fail(snapshot: Snapshot) -> bool:
    """CUDA did not start, or (in a pasted log) nobody asked CUDA and NVML."""
    was_asked = (state.init_code(snapshot), snapshot.driver.nvml_code) != (None, None)
    return state.cuda_fails(snapshot) or not was_asked


def _culprit(snapshot: Snapshot, library: DriverVersion | None) -> PackageEvent | None:
    """The last package change that brought the libraries' version."""
    for event in reversed(snapshot.driver.history or ()):
        is_arrival = event.action in _ARRIVALS and event.package.startswith(_LIBRARIES)
        brought = state.version_in(event.to_version)
        if is_arrival and (library is None or brought == str(library)):
            return event
    return None


def _told(event: PackageEvent | None) -> str:
    if event is None:
        return ""
    before = f" from {event.from_version}" if event.from_version else ""
    return (
        f"{event.when}: {event.action} of {event.package}{before} to {event.to_version}"
    )


def _why(snapshot: Snapshot, library: DriverVersion | None) -> str:
    path = _foreign_libcuda(snapshot, library)
    if path is not None:
        return f"NVML fits the module; the libcuda the loader takes, {path}, does not"
    return "the libraries were changed and the module was not loaded anew since"


def _foreign_libcuda(snapshot: Snapshot, library: DriverVersion | None) -> str | None:
    """The path of a libcuda that does not belong to a driver which is whole."""
    driver, libcuda = snapshot.driver, snapshot.driver.libcuda
    if driver.nvml_code != 0 or library is None or libcuda is None:
        return None
    return libcuda.path


def _event_evidence(event: PackageEvent | None) -> Iterator[Evidence]:
    if event is not None:
        yield Evidence(fact="package history", value=_told(event), source="packages")


def _fixes(snapshot: Snapshot, library: DriverVersion | None) -> Iterator[Fix]:
    foreign = _foreign_libcuda(snapshot, library)
    if foreign is not None:
        yield _drop_libcuda(snapshot, foreign)
        return
    if state.is_in_container(snapshot):
        yield Fix(
            effort="reboot",
            why="restart the host, whose driver was updated, then this container;"
            " where CDI is used, write its file anew on the host",
            commands=("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",),
            verify="nvidia-smi",
        )
        return
    on_disk = snapshot.driver.modules_on_disk
    if library is not None and on_disk is not None and library not in on_disk:
        yield Fix(
            effort="reboot",
            commands=(
                *fixes.kernel_headers(snapshot),
                "sudo dkms autoinstall",
                "sudo reboot",
            ),
            why=f"there is no module {library} for this kernel yet: build it, restart",
            verify="nvidia-smi",
        )
        return
    yield fixes.reboot("load the module of the installed driver")
    yield Fix(
        effort="host-root",
        commands=(
            "sudo modprobe -r nvidia_drm nvidia_modeset nvidia_uvm nvidia",
            "sudo modprobe nvidia",
        ),
        why="reload the modules, once no process and no desktop uses the GPU",
        verify="nvidia-smi",
    )


def _drop_libcuda(snapshot: Snapshot, path: str) -> Fix:
    verify = fixes.check_command(snapshot.target)
    folder = posixpath.dirname(path)
    value = snapshot.env_vars.get("LD_LIBRARY_PATH", "")
    if folder in (entry.rstrip("/") for entry in value.split(":")):
        return Fix(
            effort="environment",
            commands=(fixes.without_folders(value, [folder]),),
            why=f"take {folder} out of LD_LIBRARY_PATH, here and where it is set",
            verify=verify,
        )
    return Fix(
        effort="host-root",
        commands=(*fixes.package_of(snapshot, path), "sudo ldconfig"),
        why=f"remove what put {path} there; after an update of the driver, restart",
        verify=verify,
    )
