"""Where the loader would find each NVIDIA library of PyTorch and TensorFlow.

`link_map.py` plays the search; here stands what each framework opens, in its order, and
which copy it was installed with.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import ResolvedLibrary
from fwdoctor.probes.link_map import LinkMap, Request
from fwdoctor.probes.tensorflow_dlopen import find_sonames
from fwdoctor.probes.torch_preload import Preload, find_preloaded, parse_preload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fwdoctor.model.snapshot import Framework
    from fwdoctor.probes.file_clashes import Records
    from fwdoctor.probes.interpreter import Interpreter
    from fwdoctor.probes.source import Source

_NVIDIA = re.compile(
    r"lib(cudart|cublas(Lt)?|cudnn\w*|cufftw?|cufile\w*|cupti|curand|cusolver(Mg)?"
    r"|cusparse(Lt)?|cudss\w*|nccl|nvJitLink|nvrtc[\w-]*|nvToolsExt|nvtx\w*|nvshmem\w*"
    r"|nvinfer\w*|nvblas|npp\w*)(-[0-9a-f]{8})?\.so[\d.]*"
)
_OWN = re.compile(r"lib(torch|c10|caffe2|shm|tensorflow)\w*\.so[\d.]*")
_VERSIONED = re.compile(r"\.so\.(\d+\.\d+(?:\.\d+)*)$")
_CUDNN_PART = re.compile(rb"libcudnn_\w+\.so(?=[\0.])")
_SMALL_LIBRARY_BYTES = 1_000_000
# Opened by libtorch_cuda when first used, after import.
_TORCH_LATE = ("libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so")


def resolve_framework(
    source: Source,
    interpreter: Interpreter,
    framework: Framework,
    site_packages: Sequence[str],
    records: Records,
) -> tuple[ResolvedLibrary, ...] | None:
    """Every NVIDIA soname the framework asks for and where it would come from.

    A library of the framework itself is listed when it is missing or damaged. The
    answer is None for a build without CUDA, or one whose loading cannot be followed.
    """
    if framework.kind != "cuda" or framework.path is None:
        return None
    link_map = LinkMap(source=source, is_followed=_is_followed)
    link_map.start(interpreter.python)
    if posixpath.basename(framework.path) == "torch":
        requests = _load_torch(link_map, framework, site_packages)
    else:
        requests = _load_tensorflow(link_map, framework.path, interpreter.prefix)
    if requests is None:
        return None
    intended = _Intended(source, framework, site_packages, interpreter.prefix)
    major = framework.cuda.major if framework.cuda else None
    return tuple(
        _resolved(request, intended, records, major)
        for request in _first_of_each(requests)
    )


def _is_followed(soname: str) -> bool:
    return bool(_NVIDIA.fullmatch(soname) or _OWN.fullmatch(soname))


def _first_of_each(requests: Iterable[Request]) -> Iterator[Request]:
    """One request a soname: a failed one if there is any, else the first.

    Of the framework's own libraries only those that do not load.
    """
    chosen: dict[str, Request] = {}
    for request in requests:
        if request.found is not None and not _NVIDIA.fullmatch(request.soname):
            continue
        known = chosen.setdefault(request.soname, request)
        if known.found is not None and request.found is None:
            chosen[request.soname] = request
    yield from chosen.values()


def _load_torch(
    link_map: LinkMap, framework: Framework, site_packages: Sequence[str]
) -> list[Request] | None:
    """What `import torch` does: global dependencies, preloading, then torch._C."""
    folder = framework.path or ""
    source = link_map.source
    text = source.find_text(f"{folder}/__init__.py") or ""
    preload = parse_preload(text)
    major = framework.cuda.major if framework.cuda else None
    has_folder = preload.looks_in_cuda_folder and major is not None
    _preload_torch(
        link_map, preload, folder, site_packages, f"cu{major}" if has_folder else None
    )
    extension = _find_extension(source, folder)
    if extension is None:
        return None
    _, requests = link_map.open_path(extension, via="import")
    found = list(requests)
    cuda = link_map.loaded.get("libtorch_cuda.so")
    for name in _TORCH_LATE:
        if cuda and source.exists(f"{posixpath.dirname(cuda.path)}/{name}"):
            found.extend(link_map.open_name(name, cuda)[1])
    found.extend(_load_cudnn_parts(link_map))
    return found


def _preload_torch(
    link_map: LinkMap,
    preload: Preload,
    folder: str,
    site_packages: Sequence[str],
    cuda_folder: str | None,
) -> None:
    path = f"{folder}/lib/libtorch_global_deps.so"
    opened, _ = link_map.open_path(path, via="preload")
    has_runtime = any(name.startswith("libcudart.so") for name in link_map.loaded)
    pairs = preload.always if opened is not None and has_runtime else ()
    if opened is None:
        pairs = preload.on_failure
    for pair in pairs:
        path = find_preloaded(link_map.source, site_packages, pair, cuda_folder) or ""
        loaded = link_map.open_path(path, via="preload")[0] if path else None
        if loaded is None and (path or preload.stops_at_missing):
            return


def _find_extension(source: Source, folder: str) -> str | None:
    """The module torch._C, or the library it is a thin shell of."""
    for name in source.list_dir(folder):
        if name.startswith("_C.") and name.endswith(".so"):
            return f"{folder}/{name}"
    path = f"{folder}/lib/libtorch_python.so"
    return path if source.exists(path) else None


def _load_tensorflow(
    link_map: LinkMap, folder: str, prefix: str
) -> list[Request] | None:
    """What TensorFlow's GPU check does: open one library after the other."""
    framework = _find_framework_library(link_map.source, folder, prefix)
    if framework is None:
        return None
    opened, requests = link_map.open_path(framework, via="import")
    found = list(requests)
    if opened is None:
        return found or None
    for soname in find_sonames(link_map.source, folder):
        found.extend(link_map.open_name(soname, opened)[1])
    found.extend(_load_cudnn_parts(link_map))
    return found


def _find_framework_library(source: Source, folder: str, prefix: str) -> str | None:
    for place in (folder, f"{prefix}/lib"):
        for name in source.list_dir(place):
            if name.startswith("libtensorflow_framework.so"):
                return f"{place}/{name}"
    return None


def _load_cudnn_parts(link_map: LinkMap) -> list[Request]:
    """The sub-libraries that libcudnn opens by itself, wherever it came from."""
    found: list[Request] = []
    for soname, cudnn in sorted(link_map.loaded.items()):
        if not soname.startswith("libcudnn.so."):
            continue
        number = soname.removeprefix("libcudnn.so.")
        beside = _list_cudnn_parts(link_map.source, cudnn.path, number)
        own = _mentioned_parts(link_map.source, cudnn.path, number)
        for part in sorted(own & beside) or sorted(beside):
            found.extend(link_map.open_name(part, cudnn)[1])
        # Since cuDNN 9 the engines are opened by libcudnn_graph.
        graph = link_map.loaded.get(f"libcudnn_graph.so.{number}")
        for part in sorted(beside - own) if own and graph else ():
            found.extend(link_map.open_name(part, graph or cudnn)[1])
    return found


def _list_cudnn_parts(source: Source, path: str, number: str) -> frozenset[str]:
    """Names of the parts that lie beside the library."""
    names = source.list_dir(posixpath.dirname(path))
    return frozenset(
        name
        for name in names
        if name.startswith("libcudnn_") and name.endswith(f".so.{number}")
    )


def _mentioned_parts(source: Source, path: str, number: str) -> frozenset[str]:
    """Names of the parts that the library's own text mentions."""
    try:
        text = source.read_bytes(path, _SMALL_LIBRARY_BYTES)
    except (OSError, ValueError):
        return frozenset()
    return frozenset(f"{m.decode()}.{number}" for m in _CUDNN_PART.findall(text))


class _Intended:
    """Finds the copy of a library that was installed for the framework."""

    def __init__(
        self,
        source: Source,
        framework: Framework,
        site_packages: Sequence[str],
        prefix: str,
    ) -> None:
        self._folders: dict[str, frozenset[str]] = {}
        major = framework.cuda.major if framework.cuda else None
        for folder in _intended_folders(
            source, framework.path or "", site_packages, major
        ):
            self._folders[folder] = frozenset(source.list_dir(folder))
        if source.is_dir(f"{prefix}/conda-meta"):
            lib = f"{prefix}/lib"
            self._folders[lib] = frozenset(source.list_dir(lib))

    def find(self, soname: str) -> str | None:
        for folder, names in self._folders.items():
            if soname in names:
                return f"{folder}/{soname}"
        return None


def _intended_folders(
    source: Source, path: str, site_packages: Sequence[str], major: int | None
) -> Iterator[str]:
    """The framework's own lib folder, then NVIDIA's wheels, its CUDA major first."""
    yield f"{path}/lib"
    own = posixpath.dirname(path)
    for site in (own, *(s for s in site_packages if s != own)):
        names = source.list_dir(f"{site}/nvidia")
        for name in sorted(names, key=lambda n: (n != f"cu{major}", n[:2] == "cu", n)):
            is_other_major = bool(re.fullmatch(r"cu\d+", name)) and name != f"cu{major}"
            if not is_other_major:
                yield f"{site}/nvidia/{name}/lib"


def _resolved(
    request: Request, intended: _Intended, records: Records, major: int | None
) -> ResolvedLibrary:
    found = request.found
    wanted = intended.find(request.soname)
    claim = records.find_claim(wanted, major) if wanted else None
    wanted_version = claim.version if claim else None
    return ResolvedLibrary(
        soname=request.soname,
        needed_by=request.needed_by,
        path=found.path if found else None,
        via=found.via if found else request.failure,
        intended=wanted,
        version=_version_at(found.path, records) if found else None,
        intended_version=wanted_version or _version_at(wanted, records),
    )


def _version_at(path: str | None, records: Records) -> str | None:
    """Version by the wheel that owns the file, or by the name of the file itself."""
    owner = records.find_owner(path) if path else None
    if owner is not None or path is None:
        return owner.version if owner else None
    try:
        match = _VERSIONED.search(records.source.resolve(path))
    except (OSError, ValueError):
        return None
    return match[1] if match else None
