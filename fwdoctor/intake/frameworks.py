"""The pasted PyTorch or TensorFlow: version, build and origin, out of merged facts.

What decides the build, strongest first: the local label (+cu118), conda's build string,
what the framework printed of itself, then how it was installed, as far as the matrices
know one build only for that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.builds import (
    Build,
    always_published,
    origin_of,
    parse_cuda,
    published_build,
    read_build_string,
    read_label,
)
from fwdoctor.intake.packages import find_wheel
from fwdoctor.model.snapshot import Framework
from fwdoctor.versions import ComputeCapability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.intake.builds import Kind, Origin
    from fwdoctor.intake.facts import FactName
    from fwdoctor.intake.merge import Merged
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.snapshot import Command, Host, Package

_TORCH_NAMES = ("torch", "pytorch", "pytorch-gpu", "pytorch-cpu", "torch-nightly")
_TENSORFLOW_NAMES = (
    *("tensorflow", "tensorflow-gpu", "tf-nightly", "tf-nightly-gpu", "tensorflow-cpu"),
    *("tensorflow-base", "nvidia-tensorflow", "tensorflow-macos", "tensorflow-rocm"),
    *(
        "tensorflow-aarch64",
        "tensorflow-intel",
        "tensorflow-directml",
        "tf-nightly-cpu",
    ),
    *("intel-tensorflow", "tensorflow-directml-plugin"),
)
_PIN = re.compile(r"={1,3} ?(\d+\.[\w.+]+)$")
_INDEX_LABEL = re.compile(r"/whl/(?:nightly/|test/)?(cu\d{2,3}|cpu|rocm[\d.]+|xpu)\b")


def read_torch(merged: Merged, host: Host, matrices: Matrices) -> Framework | None:
    """The PyTorch of a paste, or None when none is named."""
    package = _find(merged.packages, _TORCH_NAMES, merged.get("torch"))
    told = merged.get("torch") or (None if package else _pinned(merged, _TORCH_NAMES))
    text = _version(told, package, "torch", matrices)
    if text is None and package is None and not _has_traces(merged, "torch"):
        return None
    conda = _conda_of(merged.packages, _TORCH_NAMES)
    version, _, label = (text or "").partition("+")
    release = _release("torch", version, matrices)
    commands = _commands_for(merged.commands, _TORCH_NAMES)
    label = label or _label_of_index(commands)
    build = _torch_build(merged, label, conda)
    source = origin_of(label, conda, package, commands) or _pip_origin(merged, package)
    build = _by_doubt(build, merged, host)
    if build.cuda is None:
        index = _index_of(source, commands)
        build = published_build(build, release, host, "torch", index)
    if build.kind == "unknown" and release is None and source == "pypi":
        build = always_published(host, matrices)
    sass, ptx = _targets(merged.get("torch_archs"))
    return Framework(
        version=version or None,
        package=package.name if package and package.name != "pytorch" else "torch",
        local_label=label or None,
        kind=build.kind,
        cuda=build.cuda,
        cuda_text=merged.get("torch_cuda") or (str(build.cuda) if build.cuda else None),
        cudnn=merged.get("torch_cudnn") or build.cudnn,
        compute_capabilities=sass,
        ptx=ptx,
        source=source,
        build_string=conda.build_string if conda else None,
        gpu_available=_flag(merged.get("torch_gpu")),
    )


def read_tensorflow(merged: Merged, host: Host, matrices: Matrices) -> Framework | None:
    """The TensorFlow of a paste, or None when none is named."""
    package = _find(merged.packages, _TENSORFLOW_NAMES, merged.get("tensorflow"))
    told = merged.get("tensorflow") or (
        None if package else _pinned(merged, _TENSORFLOW_NAMES)
    )
    text = _version(told, package, "tensorflow", matrices)
    if text is None and package is None and not _has_traces(merged, "tensorflow"):
        return None
    conda = _conda_of(merged.packages, _TENSORFLOW_NAMES)
    version, _, label = (text or "").partition("+")
    commands = _commands_for(merged.commands, _TENSORFLOW_NAMES)
    name = _tensorflow_package(merged, package, commands)
    source = origin_of(label, conda, package, commands) or _pip_origin(merged, package)
    build = _tensorflow_build(merged, name, conda)
    release = _release("tensorflow", version, matrices)
    if build.cuda is None and not (source is None and merged.get("manager") == "conda"):
        package_name = name or _likely_package(merged, release)
        build = published_build(build, release, host, package_name, source or "pypi")
    return Framework(
        version=version or None,
        package=name,
        local_label=label or None,
        kind=build.kind,
        cuda=build.cuda,
        cuda_text=str(build.cuda) if build.cuda else None,
        cudnn=merged.get("tensorflow_cudnn") or build.cudnn,
        source=source,
        build_string=conda.build_string if conda else None,
        gpu_available=_flag(merged.get("tensorflow_gpu")),
    )


def _has_traces(merged: Merged, framework: str) -> bool:
    """Whether the framework printed something of itself, without its version."""
    names: dict[str, tuple[FactName, ...]] = {
        "torch": ("torch_gpu", "torch_archs", "torch_kind", "torch_cudnn"),
        "tensorflow": ("tensorflow_gpu", "tensorflow_kind", "tensorflow_package"),
    }
    return any(merged.get(name) for name in names[framework])


def _find(
    packages: Iterable[Package], names: tuple[str, ...], version: str | None
) -> Package | None:
    """The distribution of a framework; of several the one with the told version."""
    found = [p for name in names for p in packages if p.name == name]
    wanted = (version or "").partition("+")[0]
    same = [p for p in found if wanted and p.version.partition("+")[0] == wanted]
    return next(iter(same or found), None)


def _conda_of(packages: Iterable[Package], names: tuple[str, ...]) -> Package | None:
    found = [p for p in packages if p.name in names and p.installer == "conda"]
    return next((p for p in found if p.build_string), found[0] if found else None)


def _version(
    told: str | None, package: Package | None, framework: str, matrices: Matrices
) -> str | None:
    """The told version, or the listed one; «2.3» is the first 2.3.x."""
    text = told
    if (
        package
        and package.version
        and (told is None or _extends(package.version, told))
    ):
        text = package.version
    if text and text.count(".") == 1 and "+" not in text:
        known = matrices.versions(framework)
        return next((v for v in known if v.startswith(f"{text}.")), text)
    return text


def _extends(listed: str, told: str) -> bool:
    return len(listed) > len(told) and listed.startswith((f"{told}+", f"{told}."))


def _release(framework: str, version: str, matrices: Matrices) -> Release | None:
    found = matrices.find_release(framework, version) if version else None
    if found is None and ".post" in version:
        return matrices.find_release(framework, version.partition(".post")[0])
    return found


def _commands_for(
    commands: Iterable[Command], names: tuple[str, ...]
) -> tuple[Command, ...]:
    """Install commands that ask for the framework by name."""
    return tuple(
        command
        for command in commands
        if command.action in ("install", "add", "create", "update", "upgrade")
        and any(_name_of(text) in names for text in command.requirements)
    )


def _pinned(merged: Merged, names: tuple[str, ...]) -> str | None:
    """The one version that install commands pin, where nothing was refused."""
    if any(command.action == "offered" for command in merged.commands):
        return None
    pins = {
        found[1]
        for command in _commands_for(merged.commands, names)
        for text in command.requirements
        if _name_of(text) in names and (found := _PIN.search(text))
    }
    return pins.pop() if len(pins) == 1 else None


def _name_of(requirement: str) -> str:
    if "://" in requirement:
        wheel = find_wheel(requirement)
        return wheel["name"].lower() if wheel else ""
    return re.split(r"[\[=<>!~ ]", requirement, maxsplit=1)[0].lower()


def _label_of_index(commands: Iterable[Command]) -> str:
    """The variant an index serves: …/whl/cu118; the command pins nothing itself."""
    for command in commands:
        for source in command.sources:
            found = _INDEX_LABEL.search(source)
            if found:
                return found[1]
        for text in command.requirements:
            found = _INDEX_LABEL.search(text)
            if found:
                return found[1]
    return ""


def _torch_build(merged: Merged, label: str, conda: Package | None) -> Build:
    told = parse_cuda(merged.get("torch_cuda"))
    labelled = read_label(label)
    if labelled is not None:
        return labelled._replace(cuda=labelled.cuda or told)
    named = read_build_string(conda.build_string) if conda else None
    if named is not None:
        return named
    if conda is not None and conda.name == "pytorch-cpu":
        return Build("cpu")
    kind = _kind(merged.get("torch_kind"))
    if kind == "unknown" and merged.get("torch_archs"):
        kind = "cuda"
    return Build(kind, told if kind != "cpu" else None)


def _tensorflow_package(
    merged: Merged, package: Package | None, commands: tuple[Command, ...]
) -> str | None:
    told = merged.get("tensorflow_package")
    if told or package:
        return told or (package.name if package else None)
    asked = [_name_of(text) for c in commands for text in c.requirements]
    return next((name for name in asked if name in _TENSORFLOW_NAMES), None)


def _tensorflow_build(merged: Merged, name: str | None, conda: Package | None) -> Build:
    named = read_build_string(conda.build_string) if conda else None
    if named is not None:
        return named
    if name is not None and name.endswith("-cpu"):
        return Build("cpu")
    if name in ("tensorflow-macos", "tensorflow-rocm"):
        return Build("metal" if name.endswith("macos") else "rocm")
    if name is not None and name.startswith("tensorflow-directml"):
        return Build("unknown")
    if _has_metal(merged):
        return Build("metal")
    if name in ("nvidia-tensorflow", "tf-nightly-gpu"):
        return Build("cuda", parse_cuda(merged.get("tensorflow_cuda")))
    kind = _kind(merged.get("tensorflow_kind"))
    return Build(kind, parse_cuda(merged.get("tensorflow_cuda")))


def _has_metal(merged: Merged) -> bool:
    """Whether Apple's plug-in is listed, or was asked for."""
    asked = (text for command in merged.commands for text in command.requirements)
    names = {*(p.name for p in merged.packages), *map(_name_of, asked)}
    return "tensorflow-metal" in names


def _index_of(source: Origin | None, commands: tuple[Command, ...]) -> Origin | None:
    """PyTorch's old index offered PyPI's Linux wheel beside the labelled ones."""
    urls = [source for command in commands for source in command.sources]
    return "pypi" if any("torch_stable" in url for url in urls) else source


def _likely_package(merged: Merged, release: Release | None) -> str:
    """Of a release with two packages the one whose reporter speaks of CUDA, or ""."""
    packages = {v.package for v in release.variants if v.cuda} if release else set()
    is_about_cuda = any(
        merged.get(name) for name in ("cuda_name", "cudnn", "tensorflow_kind", "nvcc")
    )
    if "tensorflow" not in packages and "tensorflow-gpu" in packages:
        return "tensorflow-gpu" if is_about_cuda else ""
    return "tensorflow"


def _by_doubt(build: Build, merged: Merged, host: Host) -> Build:
    """collect_env found CUDA things on the machine, and none in the build."""
    if build.kind != "unknown" or not merged.get("torch_build_unknown"):
        return build
    has_collected = bool(merged.gpus) or merged.get("nvcc") is not None
    is_off = merged.get("torch_gpu") != "true"
    is_nvidia = host.os != "macos" and "amd" not in merged.vendors
    if has_collected and is_off and is_nvidia:
        return Build("cpu")
    return build


def _pip_origin(merged: Merged, package: Package | None) -> Origin | None:
    """A package of pip's list, where there is no sign of conda, or its list too."""
    is_listed = package is not None and package.installer != "conda"
    has_list = any(p.installer == "conda" for p in merged.packages)
    has_conda = not has_list and merged.get("manager") in ("conda", "mamba", "pixi")
    is_plain = is_listed and "+" not in (package.version if package else "")
    return "pypi" if is_plain and not has_conda else None


def _targets(
    names: str | None,
) -> tuple[tuple[ComputeCapability, ...] | None, tuple[ComputeCapability, ...] | None]:
    """Machine-code and PTX targets of a printed list."""
    if not names:
        return None, None
    found: dict[bool, list[ComputeCapability]] = {False: [], True: []}
    for name in names.split():
        found[name.startswith("compute")].append(ComputeCapability.from_sm(name))
    return tuple(sorted(found[False])), tuple(sorted(found[True]))


def _kind(word: str | None) -> Kind:
    known: tuple[Kind, ...] = ("cuda", "cpu", "rocm", "xpu", "metal")
    return next((kind for kind in known if kind == word), "unknown")


def _flag(word: str | None) -> bool | None:
    return {"true": True, "false": False}.get(word or "")
