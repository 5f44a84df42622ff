"""Driver packages and their history, from the package managers' files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import DriverPackage, PackageEvent
from fwdoctor.probes import driver_packages

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource

KERNEL = "6.8.0-45-generic"
STATUS = """Package: libnvidia-compute-550
Status: install ok installed
Architecture: amd64
Version: 550.144.03-0ubuntu0.24.04.1
Description: NVIDIA libcompute package
 Version: not this one

Package: libnvidia-compute-550
Status: install ok installed
Architecture: i386
Version: 550.144.03-0ubuntu0.24.04.1

Package: adduser
Status: install ok installed
Version: 3.134

Package: nvidia-dkms-550
Status: install ok half-configured
Version: 550.144.03-0ubuntu0.24.04.1

Package: nvidia-driver-535
Status: deinstall ok config-files
Version: 535.183.01-0ubuntu0.24.04.1

Package: nvidia-driver-470
Status: purge ok not-installed

Package: nvidia-settings
Status: install ok installed
Version: 510.47.03-0ubuntu4
"""
DPKG_LOG = """2022-05-19 06:04:28 startup archives unpack
2022-05-19 06:04:29 upgrade nvidia-driver-510:amd64 510.60.02-0u1 510.73.05-0u1
2022-05-19 06:04:29 status half-configured nvidia-driver-510:amd64 510.60.02-0ubuntu1
2022-05-19 06:04:30 upgrade libnvidia-compute-510:amd64 510.60.02-1 510.73.05-1
2022-05-19 06:04:30 upgrade libnvidia-compute-510:i386 510.60.02-1 510.73.05-1
2022-05-19 06:05:00 install cuda-drivers:amd64 <none> 510.73.05-1
2022-05-19 06:05:01 install ninja-build:amd64 <none> 1.11.1-2
2022-05-19 06:06:00 remove nvidia-dkms-510:amd64 510.73.05-1 <none>
"""
APT_LOG = """
Start-Date: 2022-12-03  06:13:58
Commandline: /usr/bin/unattended-upgrade
Install: nvidia-driver-510:amd64 (510.108.03-1, automatic), zstd:amd64 (1.5.4-5)
Upgrade: libnvidia-compute-510:amd64 (510.85.02-1, 510.108.03-1), zlib1g:amd64 (1, 2)
Remove: nvidia-dkms-510:amd64 (510.85.02-1)
End-Date: 2022-12-03  06:15:00
"""
DNF_LOG = """\
2024-05-01T10:00:00+0000 SUBDEBUG Upgrade: nvidia-driver-cuda-3:550.54.15-1.el9.x86_64
2024-05-01T10:00:01+0000 SUBDEBUG Upgraded: nvidia-driver-cuda-3:535.54.03-1.el9.x86_64
2024-05-01T10:00:02+0000 SUBDEBUG Installed: bash-5.1.8-9.el9.x86_64
2024-05-01T10:00:03+0000 SUBDEBUG Erase: nvidia-settings-3:535.1-1.el9.x86_64
2024-05-01T10:00:04+0000 SUBDEBUG Erase: cuda-drivers-535.54.03-1.x86_64
"""


def _package(version: str, state: str, kernel: str | None) -> DriverPackage:
    return DriverPackage(
        name="nvidia", version=version, manager="dkms", state=state, kernel=kernel
    )


def test_dpkg_packages(make_source: MakeSource) -> None:
    source = make_source({driver_packages.STATUS_FILE: STATUS})
    packages = driver_packages.read_packages(source)
    assert packages is not None
    version = "550.144.03-0ubuntu0.24.04.1"
    assert [(p.name, p.version, p.state) for p in packages] == [
        ("libnvidia-compute-550", version, "installed"),
        ("nvidia-dkms-550", version, "half-configured"),
        ("nvidia-driver-535", "535.183.01-0ubuntu0.24.04.1", "config-files"),
    ]


def test_no_package_manager(make_source: MakeSource) -> None:
    assert driver_packages.read_packages(make_source()) is None
    assert driver_packages.read_history(make_source()) is None


def test_dkms_states(make_source: MakeSource) -> None:
    top = "/var/lib/dkms/nvidia"
    log = f"DKMS make.log for nvidia-580.95.05 for kernel {KERNEL} (x86_64)\n"
    files = {
        f"{top}/535.1/source/dkms.conf": "",
        f"{top}/550.54.14/{KERNEL}/x86_64/module/nvidia.ko": "",
        f"{top}/550.54.14/6.8.0-40-generic/x86_64/module/nvidia.ko": "",
        f"{top}/kernel-{KERNEL}-x86_64": f"-> 550.54.14/{KERNEL}/x86_64",
        f"{top}/580.95.05/build/make.log": log,
        "/var/lib/dkms/zfs/2.1/source/dkms.conf": "",
    }
    assert driver_packages.read_packages(make_source(files)) == (
        _package("535.1", "added", None),
        _package("550.54.14", "built", "6.8.0-40-generic"),
        _package("550.54.14", "installed", KERNEL),
        _package("580.95.05", "failed", KERNEL),
    )


def test_dkms_built_for_two_versions_installs_one(make_source: MakeSource) -> None:
    top = "/var/lib/dkms/nvidia"
    files = {
        f"{top}/535.1/{KERNEL}/x86_64/module/nvidia.ko": "",
        f"{top}/550.54.14/{KERNEL}/x86_64/module/nvidia.ko": "",
        f"{top}/kernel-{KERNEL}-x86_64": f"-> 550.54.14/{KERNEL}/x86_64",
        f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko.zst": "",
    }
    assert driver_packages.read_packages(make_source(files)) == (
        _package("535.1", "built", KERNEL),
        _package("550.54.14", "installed", KERNEL),
    )


def test_dpkg_history(make_source: MakeSource) -> None:
    events = driver_packages.read_history(make_source({"/var/log/dpkg.log": DPKG_LOG}))
    assert events is not None
    assert [(e.action, e.package, e.from_version, e.to_version) for e in events] == [
        ("upgrade", "nvidia-driver-510", "510.60.02-0u1", "510.73.05-0u1"),
        ("upgrade", "libnvidia-compute-510", "510.60.02-1", "510.73.05-1"),
        ("install", "cuda-drivers", None, "510.73.05-1"),
        ("remove", "nvidia-dkms-510", "510.73.05-1", None),
    ]
    assert events[0].when == "2022-05-19 06:04:29"


def test_apt_history_where_dpkg_kept_none(make_source: MakeSource) -> None:
    files = {"/var/log/dpkg.log": "", "/var/log/apt/history.log": APT_LOG}
    events = driver_packages.read_history(make_source(files))
    assert events is not None
    assert [(e.action, e.package, e.from_version, e.to_version) for e in events] == [
        ("install", "nvidia-driver-510", None, "510.108.03-1"),
        ("upgrade", "libnvidia-compute-510", "510.85.02-1", "510.108.03-1"),
        ("remove", "nvidia-dkms-510", "510.85.02-1", None),
    ]
    assert {event.when for event in events} == {"2022-12-03 06:13:58"}


def test_dnf_history(make_source: MakeSource) -> None:
    events = driver_packages.read_history(
        make_source({"/var/log/dnf.rpm.log": DNF_LOG})
    )
    assert events == (
        PackageEvent(
            when="2024-05-01T10:00:00+0000",
            action="upgrade",
            package="nvidia-driver-cuda",
            to_version="550.54.15-1.el9.x86_64",
        ),
        PackageEvent(
            when="2024-05-01T10:00:04+0000",
            action="remove",
            package="cuda-drivers",
            from_version="535.54.03-1.x86_64",
        ),
    )


def test_a_log_without_driver_events(make_source: MakeSource) -> None:
    source = make_source({"/var/log/dpkg.log": "2022-05-19 06:04:28 startup\n"})
    assert driver_packages.read_history(source) == ()


def test_the_last_events_are_kept(make_source: MakeSource) -> None:
    line = "2022-05-19 06:04:{:02d} install cuda-drivers:amd64 <none> 510.{}-1\n"
    text = "".join(line.format(n, n) for n in range(40))
    events = driver_packages.read_history(make_source({"/var/log/dpkg.log": text}))
    assert events is not None
    assert len(events) == driver_packages.MAX_EVENTS
    assert events[-1].to_version == "510.39-1"


@pytest.mark.parametrize("text", ["", "Package: nvidia-driver-550\n", "\0" * 50])
def test_odd_status_files(make_source: MakeSource, text: str) -> None:
    source = make_source({driver_packages.STATUS_FILE: text})
    assert driver_packages.read_packages(source) == ()


@given(text=st.text(), content=st.binary())
def test_any_text(text: str, content: bytes) -> None:
    nearly = f"nvidia {text}\nUpgrade: nvidia-driver-1:a ({text}"
    for each in (text, nearly):
        list(driver_packages.parse_dpkg_log(each))
        list(driver_packages.parse_apt_history(each))
        list(driver_packages.parse_dnf_log(each))
    list(driver_packages.parse_status(content))
    list(driver_packages.parse_status(b"Package: nvidia-driver-1\n" + content))
