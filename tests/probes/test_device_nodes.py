"""Device files: small /dev trees, and real device files opened in a real child."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes import device_nodes
from fwdoctor.probes.device_nodes import DeviceNodesProbe
from fwdoctor.process import ChildResult, run_child

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.conftest import MakeSource

UVM = "/dev/nvidia-uvm"
CTL = "/dev/nvidiactl"
NO_DEVICE_MAJOR = 195  # NVIDIA's; no driver answers to it on a machine without one


def _paths(make_source: MakeSource, names: list[str]) -> list[tuple[str, bool]]:
    source = make_source({f"/dev/{name}": "" for name in names})
    return [(node.path, node.exists) for node in DeviceNodesProbe().start(source)()]


def test_all_kinds_of_nodes(make_source: MakeSource) -> None:
    names = ["nvidia0", "nvidia10", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"]
    names += ["nvidia-modeset", "nvidia-caps/nvidia-cap1", "kfd"]
    others = ["null", "nvidia-caps-imex-channels/x", "nvidiaX", "nvidia-caps/x"]
    found = _paths(make_source, names + others)
    assert sorted(found) == sorted((f"/dev/{name}", True) for name in names)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["nvidia0", "nvidiactl"], [UVM]),
        (["nvidia0"], [CTL, UVM]),
        (["nvidia0", "nvidiactl", "nvidia-uvm"], []),
        (["dxg"], []),
        (["kfd"], []),
        (["nvidiactl", "nvmap", "nvhost-gpu"], []),
        (["null"], []),
    ],
)
def test_missing_nodes(
    make_source: MakeSource, names: list[str], missing: list[str]
) -> None:
    found = _paths(make_source, names)
    assert [path for path, exists in found if not exists] == missing


def test_a_loaded_driver_without_nodes(make_source: MakeSource) -> None:
    source = make_source({"/proc/driver/nvidia/version": "NVRM version: x\n"})
    nodes = DeviceNodesProbe().start(source)()
    assert [(node.path, node.exists) for node in nodes] == [(CTL, False), (UVM, False)]


def test_nothing_there(make_source: MakeSource) -> None:
    assert DeviceNodesProbe().start(make_source())() == ()


@pytest.mark.parametrize(("mode", "accessible"), [(0o666, True), (0o660, False)])
def test_mode_and_group(make_source: MakeSource, mode: int, accessible: bool) -> None:
    source = make_source({CTL: "", UVM: ""})
    os.chmod(source.root + CTL, mode)
    group = os.stat(source.root + CTL).st_gid
    make_source({"/etc/group": f"broken\nvideo:x:{group}:alice\n"})
    node = DeviceNodesProbe().start(source)()[1]
    assert node.path == CTL
    assert node.mode == stat.filemode(stat.S_IFREG | mode)
    assert node.group == "video"
    assert node.is_accessible is accessible
    assert node.open_error is None


def _open(*paths: str | Path) -> ChildResult:
    argv = [sys.executable, "-I", "-S", str(device_nodes._SCRIPT), *map(str, paths)]
    return run_child(argv, timeout_s=20.0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs device files")
def test_the_child_opens_and_names_errors(tmp_path: Path) -> None:
    missing = tmp_path / "missing node"
    result = _open("/dev/null", missing)
    asked = ["/dev/null", str(missing)]
    assert device_nodes.errors_of(result, asked) == {str(missing): "ENOENT"}


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="makes device files as root"
)
def test_a_node_without_driver(tmp_path: Path) -> None:
    node = tmp_path / "nvidiactl"
    os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(NO_DEVICE_MAJOR, 255))
    errors = device_nodes.errors_of(_open(node), [str(node)])
    assert errors[str(node)] in ("ENXIO", "ENODEV", "EPERM", "EACCES")


def test_a_hang_is_blamed_on_the_first_silent_node() -> None:
    late = ChildResult(status="timeout", stdout=f"ok {CTL}\n")
    assert device_nodes.errors_of(late, [CTL, UVM]) == {UVM: "ETIMEDOUT"}
    mute = ChildResult(status="timeout")
    assert device_nodes.errors_of(mute, [CTL, UVM]) == {CTL: "ETIMEDOUT"}


@given(text=st.text(), names=st.lists(st.text()))
def test_any_text(text: str, names: list[str]) -> None:
    device_nodes.parse_answers(text)
    device_nodes.parse_groups(text)
    device_nodes.find_paths(names, names)
