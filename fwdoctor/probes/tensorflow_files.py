"""An installed TensorFlow, read from its files: build_info.py and its dist-info."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import Framework
from fwdoctor.probes.tensorflow_dlopen import read_cuda_config
from fwdoctor.probes.torch_files import conda_origin, split_targets
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fwdoctor.model.snapshot import Package
    from fwdoctor.probes.source import Source
    from fwdoctor.probes.torch_files import Origin

# All of them own the folder `tensorflow`; the first installed names the build.
DISTRIBUTIONS = (
    "tensorflow",
    "tensorflow-gpu",
    "tf-nightly",
    "tf-nightly-gpu",
    "tensorflow-cpu",
    "tf-nightly-cpu",
    "tensorflow-intel",
    "tensorflow-cpu-aws",
    "tensorflow-aarch64",
    "intel-tensorflow",
    "tensorflow-macos",
    "tensorflow-rocm",
    "tensorflow-directml",
    "tensorflow-base",
)
BUILD_INFO_BYTES = 65_536
_KEYS = (
    "is_cuda_build|is_rocm_build|cuda_version|cuda_version_number|cudnn_version"
    "|cudnn_version_number|cuda_compute_capabilities"
)
# build_info.py has been plain assignments, a dict and an OrderedDict of pairs.
_ENTRY = re.compile(
    rf"""(?<![A-Za-z_])['"]?({_KEYS})['"]?\s*[=:,]\s*"""
    r"""(True|False|'[^'\n]*'|"[^"\n]*"|\[[^\]]*\])"""
)
_QUOTED = re.compile(r"""['"]([^'"]*)['"]""")
_WINDOWS_NUMBER = re.compile(r"64_(\d+)")
_HEADER = re.compile(r"#define\s+TF_(MAJOR|MINOR|PATCH)_VERSION\s+(\d+)")


def read_tensorflow(
    source: Source, site_packages: Sequence[str], packages: Sequence[Package]
) -> Framework | None:
    """The TensorFlow that `import tensorflow` would take, or None."""
    folder = _find_folder(source, site_packages)
    package = _find_package(packages, folder)
    if folder is None and package is None:
        return None
    values, problem = _read_build_info(source, folder)
    if (
        folder
        and values.get("is_cuda_build") == "True"
        and "cuda_version" not in values
    ):
        values = {**_values_of_header(source, folder), **values}
    version = package.version if package else _header_version(source, folder)
    cuda_text = values.get("cuda_version") or values.get("cuda_version_number")
    cudnn = values.get("cudnn_version") or values.get("cudnn_version_number")
    listed = values.get("cuda_compute_capabilities")
    targets = split_targets(_QUOTED.findall(listed)) if listed else None
    conda = _conda_record(packages)
    return Framework(
        version=version.partition("+")[0] if version else None,
        package=package.name if package else None,
        local_label=(version or "").partition("+")[2] or None,
        kind=_kind_of(values, package, packages),
        cuda=_parse_cuda(cuda_text),
        cuda_text=_readable(cuda_text),
        cudnn=_readable(cudnn),
        compute_capabilities=targets[0] if targets else None,
        ptx=targets[1] if targets else None,
        source=_origin_of(package, conda),
        build_string=conda.build_string if conda else None,
        path=folder,
        problem=problem,
    )


def _find_folder(source: Source, site_packages: Sequence[str]) -> str | None:
    for folder in site_packages:
        if source.exists(f"{folder}/tensorflow/__init__.py"):
            return f"{folder}/tensorflow"
    for folder in site_packages:  # a half-removed package
        if source.exists(f"{folder}/tensorflow/python"):
            return f"{folder}/tensorflow"
    closed = (f"{folder}/tensorflow" for folder in site_packages)
    return next(filter(source.is_closed, closed), None)


def _find_package(packages: Sequence[Package], folder: str | None) -> Package | None:
    site = posixpath.dirname(folder) if folder else None
    for name in DISTRIBUTIONS:
        named = [p for p in packages if p.name == name]
        beside = [p for p in named if p.location == site]
        if named:
            return (beside or named)[0]
    return None


def _read_build_info(
    source: Source, folder: str | None
) -> tuple[dict[str, str], str | None]:
    if folder is None:
        return {}, "tensorflow is listed as installed but its folder is missing"
    name = "tensorflow/python/platform/build_info.py"
    try:
        path = f"{folder}/python/platform/build_info.py"
        text = source.read_text(path, BUILD_INFO_BYTES)
    except (OSError, ValueError) as error:
        return {}, f"{name}: {getattr(error, 'strerror', None) or error}"
    values = parse_build_info(text)
    return values, None if values else f"{name}: no build facts found in it"


def parse_build_info(text: str) -> dict[str, str]:
    """Known keys of any year's build_info.py; lists stay text, quotes are gone."""
    return {key: value.strip("'\"") for key, value in _ENTRY.findall(text)}


def _values_of_header(source: Source, folder: str) -> dict[str, str]:
    """CUDA and cuDNN of cuda_config.h: newer build_info.py names neither."""
    numbers = read_cuda_config(source, folder)
    pairs = {"cuda_version": "CUDA", "cudnn_version": "CUDNN"}
    return {key: numbers[name] for key, name in pairs.items() if name in numbers}


def _header_version(source: Source, folder: str | None) -> str | None:
    """The version in the installed C headers, when no distribution names one."""
    if folder is None:
        return None
    base = f"{folder}/include/tensorflow/core/public"
    text = source.find_text(f"{base}/release_version.h")
    text = text or source.find_text(f"{base}/version.h")
    numbers = dict(_HEADER.findall(text or ""))
    parts = [numbers.get(key) for key in ("MAJOR", "MINOR", "PATCH")]
    return ".".join(part for part in parts if part) if all(parts) else None


def _kind_of(
    values: Mapping[str, str], package: Package | None, packages: Sequence[Package]
) -> Literal["cuda", "cpu", "rocm", "metal", "unknown"]:
    if values.get("is_cuda_build") == "True":
        return "cuda"
    if values.get("is_rocm_build") == "True":
        return "rocm"
    if any(p.name == "tensorflow-metal" for p in packages):
        return "metal"
    if values.get("is_cuda_build") == "False":
        return "cpu"
    if package is not None and "-cpu" in package.name:
        return "cpu"
    return "unknown"


def _readable(text: str | None) -> str | None:
    """Windows builds write 64_112 for 11.2 and 64_8 for 8."""
    match = _WINDOWS_NUMBER.fullmatch(text or "")
    if not match:
        return text or None
    digits = match[1]
    return f"{digits[:-1]}.{digits[-1]}" if len(digits) > 1 else digits


def _parse_cuda(text: str | None) -> CudaVersion | None:
    try:
        return CudaVersion.parse(_readable(text) or "")
    except ValueError:
        return None


def _conda_record(packages: Sequence[Package]) -> Package | None:
    for name in ("tensorflow-base", "tensorflow"):
        for package in packages:
            if package.name == name and package.build_string:
                return package
    return None


def _origin_of(package: Package | None, conda: Package | None) -> Origin | None:
    if conda is not None:
        return conda_origin(conda.channel)
    if package is None or package.direct_url or not package.installer:
        return "other"
    return "other" if "+" in package.version else "pypi"
