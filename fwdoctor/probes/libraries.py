"""Copies of NVIDIA's libraries outside the Python environments.

Which cuDNN, cuBLAS, NCCL, TensorRT … the system, a toolkit or LD_LIBRARY_PATH brings,
of which version, from which package, and whether the loader comes across it. What a
framework really takes is another probe's question.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fwdoctor.model.snapshot import Library
from fwdoctor.probes.ld_cache import loader_folders, read_ld_cache
from fwdoctor.probes.libcuda import kind_of
from fwdoctor.probes.native import path_below
from fwdoctor.probes.toolkit import HOME_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fwdoctor.probes.source import Source

FAMILIES: Final = {
    "libcudnn": "cudnn",
    "libcublas": "cublas",
    "libcudart": "cudart",
    "libcufft": "cufft",
    "libcusolver": "cusolver",
    "libnccl": "nccl",
    "libnvJitLink": "nvjitlink",
    "libnvinfer": "tensorrt",
}
STARTS = ("libcu", "libn")  # of all of them: folders hold thousands of names
COMPAT = "cuda-compat"
MAX_SEARCH_FOLDERS = 100
TOOLKIT_FOLDERS = (
    "lib64",
    "lib",
    "targets/x86_64-linux/lib",
    "targets/sbsa-linux/lib",
    "targets/aarch64-linux/lib",
    "compat",
)
DPKG_LISTS = "/var/lib/dpkg/info"
DPKG_PACKAGES = (
    *("libcudnn", "libcublas", "libcufft", "libcusolver", "libnccl", "libnvinfer"),
    *("libnvjitlink", "libcudart", "cuda-cudart", "cuda-compat"),
)
_FILE = re.compile(r"(lib[A-Za-z]{1,20})\.so((?:\.\d{1,6}){1,5})")
_DEFINE = r"#define\s+{}\s+(\d{{1,6}})\b"
# Where a library whose file name tells only the major writes down the rest.
_HEADERS: Final = {
    "cudnn": (
        ("cudnn_version.h", "cudnn.h"),
        ("CUDNN_MAJOR", "CUDNN_MINOR", "CUDNN_PATCHLEVEL"),
    ),
    "nccl": (("nccl.h",), ("NCCL_MAJOR", "NCCL_MINOR", "NCCL_PATCH")),
    "tensorrt": (
        ("NvInferVersion.h",),
        ("NV_TENSORRT_MAJOR", "NV_TENSORRT_MINOR", "NV_TENSORRT_PATCH"),
    ),
}


class LibrariesProbe:
    """Facts: tuple[Library, ...], in the order the loader would meet them."""

    name = "libraries"

    def start(self, source: Source) -> Callable[[], tuple[Library, ...]]:
        """Nothing is started; the returned function reads the files."""
        return lambda: find_libraries(source)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that counts: its family, and the name by which it is asked for."""

    family: str
    path: str  # links resolved
    soname: str
    found_via: str
    is_on_loader_path: bool


def find_libraries(source: Source) -> tuple[Library, ...]:
    """Every copy once, under the first way it was found."""
    found: dict[str, _Found] = {}
    for copy in _iter_copies(source):
        found.setdefault(copy.path, copy)
    owners = _read_dpkg_owners(source) if found else {}
    return tuple(_describe(source, copy, owners) for copy in found.values())


def _iter_copies(source: Source) -> Iterator[_Found]:
    for folder in list(_search_folders(source))[:MAX_SEARCH_FOLDERS]:
        yield from _scan(source, folder, "LD_LIBRARY_PATH", is_on_loader_path=True)
    for soname, paths in read_ld_cache(source).items():
        for path in paths:
            family = _family_of(path, soname)
            if family and source.exists(path):
                real = source.resolve(path)
                yield _Found(family, real, soname, "ld.so.cache", True)
    for folder in dict.fromkeys(map(source.resolve, loader_folders(source))):
        yield from _scan(source, folder, "ld.so.conf", is_on_loader_path=True)
    for tree, via in _iter_toolkits(source):
        for part in TOOLKIT_FOLDERS:
            folder = f"{tree}/{part}"
            yield from _scan(source, folder, via, is_on_loader_path=False)


def _search_folders(source: Source) -> Iterator[str]:
    for folder in source.env.get("LD_LIBRARY_PATH", "").split(":"):
        if folder.startswith("/"):
            yield (path_below(source, folder) or folder).rstrip("/")


def _iter_toolkits(source: Source) -> Iterator[tuple[str, str]]:
    for variable in HOME_VARIABLES:
        home = source.env.get(variable, "")
        if home.startswith("/"):
            yield (path_below(source, home) or home).rstrip("/"), variable
    for name in source.list_dir("/usr/local"):
        if name.startswith("cuda"):
            yield f"/usr/local/{name}", "toolkit"


def _scan(
    source: Source, folder: str, via: str, *, is_on_loader_path: bool
) -> Iterator[_Found]:
    """The libraries of one folder, each real file once under its shortest name."""
    names = [
        name
        for name in source.list_dir(folder)
        if name.startswith(STARTS) and _family_of(f"{folder}/{name}", name)
    ]
    for name in sorted(names, key=len):
        path = f"{folder}/{name}"
        if source.exists(path):
            family = _family_of(path, name) or ""
            real = source.resolve(path)
            yield _Found(family, real, name, via, is_on_loader_path)


def _family_of(path: str, name: str) -> str | None:
    found = _FILE.fullmatch(name)
    if not found:
        return None
    if found[1] == "libcuda":
        return COMPAT if kind_of(path, None, None) == "compat" else None
    return FAMILIES.get(found[1])


def _describe(source: Source, copy: _Found, owners: Mapping[str, str]) -> Library:
    return Library(
        name=copy.family,
        path=copy.path,
        soname=copy.soname,
        version=_version(source, copy),
        origin=_origin(source, copy.path, owners),
        is_on_loader_path=copy.is_on_loader_path,
        found_via=copy.found_via,
    )


def _version(source: Source, copy: _Found) -> str | None:
    """The version in the real file's name, in a header of its tree, of the soname."""
    known = [_digits(os.path.basename(copy.path)), _digits(copy.soname)]
    longest = max(filter(None, known), key=lambda text: text.count("."), default=None)
    if longest is not None and "." in longest:
        return longest
    return _header_version(source, copy) or longest


def _digits(name: str) -> str | None:
    found = _FILE.fullmatch(name)
    return found[2].lstrip(".") if found else None


def _header_version(source: Source, copy: _Found) -> str | None:
    names, macros = _HEADERS.get(copy.family, ((), ()))
    folder = os.path.dirname(copy.path)
    above = os.path.dirname(folder)
    top = os.path.dirname(above)
    places = (
        f"{above}/include",
        f"{top}/include",
        f"{top}/include/{os.path.basename(folder)}",
    )
    for place in places:
        for name in names:
            found = _read_macros(source.find_text(f"{place}/{name}") or "", macros)
            if found and found.startswith(f"{_digits(copy.soname)}."):
                return found
    return None


def _read_macros(text: str, macros: Iterable[str]) -> str | None:
    numbers = [re.search(_DEFINE.format(macro), text) for macro in macros]
    known = [number[1] for number in numbers if number]
    return ".".join(known) if len(known) == len(numbers) else None


def _origin(source: Source, path: str, owners: Mapping[str, str]) -> str:
    """Who brought the file: a package, a wheel, conda, a toolkit tree, or unknown."""
    if path in owners:
        return f"dpkg {owners[path]}"
    if "/site-packages/" in path or "/dist-packages/" in path:
        return "pip"
    prefix = os.path.dirname(os.path.dirname(path))
    if source.is_dir(f"{prefix}/conda-meta"):
        return "conda"
    return "toolkit" if "/cuda" in path or "/hpc_sdk/" in path else "unknown"


def _read_dpkg_owners(source: Source) -> dict[str, str]:
    """Library file → package, of the packages that bring such libraries."""
    owners: dict[str, str] = {}
    for name in source.list_dir(DPKG_LISTS):
        if not name.startswith(DPKG_PACKAGES) or not name.endswith(".list"):
            continue
        package = name.removesuffix(".list").partition(":")[0]
        for path in (source.find_text(f"{DPKG_LISTS}/{name}") or "").splitlines():
            if _FILE.fullmatch(os.path.basename(path)) and "\0" not in path:
                owners[source.resolve(path)] = package
    return owners
