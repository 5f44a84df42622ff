"""CUDA toolkits on disk: every tree, and which nvcc is the first on PATH.

Read from files; nvcc is never run. pip wheels need none of them, builds from source do.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import Toolkit
from fwdoctor.probes.native import path_below
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwdoctor.probes.source import Source

HOME_VARIABLES = ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT")
PREFIX_VARIABLE = "CONDA_PREFIX"
# Folders that hold trees, and how a tree's name begins there.
TREE_PLACES = (("/usr/local", "cuda"), ("/opt", "cuda"))
FIXED_TREES = ("/usr/lib/cuda", "/usr/lib/nvidia-cuda-toolkit")
HPC_SDK = "/opt/nvidia/hpc_sdk"
HEADERS = (
    "include/cuda.h",
    "targets/x86_64-linux/include/cuda.h",
    "targets/sbsa-linux/include/cuda.h",
    "targets/aarch64-linux/include/cuda.h",
)
HEADER_LIMIT = 200_000
SCRIPT_LIMIT = 4096
# A tree with the runtime library and no compiler is one too.
RUNTIME_PLACES = ("lib64/libcudart.so", "targets/x86_64-linux/lib/libcudart.so")
_DEFINE = re.compile(r"#define\s+CUDA_VERSION\s+(\d{4,6})")
_WRAPPED = re.compile(r"(/[\w./+-]{1,200})/bin/nvcc\b")
_IN_NAME = re.compile(r"(?:cuda[-_]?|/)v?(\d{1,2}\.\d{1,2}(?:\.\d{1,3})?)$")
_NUMBERS = re.compile(r"\d{1,2}\.\d{1,2}(?:\.\d{1,9})?")


class ToolkitProbe:
    """Facts: tuple[Toolkit, ...], those on PATH first."""

    name = "toolkit"

    def start(self, source: Source) -> Callable[[], tuple[Toolkit, ...]]:
        """Nothing is started; the returned function reads the files."""
        return lambda: find_toolkits(source)


def find_toolkits(source: Source) -> tuple[Toolkit, ...]:
    """Every toolkit tree once, links resolved; the one whose nvcc wins comes first."""
    on_path = [source.resolve(tree) for tree in _iter_path_trees(source)]
    elsewhere = [
        source.resolve(tree)
        for tree in _iter_known_trees(source)
        if _is_tree(source, tree)
    ]
    active = on_path[0] if on_path else None
    return tuple(
        _describe(source, tree, is_active=tree == active)
        for tree in dict.fromkeys([*on_path, *elsewhere])
    )


def _iter_path_trees(source: Source) -> Iterator[str]:
    for folder in source.list_folders("PATH"):
        program = f"{path_below(source, folder)}/nvcc"
        program += ".exe" if source.is_windows else ""
        if source.exists(program):
            yield _tree_of(source, program)


def _tree_of(source: Source, program: str) -> str:
    """The tree of an nvcc, also where that is a script or a link to the real one."""
    real = source.resolve(program)
    try:
        head = source.read_bytes(real, SCRIPT_LIMIT)
    except (OSError, ValueError):
        head = b""
    if head.startswith(b"#!"):
        wrapped = _WRAPPED.search(head.decode("utf-8", "replace"))
        if wrapped and source.exists(f"{wrapped[1]}/bin/nvcc"):
            return wrapped[1]
    return os.path.dirname(os.path.dirname(real)) or "/"


def _iter_known_trees(source: Source) -> Iterator[str]:
    for variable in HOME_VARIABLES:
        home = source.env.get(variable, "")
        if home.startswith("/"):
            yield path_below(source, home) or home
    prefix = source.env.get(PREFIX_VARIABLE, "")
    if prefix.startswith("/") and source.exists(f"{prefix}/bin/nvcc"):
        yield prefix
    for place, start in TREE_PLACES:
        for name in source.list_dir(place):
            if name.startswith(start):
                yield f"{place}/{name}"
    yield from FIXED_TREES
    yield from _iter_hpc_sdk(source)


def _iter_hpc_sdk(source: Source) -> Iterator[str]:
    # /opt/nvidia/hpc_sdk/Linux_x86_64/24.1/cuda/12.3
    for system in source.list_dir(HPC_SDK):
        for release in source.list_dir(f"{HPC_SDK}/{system}"):
            home = f"{HPC_SDK}/{system}/{release}/cuda"
            for name in source.list_dir(home):
                if _NUMBERS.fullmatch(name):
                    yield f"{home}/{name}"


def _is_tree(source: Source, tree: str) -> bool:
    places = ("bin/nvcc", "version.json", "version.txt", *HEADERS, *RUNTIME_PLACES)
    return any(source.exists(f"{tree}/{place}") for place in places)


def _describe(source: Source, tree: str, *, is_active: bool) -> Toolkit:
    full = _full_version(source, tree)
    return Toolkit(
        path=tree,
        version=_parse(full),
        full_version=full,
        is_active=is_active,
        has_nvcc=is_active or source.exists(f"{tree}/bin/nvcc"),
    )


def _full_version(source: Source, tree: str) -> str | None:
    """The version as the tree writes it down, else as its name says."""
    for name, read in (
        ("version.json", _from_json),
        ("version.txt", _from_text),
        *((header, _from_header) for header in HEADERS),
    ):
        try:
            text = source.read_text(f"{tree}/{name}", HEADER_LIMIT)
        except (OSError, ValueError):
            continue
        found = read(text)
        if found:
            return found
    named = _IN_NAME.search(tree)
    return named[1] if named else None


def _from_json(text: str) -> str | None:
    # {"cuda": {"name": "CUDA SDK", "version": "12.4.1"}, …}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    cuda = data.get("cuda") if isinstance(data, dict) else None
    version = cuda.get("version") if isinstance(cuda, dict) else None
    return version if isinstance(version, str) and _parse(version) else None


def _from_text(text: str) -> str | None:
    # CUDA Version 10.2.89
    found = _NUMBERS.search(text)
    return found[0] if found else None


def _from_header(text: str) -> str | None:
    # #define CUDA_VERSION 13000
    found = _DEFINE.search(text)
    return str(CudaVersion.from_code(int(found[1]))) if found else None


def _parse(text: str | None) -> CudaVersion | None:
    try:
        return CudaVersion.parse(text or "")
    except ValueError:
        return None
