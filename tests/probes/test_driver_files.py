"""The driver-files probe as a whole, and the fabric manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import Driver, FabricManager
from fwdoctor.probes import driver_files
from fwdoctor.probes.driver_files import DriverFilesProbe
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource

KERNEL = "6.8.0-45-generic"
UNIT = "/lib/systemd/system/nvidia-fabricmanager.service"
PID_FILE = "/run/nvidia-fabricmanager/nv-fabricmanager.pid"
RUNNING = {"/proc/version": f"Linux version {KERNEL} (b)"}
VERSION_FILE = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build"
)


def test_an_empty_root(make_source: MakeSource) -> None:
    assert DriverFilesProbe().start(make_source())() == Driver()


def test_a_loaded_driver(make_source: MakeSource) -> None:
    module = b"\0version=580.95.05\0license=Dual MIT/GPL\0"
    files: dict[str, str | bytes] = {
        "/proc/sys/kernel/osrelease": f"{KERNEL}\n",
        "/proc/driver/nvidia/version": VERSION_FILE,
        "/proc/modules": "nvidia 5 9 nvidia_uvm, Live 0x0\n",
        f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko": module,
    }
    facts = DriverFilesProbe().start(make_source(files))()
    version = DriverVersion.parse("580.95.05")
    assert facts.kernel_module == version
    assert facts.kernel_module_flavour == "open"
    assert facts.modules_loaded == ("nvidia",)
    assert facts.modules_on_disk == (version,)
    assert (facts.fabric_manager, facts.packages, facts.history) == (None, None, None)


def test_the_version_in_sys_where_proc_has_none(make_source: MakeSource) -> None:
    source = make_source({"/sys/module/nvidia/version": "550.54.14\n"})
    facts = DriverFilesProbe().start(source)()
    assert facts.kernel_module == DriverVersion.parse("550.54.14")


@pytest.mark.parametrize("release", ["../../etc", "a/b", "", "\0"])
def test_a_kernel_release_is_one_folder_name(
    make_source: MakeSource, release: str
) -> None:
    source = make_source({"/proc/sys/kernel/osrelease": release})
    assert DriverFilesProbe().start(source)().modules_on_disk is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({UNIT: ""}, None),
        ({UNIT: "", **RUNNING}, False),
        ({UNIT: "", PID_FILE: "12\n", "/proc/12/comm": "nv-fabricmanage\n"}, True),
        ({UNIT: "", PID_FILE: "12\n", "/proc/12/comm": "bash\n"}, False),
        ({UNIT: "", PID_FILE: "12\n", "/proc/1/comm": "systemd\n"}, False),
        ({UNIT: "", PID_FILE: "12\n", **RUNNING}, None),
        ({UNIT: "", PID_FILE: "garbage", **RUNNING}, False),
        (
            {
                UNIT: "",
                "/sys/fs/cgroup/system.slice/nvidia-fabricmanager.service/x": "",
            },
            True,
        ),
    ],
    ids=[
        "image",
        "stopped",
        "running",
        "stale",
        "gone",
        "hidden",
        "garbage",
        "control group",
    ],
)
def test_fabric_manager_runs(
    make_source: MakeSource, files: dict[str, str], expected: bool | None
) -> None:
    facts = DriverFilesProbe().start(make_source(files))()
    assert facts.fabric_manager == FabricManager(is_installed=True, is_running=expected)


def test_the_version_of_the_fabric_manager(make_source: MakeSource) -> None:
    status = (
        "Package: nvidia-fabricmanager-550\nStatus: install ok installed\n"
        "Version: 550.54.14-1\n"
    )
    source = make_source({"/var/lib/dpkg/status": status, **RUNNING})
    fabric_manager = DriverFilesProbe().start(source)().fabric_manager
    assert fabric_manager is not None
    assert fabric_manager.version == DriverVersion.parse("550.54.14")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550.144.03-0ubuntu0.24.04.1", "550.144.03"),
        ("3:535.54.03-1.el9", "535.54.03"),
        ("580.95-1", "580.95"),
        ("1.2.3.4", None),
        ("", None),
    ],
)
def test_upstream_versions(text: str, expected: str | None) -> None:
    found = driver_files.parse_upstream_version(text)
    assert (str(found) if found else None) == expected


@given(text=st.text())
def test_any_text(text: str) -> None:
    driver_files.parse_upstream_version(text)
    driver_files.parse_pid(text)
    driver_files.is_fabric_command(text)
