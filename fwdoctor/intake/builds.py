"""The build and the origin of a pasted framework, from one sign at a time.

A local label (+cu118), conda's build string, the one build that PyPI has of a release
for a platform, and how it was installed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.snapshot import Command, Host, Package

Kind = Literal["cuda", "cpu", "rocm", "xpu", "metal", "unknown"]
Origin = Literal["pypi", "pytorch-index", "conda-forge", "pytorch", "defaults", "other"]
_LABEL_CUDA = re.compile(r"(?:^|[._-])cu(\d{2,3})(?![\d])")
_BUILD_CUDA = re.compile(r"cuda[_-]?(\d{1,2}\.\d{1,2}|\d{2,3})(?!\d)|cu(\d{2,3})(?!\d)")
_BUILD_CUDNN = re.compile(r"cudnn[_-]?(\d(?:\.\d{1,2}){0,3})")
_LABEL_KINDS: tuple[Kind, ...] = ("cpu", "rocm", "xpu")
_CHANNELS: tuple[Origin, ...] = ("conda-forge", "pytorch", "defaults")


class Build(NamedTuple):
    """What is known of the build, and how surely it came from conda or pip."""

    kind: Kind = "unknown"
    cuda: CudaVersion | None = None
    cudnn: str | None = None


def read_label(label: str) -> Build | None:
    """Read a local label: +cu118, +cpu, or one of NVIDIA's containers."""
    found = _LABEL_CUDA.search(label)
    if found:
        return Build("cuda", cuda_of_digits(found[1]))
    for kind in _LABEL_KINDS:
        if label.startswith(kind):
            return Build(kind)
    return Build("cuda") if ".nv" in label or label.startswith("nv") else None


def read_build_string(build: str | None) -> Build | None:
    """Read conda's third part: py3.8_cpu_0, py3.9_cuda11.3_cudnn8.2.0_0, gpu_py37h."""
    if not build:
        return None
    found = _BUILD_CUDA.search(build)
    cudnn = _BUILD_CUDNN.search(build)
    if found:
        text = found[1] or found[2]
        cuda = parse_cuda(text) if "." in text else cuda_of_digits(text)
        return Build("cuda", cuda, cudnn[1] if cudnn else None)
    if "cpu" in build or build.startswith(("mkl_", "eigen_")):
        return Build("cpu")
    return Build("cuda") if "gpu" in build else None


def cuda_of_digits(digits: str) -> CudaVersion | None:
    """CUDA of cu92, cu118, cu130: the last digit is the minor version."""
    if not digits.isdigit() or len(digits) < 2:
        return None
    return CudaVersion(int(digits[:-1]), int(digits[-1]))


def published_build(
    build: Build,
    release: Release | None,
    host: Host,
    package: str,
    source: Origin | None,
) -> Build:
    """The one build PyPI has of a release for this platform, if it came from there."""
    if release is None or source != "pypi" or build.kind in ("cpu", "rocm", "metal"):
        return build
    variants = [
        variant
        for variant in release.variants
        if variant.index == "pypi"
        and variant.package == package
        and _platform(host) in variant.platforms
    ]
    if not variants or (build.kind == "cuda" and not any(v.cuda for v in variants)):
        return build
    return _of_variant(variants[0], build)


def always_published(host: Host, matrices: Matrices) -> Build:
    """A release that is not named, where PyPI has builds without CUDA only."""
    newest = matrices.find_release("torch", matrices.versions("torch")[-1])
    build = published_build(Build(), newest, host, "torch", "pypi")
    return build if build.kind == "cpu" else Build()


def _of_variant(variant: Variant, build: Build) -> Build:
    kind: Kind = "cuda" if variant.cuda else "cpu"
    if kind == "cpu" and not variant.variant.startswith("cpu"):
        return build
    return Build(kind, variant.cuda, variant.cudnn)


def _platform(host: Host) -> str:
    machine = "aarch64" if host.is_tegra else host.machine or "x86_64"
    return f"{host.os or 'linux'}-{machine}"


def origin_of(
    label: str,
    conda: Package | None,
    package: Package | None,
    commands: tuple[Command, ...],
) -> Origin | None:
    """Where a build came from: its channel, its label, or the command of it."""
    tools = {command.tool for command in commands}
    if conda is not None:
        return next((name for name in _CHANNELS if name == conda.channel), None)
    if read_label(label) is not None:
        return "pytorch-index"
    if tools & {"conda", "mamba"}:
        return None
    sources = [source for command in commands for source in command.sources]
    if sources:
        is_own = any("download.pytorch.org" in source for source in sources)
        return "pytorch-index" if is_own else "other"
    if tools or (package is not None and package.installer in ("pip", "uv")):
        return "pypi"
    return None


def parse_cuda(text: str | None) -> CudaVersion | None:
    """A CUDA version, or None for anything else."""
    try:
        return CudaVersion.parse(text) if text else None
    except ValueError:
        return None
