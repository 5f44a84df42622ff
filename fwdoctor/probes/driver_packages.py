"""Packages of the NVIDIA driver (dpkg, rpm, DKMS) and what became of them lately.

Everything is read from the package managers' own files; none of them is run.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import DriverPackage, PackageEvent
from fwdoctor.probes.kernel_log import read_tail
from fwdoctor.probes.kernel_modules import has_module
from fwdoctor.probes.rpm_database import read_rpm_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.probes.source import Source

STATUS_FILE = "/var/lib/dpkg/status"
STATUS_LIMIT_BYTES = 16_000_000
DKMS_FOLDER = "/var/lib/dkms"
MAX_EVENTS = 20
MAX_PACKAGES = 100
LOG_TAIL_BYTES = 512 * 1024
LINE_LIMIT = 1000  # characters; a longer line is no package manager's
STANZA_LIMIT_BYTES = 64 * 1024

_NAMES = (
    r"(?:nvidia-(?:driver|dkms|kernel|kmod|headless|open|utils|compute|fabricmanager|"
    r"fabric-manager|container-toolkit|l4t-core)|libnvidia-compute|libnvidia-ml1|"
    r"libcuda1|cuda-compat|cuda-drivers|linux-modules-nvidia|a?kmod-nvidia|"
    r"xorg-x11-drv-nvidia)[\w.+-]*"
)
_NAME = re.compile(_NAMES)
# No anchor before it: a pattern that begins with plain text is searched much faster.
_STANZA = re.compile(rf"\nPackage: ({_NAMES})\n".encode())
_FIELD = re.compile(rb"^(Status|Version): ([^\n]*)$", re.MULTILINE)
# 2022-05-19 06:04:29 upgrade nvidia-driver-510:amd64 510.60.02-0ubuntu1 510.73.05-0ub…
_DPKG_LINE = re.compile(
    r"(\S+ \S+) (install|upgrade|remove|purge) ([^\s:]+)(?::\S+)? (\S+) (\S+)\s*"
)
_APT_START = re.compile(r"Start-Date: (\S+)\s+(\S+)")
_APT_ACTION = re.compile(r"(Install|Upgrade|Downgrade|Reinstall|Remove|Purge): (.*)")
# libnvidia-compute-510:amd64 (510.85.02-0ubuntu0.20.04.1, 510.108.03-0ubuntu0.20.04.1)
_APT_PACKAGE = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,100}):\w{1,20} \(([^,()]{1,100})(?:, ([^,()]{1,100}))?"
)
# 2024-05-01T10:00:00+0000 SUBDEBUG Upgrade: nvidia-driver-cuda-3:550.54.15-1.el9.x86_64
_DNF_LINE = re.compile(
    r"(\S+) \w+ (Installed|Upgrade|Erase): "
    r"(\S+?)-(?:\d+:)?(\d[^-\s]*-[^-\s]+)\s*"
)
_DNF_ACTIONS = {"Installed": "install", "Upgrade": "upgrade", "Erase": "remove"}
_DKMS_NAME = re.compile(r"nvidia[\w.-]*")
# DKMS make.log for nvidia-515.65.01 for kernel 5.10.0-21-amd64 (x86_64)
_DKMS_LOG = re.compile(r"make\.log for \S+ for kernel (\S+)")


def read_packages(source: Source) -> tuple[DriverPackage, ...] | None:
    """Driver packages of dpkg, rpm and DKMS; None when none keeps files here."""
    try:
        status: bytes | None = source.read_bytes(STATUS_FILE, STATUS_LIMIT_BYTES)
    except (OSError, ValueError):
        status = None
    rpms = read_rpm_packages(source, _NAME)
    if status is None and rpms is None and not source.is_dir(DKMS_FOLDER):
        return None
    found = (
        *parse_status(status or b""),
        *(rpms or ()),
        *_iter_dkms(source),
    )
    return tuple(dict.fromkeys(found))[:MAX_PACKAGES]


def parse_status(content: bytes) -> Iterator[DriverPackage]:
    """The driver packages in dpkg's status file.

    Package: libnvidia-compute-550
    Status: install ok installed
    Version: 550.144.03-0ubuntu0.24.04.1
    """
    text = b"\n" + content
    for found in islice(_STANZA.finditer(text), MAX_PACKAGES):
        limit = found.end() + STANZA_LIMIT_BYTES
        end = text.find(b"\n\n", found.end(), limit)
        stanza = text[found.end() : limit if end < 0 else end]
        fields = {
            f[1]: f[2].decode("utf-8", "replace") for f in _FIELD.finditer(stanza)
        }
        state = fields.get(b"Status", "").rpartition(" ")[2]
        if state and state != "not-installed":
            name = found[1].decode("utf-8", "replace")
            version = fields.get(b"Version", "")
            yield DriverPackage(name=name, version=version, manager="dpkg", state=state)


def _iter_dkms(source: Source) -> Iterator[DriverPackage]:
    """/var/lib/dkms/nvidia/550.54.14/6.8.0-45-generic/x86_64, and what is unbuilt."""
    for name in source.list_dir(DKMS_FOLDER):
        if not _DKMS_NAME.fullmatch(name):
            continue
        for version in source.list_dir(f"{DKMS_FOLDER}/{name}")[:20]:
            if version[:1].isdigit():
                yield from _iter_builds(source, name, version)


def _iter_builds(source: Source, name: str, version: str) -> Iterator[DriverPackage]:
    folder = f"{DKMS_FOLDER}/{name}/{version}"
    entries = source.list_dir(folder)
    kernels = [e for e in entries if e[:1].isdigit() and source.is_dir(f"{folder}/{e}")]
    for kernel in kernels[:20]:
        is_installed = _is_installed(source, name, version, kernel)
        state = "installed" if is_installed else "built"
        yield _dkms_package(name, version, state, kernel)
    failed = _DKMS_LOG.search(source.find_text(f"{folder}/build/make.log") or "")
    if failed and failed[1] not in kernels:
        yield _dkms_package(name, version, "failed", failed[1])
    elif not kernels and entries:
        yield _dkms_package(name, version, "added", None)


def _is_installed(source: Source, name: str, version: str, kernel: str) -> bool:
    """By DKMS's link kernel-KERNEL-ARCH, and by the module file where it has none."""
    top = f"{DKMS_FOLDER}/{name}"
    for machine in source.list_dir(f"{top}/{version}/{kernel}"):
        target = source.read_link(f"{top}/kernel-{kernel}-{machine}")
        if target is not None:
            return version in target.split("/")
    return has_module(source, kernel)


def _dkms_package(
    name: str, version: str, state: str, kernel: str | None
) -> DriverPackage:
    return DriverPackage(
        name=name, version=version, manager="dkms", state=state, kernel=kernel
    )


def read_history(source: Source) -> tuple[PackageEvent, ...] | None:
    """The last events about driver packages, oldest first; None without a log."""
    logs = (
        ("/var/log/dpkg.log", parse_dpkg_log),
        ("/var/log/apt/history.log", parse_apt_history),
        ("/var/log/dnf.rpm.log", parse_dnf_log),
    )
    has_log = False
    for path, parse in logs:
        try:
            text = read_tail(source, path, LOG_TAIL_BYTES)
        except (OSError, ValueError):
            continue
        has_log = True
        events = tuple(dict.fromkeys(parse(text)))  # one line for each architecture
        if events:
            return events[-MAX_EVENTS:]
    return () if has_log else None


def parse_dpkg_log(text: str) -> Iterator[PackageEvent]:
    """The events in dpkg.log (sample above)."""
    for line in _iter_lines(text):
        found = _DPKG_LINE.fullmatch(line)
        if found and _NAME.fullmatch(found[3]):
            yield PackageEvent(
                when=found[1],
                action=found[2],
                package=found[3],
                from_version=_version(found[4]),
                to_version=_version(found[5]),
            )


def _version(text: str | None) -> str | None:
    return None if text is None or text == "<none>" else text


def _iter_lines(text: str) -> Iterator[str]:
    """The lines that may be about the driver: cheap, before any pattern."""
    if "nvidia" not in text and "cuda" not in text:
        return
    for line in text.splitlines():
        if len(line) < LINE_LIMIT and ("nvidia" in line or "cuda" in line):
            yield line


def parse_apt_history(text: str) -> Iterator[PackageEvent]:
    """The events in apt's history.log.

    Start-Date: 2022-12-03  06:13:58
    Upgrade: libnvidia-compute-510:amd64 (510.85.02-0ubuntu1, 510.108.03-0ubuntu1), …
    """
    when = ""
    for line in text.splitlines():
        started = _APT_START.match(line)
        if started:
            when = f"{started[1]} {started[2]}"
            continue
        action = _APT_ACTION.match(line)
        if action:
            for found in _APT_PACKAGE.finditer(action[2]):
                if _NAME.fullmatch(found[1]):
                    yield _apt_event(when, action[1].lower(), found)


def _apt_event(when: str, action: str, found: re.Match[str]) -> PackageEvent:
    first, second = found[2], found[3]
    if action in ("install", "reinstall"):
        first, second = None, first
    return PackageEvent(
        when=when,
        action=action,
        package=found[1],
        from_version=first,
        to_version=second,
    )


def parse_dnf_log(text: str) -> Iterator[PackageEvent]:
    """The events in dnf.rpm.log (sample above); `Upgraded` names the old version."""
    for line in _iter_lines(text):
        found = _DNF_LINE.fullmatch(line)
        if found is None or not _NAME.fullmatch(found[3]):
            continue
        action = _DNF_ACTIONS[found[2]]
        is_removal = action == "remove"
        yield PackageEvent(
            when=found[1],
            action=action,
            package=found[3],
            from_version=found[4] if is_removal else None,
            to_version=None if is_removal else found[4],
        )
