"""Which build of a framework a paste is about: CUDA, CPU-only, ROCm.

How the build is found, the first that answers:
1. a local label (2.9.1+cu130), a build string of conda, "CUDA used to build: 10.1"
2. `torch.version.cuda` None, in the words of the collect_env of its time
3. the name of the distribution (tensorflow-cpu), the platform (TensorFlow on Windows)
4. the only build that was published for this platform under this name
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from fwdoctor.model.snapshot import Framework
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwdoctor.intake.facts import FactName, Facts
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.snapshot import Command, Package

Kind = Literal["cuda", "cpu", "rocm", "xpu", "metal", "unknown"]
Source = Literal["pypi", "pytorch-index", "conda-forge", "pytorch", "defaults", "other"]
_CUDA_LABEL = re.compile(r"cu(\d{2,3})(?!\d)")
_CUDA_BUILD = re.compile(r"cuda(\d{1,2})\.?(\d{1,2})?")
_LABEL_KINDS: tuple[tuple[str, Kind], ...] = (
    ("cpu", "cpu"),
    ("rocm", "rocm"),
    ("xpu", "xpu"),
)
_CONDA_CHANNELS: dict[str, Source] = {
    "pytorch": "pytorch",
    "conda-forge": "conda-forge",
    "defaults": "defaults",
}
# Distributions of a framework, the one that says most about the build first.
_TORCH = ("torch", "pytorch", "pytorch-gpu", "pytorch-cpu")
_TENSORFLOW = (
    "tensorflow-gpu",
    "nvidia-tensorflow",
    "tensorflow-rocm",
    "tensorflow-macos",
    "tensorflow-intel",
    "tensorflow",
    "tensorflow-cpu",
    "tf-nightly-gpu",
    "tf-nightly",
    "tensorflow-base",
)
_NAMED_KINDS: dict[str, Kind] = {
    "pytorch-cpu": "cpu",
    "tensorflow-cpu": "cpu",
    "tensorflow-intel": "cpu",
    "tensorflow-rocm": "rocm",
    "tensorflow-metal": "metal",
    "tensorflow-macos": "cpu",
    "nvidia-tensorflow": "cuda",
}


class Told(NamedTuple):
    """What a paste says about one framework, before it is made sense of."""

    name: Literal["torch", "tensorflow"]
    facts: Facts
    packages: tuple[Package, ...]
    platform: str | None  # linux-x86_64, windows-x86_64 …; None: not told

    def get(self, what: str) -> str | None:
        """A fact of this framework: version, cuda, kind, gpu …"""
        key = self.name if what == "version" else f"{self.name}_{what}"
        return self.facts.get(key)  # type: ignore[arg-type]  # built from two known halves

    @property
    def commands(self) -> Sequence[Command]:
        """The command lines of the paste."""
        return self.facts.commands


def framework_of(told: Told, matrices: Matrices) -> Framework | None:
    """The framework with as much of its build as the paste settles."""
    package = _package(told)
    text = told.get("version") or (package.version if package else None)
    available = {"true": True, "false": False}.get(told.get("gpu") or "")
    if not text and package is None and available is None and told.get("cuda") is None:
        return None
    public, _, label = (text or "").partition("+")
    release = _release(told.name, public, matrices)
    stated = Framework(
        version=_full_version(public, release) or None,
        package=_distribution(told, package),
        local_label=label or None,
        cudnn=told.get("cudnn"),
        compute_capabilities=_capabilities(told.get("archs")),
        source=_source(package, label, told),
        build_string=package.build_string if package else None,
        gpu_available=available,
    )
    return _with_build(stated, told, release)


def _package(told: Told) -> Package | None:
    names = _TORCH if told.name == "torch" else _TENSORFLOW
    by_name: dict[str, list[Package]] = {}
    for package in told.packages:
        by_name.setdefault(package.name, []).append(package)
    found = [package for name in names for package in by_name.get(name, ())]
    stated = (told.get("version") or "").partition("+")[0]
    same = [p for p in found if stated and p.version.startswith(stated)]
    built = [p for p in same or found if p.build_string]
    return next(iter(built or same or found), None)


def _distribution(told: Told, package: Package | None) -> str | None:
    stated = told.facts.get(
        "torch_package" if told.name == "torch" else "tensorflow_package"
    )
    return stated or (package.name if package else told.name)


def _release(name: str, version: str, matrices: Matrices) -> Release | None:
    """The release of a version that may lack its last number or have a post-release."""
    plain = version.split(".post")[0]
    exact = matrices.find_release(name, version) or matrices.find_release(name, plain)
    if exact is not None or plain.count(".") != 1:
        return exact
    known = [v for v in matrices.versions(name) if v.startswith(f"{plain}.")]
    return matrices.find_release(name, known[0]) if known else None


def _full_version(public: str, release: Release | None) -> str:
    """ "2.3" is the line 2.3.x; its first release stands for it."""
    is_short = release is not None and public.count(".") == 1
    return release.version if release is not None and is_short else public


def _capabilities(text: str | None) -> tuple[ComputeCapability, ...] | None:
    found: set[ComputeCapability] = set()
    for word in re.findall(r"sm_\d{2,3}[af]?", text or ""):
        found.add(ComputeCapability.from_sm(word))
    return tuple(sorted(found)) or None


def _source(package: Package | None, label: str, told: Told) -> Source | None:
    if package is not None and package.installer == "conda":
        return _CONDA_CHANNELS.get(package.channel or "", _channel_of(told))
    if label.startswith(("cu", "cpu", "rocm", "xpu")):
        return "pytorch-index"
    return None


def _channel_of(told: Told) -> Source:
    """A listed package without a channel: the one its install command named."""
    named = (source for command in told.commands for source in command.sources)
    return next((_CONDA_CHANNELS[n] for n in named if n in _CONDA_CHANNELS), "defaults")


def _with_build(stated: Framework, told: Told, release: Release | None) -> Framework:
    kind, cuda_text = _stated_build(stated, told)
    if kind is None:
        kind = _kind_without_cuda(stated, told)
    if kind is None:
        published = _published(stated, told, release)
        if published is not None:
            kind = "cuda" if published.cuda else "cpu"
            cuda_text = str(published.cuda) if published.cuda else None
            stated = _with_cudnn(stated, published)
    return _replace_build(stated, kind or "unknown", cuda_text)


def _replace_build(stated: Framework, kind: Kind, cuda_text: str | None) -> Framework:
    from dataclasses import replace

    cuda = parse_cuda(cuda_text)
    return replace(stated, kind=kind, cuda=cuda, cuda_text=cuda_text if cuda else None)


def _with_cudnn(stated: Framework, published: Variant) -> Framework:
    from dataclasses import replace

    return replace(stated, cudnn=stated.cudnn or published.cudnn)


def parse_cuda(text: str | None) -> CudaVersion | None:
    """A CUDA version as a build names it; a major alone names none."""
    try:
        return CudaVersion.parse(text or "")
    except ValueError:
        return None


def label_cuda(label: str | None) -> str | None:
    """The CUDA version of a label: "12.6" for cu126, "9.2" for cu92."""
    found = _CUDA_LABEL.search(label or "")
    return f"{found[1][:-1]}.{found[1][-1]}" if found else None


def _stated_build(stated: Framework, told: Told) -> tuple[Kind | None, str | None]:
    label, build = stated.local_label or "", stated.build_string or ""
    for word, kind in _LABEL_KINDS:
        if label.startswith(word):
            return kind, None
    labelled = label_cuda(label)
    if labelled:
        return "cuda", labelled
    if told.get("cuda"):
        return "cuda", told.get("cuda")
    known_kind = told.get("kind")
    if known_kind in ("rocm", "xpu", "metal", "cpu"):
        return known_kind, None  # type: ignore[return-value]  # compared with the words
    if "cpu" in build or (told.name == "tensorflow" and build.startswith("mkl_")):
        return "cpu", None
    built = _CUDA_BUILD.search(build)
    if built:
        return "cuda", _build_cuda(built[1], built[2])
    return ("cuda", None) if build.startswith("gpu_") else (None, None)


def _build_cuda(major: str, minor: str | None) -> str:
    """cuda11.1, cuda111 and cuda92 of build strings."""
    if minor is not None:
        return f"{major}.{minor}"
    return f"{major[:-1]}.{major[-1]}" if len(major) > 1 else f"{major}.0"


def _kind_without_cuda(stated: Framework, told: Told) -> Kind | None:
    """What names no CUDA, and is known to be without."""
    named = _NAMED_KINDS.get(stated.package or "")
    metal = any(package.name == "tensorflow-metal" for package in told.packages)
    if told.name == "tensorflow" and metal:
        return "metal"
    if named is not None and named != "cuda":
        return named
    if told.get("build_unknown") and stated.gpu_available is False:
        return None if _asked_for(stated, told) else "cpu"
    return None


def _asked_for(stated: Framework, told: Told) -> bool:
    """Whether a pip line in the paste asked for this very version, of any build."""
    pins = {f"{told.name}{equals}{stated.version}" for equals in ("==", "===")}
    return any(
        command.tool in ("pip", "uv") and pins & {*command.requirements}
        for command in told.commands
    )


def _published(
    stated: Framework, told: Told, release: Release | None
) -> Variant | None:
    """The one build this can be: what the package index has for the platform."""
    if release is None or _may_be_another(stated, told):
        return None
    platform = told.platform or "linux-x86_64"
    builds = [
        variant
        for variant in release.variants
        if variant.index == "pypi"
        and platform in variant.platforms
        and variant.package in _meant(stated, told, release)
    ]
    kinds = {variant.cuda for variant in builds}
    return builds[0] if len(kinds) == 1 else None


def _meant(stated: Framework, told: Told, release: Release) -> tuple[str, ...]:
    """Names of the distribution; people call tensorflow-gpu «TensorFlow 1.14» too."""
    if told.name == "torch":
        return ("torch",)
    names = {variant.package for variant in release.variants if variant.cuda}
    is_listed = any(package.name == stated.package for package in told.packages)
    if "tensorflow" not in names and "tensorflow-gpu" in names and not is_listed:
        return ("tensorflow-gpu",)
    return (stated.package or "tensorflow",)


def _may_be_another(stated: Framework, told: Told) -> bool:
    """From conda or an index, or on a platform whose users take other builds."""
    if stated.source is not None or stated.local_label:
        return True
    if told.name == "torch":
        is_linux = told.platform in (None, "linux-x86_64")
        return not is_linux or bool(told.facts.get("is_tegra"))
    return bool(told.facts.get("is_tegra"))


def packages_of(facts: Iterable[Facts]) -> tuple[Package, ...]:
    """Every package of several sets of facts, each once."""
    return tuple(dict.fromkeys(p for item in facts for p in item.packages))
