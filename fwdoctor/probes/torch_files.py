"""An installed PyTorch, read from its files: version.py, METADATA, libtorch_python."""

from __future__ import annotations

import mmap
import posixpath
import re
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import Framework
from fwdoctor.probes.elf import find_section, open_object
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwdoctor.model.snapshot import Package
    from fwdoctor.probes.source import Source

Origin = Literal["pypi", "pytorch-index", "conda-forge", "pytorch", "defaults", "other"]
VERSION_BYTES = 65_536
_ASSIGNMENT = re.compile(
    r"^(__version__|cuda|hip|rocm|xpu)\s*(?::[^=\n]*)?=\s*['\"]([^'\"\n]{1,80})['\"]",
    re.MULTILINE,
)
_WHEEL_LABEL = re.compile(r"cu\d{2,3}|cpu|rocm[\d.]+|xpu|cpu-cxx11-abi|cxx11-abi")
_ARCH_FLAGS = re.compile(rb"(?:(?:sm|compute)_\d{2,3}[af]?[ ;]?)+")
_CUDNN_PIN = re.compile(r"(?:nvidia-cudnn(?:-cu\d+)?|cudnn)\b[^\d;]*(\d+(?:\.\d+)*)")
_CONDA_NAMES = ("pytorch", "libtorch", "pytorch-gpu", "pytorch-cpu")


def read_torch(
    source: Source,
    site_packages: Sequence[str],
    packages: Sequence[Package],
    *,
    is_light: bool = False,
) -> Framework | None:
    """The PyTorch that `import torch` would take, or None when none is installed.

    `is_light` leaves the libraries unopened: no compute capabilities.
    """
    folder = _find_folder(source, site_packages)
    if folder is None and _find_package(packages, None, "") is None:
        return None
    values, problem = _read_version(source, folder)
    package = _find_package(packages, folder, values.get("__version__", ""))
    text = values.get("__version__") or (package.version if package else "")
    version, _, label = text.partition("+")
    conda = next((p for p in packages if p.name == "pytorch"), None)
    sass, ptx = (None, None) if is_light else _read_arch_flags(source, folder)
    return Framework(
        version=version or None,
        package="torch" if package is None else package.name,
        local_label=label or None,
        kind=_kind_of(values, label, problem),
        cuda=_parse_cuda(values.get("cuda")),
        cuda_text=values.get("cuda"),
        cudnn=_find_cudnn(package, conda),
        compute_capabilities=sass,
        ptx=ptx,
        source=_origin_of(package, conda),
        build_string=conda.build_string if conda else None,
        path=folder,
        problem=problem,
    )


def _find_folder(source: Source, site_packages: Sequence[str]) -> str | None:
    for folder in site_packages:
        if source.exists(f"{folder}/torch/version.py"):
            return f"{folder}/torch"
    for folder in site_packages:
        if source.exists(f"{folder}/torch/__init__.py"):
            return f"{folder}/torch"
    closed = (f"{folder}/torch" for folder in site_packages)
    return next(filter(source.is_closed, closed), None)


def _find_package(
    packages: Sequence[Package], folder: str | None, version: str
) -> Package | None:
    """The distribution of that version beside the folder, else any of that name."""
    named = [p for p in packages if p.name == "torch"]
    site = posixpath.dirname(folder) if folder else None
    beside = [p for p in named if p.location == site]
    public = version.partition("+")[0]
    fitting = [p for p in beside if p.version.partition("+")[0] == public]
    conda = [p for p in packages if p.name in _CONDA_NAMES]
    return next(iter(fitting + beside + named + conda), None)


def _read_version(
    source: Source, folder: str | None
) -> tuple[dict[str, str], str | None]:
    """Assignments of version.py, and what kept it from being read."""
    if folder is None:
        return {}, "torch is listed as installed but its folder is missing"
    try:
        text = source.read_text(f"{folder}/version.py", VERSION_BYTES)
    except (OSError, ValueError) as error:
        return {}, f"torch/version.py: {_reason(error)}"
    values = parse_version_file(text)
    if "__version__" not in values:
        return values, "torch/version.py: no version found in it"
    return values, None


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def parse_version_file(text: str) -> dict[str, str]:
    """Texts assigned in torch/version.py; a name set to None is left out."""
    return dict(_ASSIGNMENT.findall(text))


def _kind_of(
    values: Mapping[str, str], label: str, problem: str | None
) -> Literal["cuda", "cpu", "rocm", "xpu", "unknown"]:
    if "cuda" in values or label.startswith("cu1"):
        return "cuda"
    if "hip" in values or "rocm" in values or label.startswith("rocm"):
        return "rocm"
    if "xpu" in values or label.startswith("xpu"):
        return "xpu"
    return "unknown" if problem and not label.startswith("cpu") else "cpu"


def _parse_cuda(text: str | None) -> CudaVersion | None:
    try:
        return CudaVersion.parse(text) if text else None
    except ValueError:
        return None


def _find_cudnn(package: Package | None, conda: Package | None) -> str | None:
    """The pinned cuDNN of the wheel's or conda package's requirements."""
    lines = [*(package.requires if package else ()), *(conda.requires if conda else ())]
    for line in lines:
        match = _CUDNN_PIN.match(line)
        if match:
            return match[1]
    return None


def _origin_of(package: Package | None, conda: Package | None) -> Origin | None:
    if conda is not None:
        return conda_origin(conda.channel)
    if package is None:
        return None
    if package.direct_url and "download.pytorch.org" in package.direct_url:
        return "pytorch-index"
    if package.direct_url:
        return "other"
    label = package.version.partition("+")[2]
    if not label:
        return "pypi" if package.installer else "other"
    return "pytorch-index" if _WHEEL_LABEL.fullmatch(label) else "other"


def conda_origin(channel: str | None) -> Origin:
    """The origin that a conda channel stands for."""
    if channel in ("conda-forge", "pytorch", "defaults"):
        return channel  # type: ignore[return-value]  # the same words
    return "other"


Capabilities = tuple[ComputeCapability, ...]


def _read_arch_flags(
    source: Source, folder: str | None
) -> tuple[Capabilities | None, Capabilities | None]:
    """SASS and PTX targets: the text torch.cuda.get_arch_list() returns.

    It stands among the constants of libtorch_python, e.g. "sm_80 sm_90 compute_90".
    """
    flags = None
    if folder is not None:
        flags = _find_arch_flags(source, f"{folder}/lib/libtorch_python.so")
        # conda keeps the libraries of several packages in the prefix's lib.
        prefix = folder.rpartition("/lib/python")[0]
        flags = flags or _find_arch_flags(source, f"{prefix}/lib/libtorch_python.so")
    if flags is None:
        return None, None
    names = re.split(r"[ ;]+", flags.strip(" ;"))
    return split_targets(names)


def split_targets(names: Iterable[str]) -> tuple[Capabilities, Capabilities]:
    """Machine-code and PTX targets among names like sm_80, compute_90 and 7.5."""
    sass: set[ComputeCapability] = set()
    ptx: set[ComputeCapability] = set()
    for name in names:
        try:
            is_plain = "." in name
            target = (
                ComputeCapability.parse if is_plain else ComputeCapability.from_sm
            )(name)
        except ValueError:
            continue
        (ptx if name.startswith("compute") else sass).add(target)
    return tuple(sorted(sass)), tuple(sorted(ptx))


def _find_arch_flags(source: Source, path: str) -> str | None:
    try:
        with open_object(source, path) as stream:
            section = find_section(stream, b".rodata")
            if section is None:
                return None
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _search_flags(content, *section)
    except (OSError, ValueError):
        return None


def _search_flags(content: mmap.mmap, begin: int, size: int) -> str | None:
    """The first NUL-terminated text that is nothing but architecture names."""
    end = min(begin + size, len(content))
    at = content.find(b"sm_", begin, end)
    while at >= 0:
        start = content.rfind(b"\0", max(begin, at - 64), at) + 1
        stop = content.find(b"\0", at, min(end, at + 512))
        text = content[start:stop] if start and stop > at else b""
        if _ARCH_FLAGS.fullmatch(text):
            return text.decode("ascii")
        at = content.find(b"sm_", max(stop, at + 3), end)
    return None
