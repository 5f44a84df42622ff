"""The NVIDIA driver as its files show it: modules, packages, services.

Works with no driver loaded and in an unpacked image. What the driver itself answers
(NVML, libcuda) comes from other probes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import Driver, FabricManager
from fwdoctor.probes.driver_packages import read_history, read_packages
from fwdoctor.probes.kernel_modules import (
    find_version,
    parse_flavour,
    parse_version_file,
    read_loaded,
    read_on_disk,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwdoctor.model.snapshot import DriverPackage
    from fwdoctor.probes.source import Source
    from fwdoctor.versions import DriverVersion

FABRIC_PROGRAM = "nv-fabricmanager"
_FABRIC_UNIT = "nvidia-fabricmanager.service"
_FABRIC_PLACES = (
    f"/usr/bin/{FABRIC_PROGRAM}",
    f"/lib/systemd/system/{_FABRIC_UNIT}",
    f"/usr/lib/systemd/system/{_FABRIC_UNIT}",
)
_FABRIC_PID_FILES = (
    f"/run/nvidia-fabricmanager/{FABRIC_PROGRAM}.pid",
    f"/var/run/nvidia-fabricmanager/{FABRIC_PROGRAM}.pid",
)
_FABRIC_GROUPS = (
    f"/sys/fs/cgroup/system.slice/{_FABRIC_UNIT}",
    f"/sys/fs/cgroup/systemd/system.slice/{_FABRIC_UNIT}",
)
_FABRIC_PACKAGES = ("nvidia-fabricmanager", "nvidia-fabric-manager")
_UPSTREAM = re.compile(r"(?:\d+:)?(\d{2,4}\.\d{1,3}(?:\.\d{1,3})?)(?![\d.])")


class DriverFilesProbe:
    """Kernel modules, packages, their history, the fabric manager."""

    name = "driver-files"

    def start(self, source: Source) -> Callable[[], Driver]:
        """Nothing runs; the files are read in `finish`."""
        return lambda: read_driver(source)


def read_driver(source: Source) -> Driver:
    """What files say about the driver of the examined root."""
    version_file = source.find_text("/proc/driver/nvidia/version") or ""
    module = parse_version_file(version_file)
    packages = read_packages(source)
    kernel = _read_kernel(source)
    return Driver(
        kernel_module=module or find_version(_module_version(source)),
        kernel_module_flavour=parse_flavour(version_file),
        modules_loaded=read_loaded(source),
        modules_on_disk=read_on_disk(source, kernel, packages or ())
        if kernel
        else None,
        fabric_manager=_read_fabric_manager(source, packages or ()),
        packages=packages,
        history=read_history(source),
    )


def _module_version(source: Source) -> str | None:
    return source.find_text("/sys/module/nvidia/version")


def _read_kernel(source: Source) -> str | None:
    """The running kernel's release, if it can be a folder's name."""
    if source.is_live_root and hasattr(os, "uname"):
        return os.uname().release
    text = (source.find_text("/proc/sys/kernel/osrelease") or "").strip()
    return text if re.fullmatch(r"[\w.+~-]+", text) else None


def _read_fabric_manager(
    source: Source, packages: Iterable[DriverPackage]
) -> FabricManager | None:
    """The service that NVSwitch machines need; None where it is not installed."""
    version = _fabric_version(packages)
    if version is None and not any(source.exists(path) for path in _FABRIC_PLACES):
        return None
    return FabricManager(
        version=version, is_installed=True, is_running=_is_fabric_running(source)
    )


def _fabric_version(packages: Iterable[DriverPackage]) -> DriverVersion | None:
    for package in packages:
        is_installed = package.state == "installed"
        if is_installed and package.name.startswith(_FABRIC_PACKAGES):
            return parse_upstream_version(package.version)
    return None


def parse_upstream_version(text: str) -> DriverVersion | None:
    """The driver version in a package version: `550.144.03-0ubuntu0.24.04.1`."""
    found = _UPSTREAM.match(text)
    return find_version(found[1]) if found else None


def _is_fabric_running(source: Source) -> bool | None:
    """By its pid file or its control group; None where no system runs (an image)."""
    if any(source.exists(path) for path in _FABRIC_GROUPS):
        return True
    for path in _FABRIC_PID_FILES:
        pid = parse_pid(source.find_text(path) or "")
        if pid is not None:
            return _is_fabric_process(source, pid)
    return False if source.exists("/proc/version") else None


def _is_fabric_process(source: Source, pid: int) -> bool | None:
    """None where the processes of others are hidden from us."""
    command = source.find_text(f"/proc/{pid}/comm")
    if command is None and not source.exists("/proc/1/comm"):
        return None
    return is_fabric_command(command or "")


def parse_pid(text: str) -> int | None:
    """The number in a pid file."""
    stripped = text.strip()
    return int(stripped) if re.fullmatch(r"[0-9]{1,10}", stripped) else None


def is_fabric_command(text: str) -> bool:
    """Whether /proc/PID/comm names it; the kernel keeps 15 characters."""
    return text.startswith(FABRIC_PROGRAM[:15])
