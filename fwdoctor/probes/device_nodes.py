"""The device files CUDA opens: there or not, with which mode, and do they open.

Opening is tried in a child, side by side with the other probes, and only for the two
nodes every CUDA program needs.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import DeviceNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fwdoctor.probes.source import Source
    from fwdoctor.process import Child, ChildResult

NEEDED = ("/dev/nvidiactl", "/dev/nvidia-uvm")
OPEN_TIMEOUT_S = 3.0
NO_ANSWER = "ETIMEDOUT"  # the driver did not answer the open call
MAX_NODES = 200
_SCRIPT = Path(__file__).parent / "inside" / "open_nodes.py"
_NVIDIA = re.compile(
    r"nvidia(\d{1,3}|ctl|-uvm|-uvm-tools|-modeset|-nvswitch\w{0,8}|-nvlink)"
)
_CAPABILITIES = re.compile(r"nvidia-cap\d{1,5}")
_TEGRA = re.compile(r"nvmap|nvhost-[\w-]{1,40}")
_OTHERS = ("dxg", "kfd")  # WSL, AMD


class DeviceNodesProbe:
    """Device files of NVIDIA, WSL, Tegra and AMD."""

    name = "device-nodes"

    def __init__(self, timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def start(self, source: Source) -> Callable[[], tuple[DeviceNode, ...]]:
        """Look at the nodes and begin to open those every program needs."""
        nodes = read_nodes(source)
        asked = [path for path in NEEDED if _is_device(source, path)]
        child = _start_opening(source, asked, self._timeout_s)
        return lambda: _finish(nodes, asked, child)


def _start_opening(source: Source, paths: list[str], timeout_s: float) -> Child | None:
    if not paths or not source.is_live_root or not sys.executable:
        return None
    argv = [sys.executable, "-I", "-S", str(_SCRIPT), *paths]
    return source.start(argv, timeout_s=timeout_s)


def _finish(
    nodes: tuple[DeviceNode, ...], asked: list[str], child: Child | None
) -> tuple[DeviceNode, ...]:
    if child is None:
        return nodes
    errors = errors_of(child.finish(), asked)
    return tuple(_with_error(node, errors.get(node.path)) for node in nodes)


def _with_error(node: DeviceNode, error: str | None) -> DeviceNode:
    return node if error is None else dataclasses.replace(node, open_error=error)


def errors_of(result: ChildResult, asked: Iterable[str]) -> Mapping[str, str]:
    """Error names by path; a path without answer at the deadline timed out."""
    answers = parse_answers(result.stdout)
    if result.status == "timeout":
        silent = (path for path in asked if path not in answers)
        answers = {**answers, **dict.fromkeys(list(silent)[:1], NO_ANSWER)}
    return {path: error for path, error in answers.items() if error != "ok"}


def parse_answers(text: str) -> Mapping[str, str]:
    """Read the child's lines, `EPERM /dev/nvidia-uvm`, into error by path."""
    pairs = (line.partition(" ") for line in text.splitlines())
    return {path: error for error, _, path in pairs if error and path}


def read_nodes(source: Source) -> tuple[DeviceNode, ...]:
    """The nodes that are there, and the needed ones an NVIDIA driver should have made.

    A Tegra has its own nodes in place of the needed ones.
    """
    names = source.list_dir("/dev")
    groups = parse_groups(source.find_text("/etc/group") or "")
    paths = list(find_paths(names, source.list_dir("/dev/nvidia-caps")))
    nodes = [_read_node(source, path, groups) for path in paths]
    is_tegra = any(_TEGRA.fullmatch(name) for name in names)
    has_nvidia = any(_NVIDIA.fullmatch(name) for name in names)
    if (has_nvidia or source.is_dir("/proc/driver/nvidia")) and not is_tegra:
        missing = [path for path in NEEDED if path not in paths]
        nodes += [DeviceNode(path=path, exists=False) for path in missing]
    return tuple(nodes)


def find_paths(names: Iterable[str], capabilities: Iterable[str]) -> tuple[str, ...]:
    """The paths to look at among the names in /dev and /dev/nvidia-caps."""
    wanted = [
        f"/dev/{name}"
        for name in names
        if name in _OTHERS or _NVIDIA.fullmatch(name) or _TEGRA.fullmatch(name)
    ]
    caps = [f"/dev/nvidia-caps/{n}" for n in capabilities if _CAPABILITIES.fullmatch(n)]
    return tuple((wanted + caps)[:MAX_NODES])


def parse_groups(text: str) -> Mapping[int, str]:
    """Group names by number, from /etc/group: `video:x:44:alice`.

    The name service is not asked: it may be a directory server that does not answer.
    """
    rows = (line.split(":") for line in text.splitlines())
    return {
        int(row[2]): row[0]
        for row in rows
        if len(row) > 2 and re.fullmatch(r"[0-9]{1,10}", row[2])
    }


def _read_node(source: Source, path: str, groups: Mapping[int, str]) -> DeviceNode:
    try:
        facts = source.stat(path)
    except (OSError, ValueError):
        return DeviceNode(path=path, exists=source.exists(path))
    return DeviceNode(
        path=path,
        exists=True,
        mode=stat.filemode(facts.st_mode),
        group=groups.get(facts.st_gid, str(facts.st_gid)),
        is_accessible=_is_accessible(source, path, facts.st_mode),
    )


def _is_accessible(source: Source, path: str, mode: int) -> bool:
    """Whether we may read and write; in a recorded tree, whether everyone may."""
    if source.is_live_root:
        return os.access(path, os.R_OK | os.W_OK)
    return mode & 0o006 == 0o006


def _is_device(source: Source, path: str) -> bool:
    try:
        return stat.S_ISCHR(source.stat(path).st_mode)
    except (OSError, ValueError):
        return False
