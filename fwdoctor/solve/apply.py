"""What a snapshot would look like after a plan was carried out, from matrix facts.

For tests of the promise that no plan gives an error finding, and for showing what a
plan leads to. Where a plan leaves a version open, the newest allowed one is taken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import (
    Environment,
    Framework,
    Package,
    ResolvedLibrary,
    Snapshot,
)
from fwdoctor.solve.gpu_extra import AND_CUDA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.plan import Pin, Plan, PlanEnvironment

    Source = Literal["pypi", "pytorch-index", "conda-forge", "defaults"]


def apply_plan(
    snapshot: Snapshot, plan: Plan, matrices: Matrices
) -> tuple[Snapshot, ...]:
    """The machine once for each environment of the plan, with that one installed."""
    return tuple(
        _applied(snapshot, plan, environment, matrices)
        for environment in plan.environments
    )


def _applied(
    snapshot: Snapshot, plan: Plan, planned: PlanEnvironment, matrices: Matrices
) -> Snapshot:
    platform = plan.target.platform
    packages: dict[str, Package] = {}
    frameworks: dict[str, Framework] = {}
    for pin in planned.pins:
        packages[pin.name] = _package(pin)
        found = _build_of(pin, platform, matrices)
        if found is None:
            continue
        release, variant = found
        libraries = dict(_libraries(pin, release, variant, matrices))
        for name, version in libraries.items():
            packages.setdefault(name, Package(name=name, version=version))
        frameworks[release.framework] = _framework(pin, release, variant)
    environment = Environment(
        prefix="/planned",
        kind="conda" if planned.is_conda else "venv",
        manager=planned.manager,
        python_version=planned.python,
        is_target=True,
        is_active=True,
        packages=tuple(packages[name] for name in sorted(packages)),
        torch=_with_cudnn(frameworks.get("torch"), packages),
        tensorflow=_with_cudnn(frameworks.get("tensorflow"), packages),
        clashes=(),
    )
    served = tuple(
        gpu
        for gpu in snapshot.gpus or ()
        if f"{gpu.name or f'GPU {gpu.index}'} (GPU {gpu.index})" not in plan.left_out
    )
    gpus = served if snapshot.gpus is not None else None
    return replace(snapshot, gpus=gpus, environments=(environment,))


def _package(pin: Pin) -> Package:
    version = pin.full_version if pin.is_exact else pin.version.lstrip("<>=")
    return Package(name=pin.name, version=version.replace(".*", ".0"))


def _build_of(
    pin: Pin, platform: str, matrices: Matrices
) -> tuple[Release, Variant] | None:
    """The published build a framework pin names."""
    if pin.role != "framework":
        return None
    framework = "torch" if pin.name in ("torch", "pytorch") else "tensorflow"
    release = matrices.find_release(framework, pin.version)
    if release is None:
        return None
    newest = sorted(release.conda, key=lambda v: str(v.cuda or ""), reverse=True)
    for variant in newest if pin.build else release.variants:
        if variant.index != pin.index or not _is_build(variant.build, pin.build):
            continue
        if pin.local_label not in (None, variant.variant):
            continue
        if variant.package == pin.name and platform in variant.platforms:
            return release, variant
    return None


def _is_build(build: str | None, pattern: str | None) -> bool:
    """Whether a published build pattern is within the pinned one."""
    if build is None or pattern is None:
        return build is pattern
    return build == pattern or build.startswith(pattern.removesuffix("*"))


def _libraries(
    pin: Pin, release: Release, variant: Variant, matrices: Matrices
) -> Iterator[tuple[str, str]]:
    """NVIDIA wheels that come with a wheel: its own pins, or those of the extra."""
    pins = release.extras.get(AND_CUDA, {}) if pin.extras else variant.nvidia_pins
    for name, spec in pins.items():
        first = spec.split(",")[0].lstrip("=<>~")
        newest = _newest_cudnn(name, matrices) if not spec.startswith("==") else None
        yield name, newest or first


def _newest_cudnn(name: str, matrices: Matrices) -> str | None:
    """What pip takes today where a range is open: the newest cuDNN."""
    prefix, _, major = name.rpartition("-cu")
    if prefix != "nvidia-cudnn" or not major.isdigit():
        return None
    lines = [r for r in matrices.cudnn_releases() if int(major) in r.cuda_majors]
    return f"{lines[-1].first or lines[-1].version}.0" if lines else None


def _framework(pin: Pin, release: Release, variant: Variant) -> Framework:
    sources: dict[str, Source] = {
        "pypi": "pypi",
        "conda-forge": "conda-forge",
        "defaults": "defaults",
    }
    return Framework(
        version=release.version,
        package=pin.name,
        local_label=pin.local_label,
        kind="cuda" if variant.cuda else "cpu",
        cuda=variant.cuda,
        cudnn=variant.cudnn,
        compute_capabilities=variant.compute_capabilities or None,
        ptx=variant.ptx,
        source=sources.get(pin.index, "pytorch-index"),
        build_string=pin.build,
        path=f"/planned/{pin.name}",
    )


def _with_cudnn(
    framework: Framework | None, packages: dict[str, Package]
) -> Framework | None:
    """The framework with the cuDNN it would load: the wheel of its CUDA major."""
    if framework is None or framework.cuda is None:
        return framework
    wheel = packages.get(f"nvidia-cudnn-cu{framework.cuda.major}")
    if wheel is None:
        return framework
    version = wheel.version
    soname = f"libcudnn.so.{version.partition('.')[0]}"
    library = ResolvedLibrary(
        soname=soname,
        needed_by=framework.package or "",
        path=f"/planned/cudnn/{soname}",
        via="RUNPATH",
        version=version,
    )
    return replace(framework, libraries=(library,))
