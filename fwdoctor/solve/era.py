"""When a build that a line asks for was published, and whether it still works here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor.presence import FRAMEWORK_NAMES
from fwdoctor.solve.fit import release_obstacles, variant_obstacles
from fwdoctor.solve.gpu_extra import AND_CUDA, listed_libraries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.plan import FrameworkName
    from fwdoctor.solve.candidates import Machine
    from fwdoctor.solve.fit import Obstacle
    from fwdoctor.versions import CudaVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a line wants of one framework."""

    framework: FrameworkName
    package: str
    spec: str = ""
    cuda: CudaVersion | None = None
    is_cpu: bool = False
    channels: tuple[str, ...] = ()  # conda channels
    sources: tuple[str, ...] = ()  # as written
    python: str | None = None
    is_conda: bool = False
    extras: str = ""
    odd: str | None = None  # why our data cannot hold it: nightly, another vendor's
    is_elsewhere: bool = False  # no build for NVIDIA's GPUs, or no PyTorch at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """The releases that answered such a line, and what the newest of them does now."""

    framework: FrameworkName
    when: str  # in words
    release: str | None = None  # what the line gives today
    cuda: CudaVersion | None = None
    gives: str = ""  # the same in words
    against: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def era_of(asked: Asked, machine: Machine, matrices: Matrices) -> Era:
    """What our data know of this wish."""
    if asked.odd is not None:
        return Era(
            framework=asked.framework,
            when=f"{FRAMEWORK_NAMES[asked.framework]} as {asked.package}: not dated",
            against=(asked.odd,) if asked.is_elsewhere else (),
            doubts=() if asked.is_elsewhere else (asked.odd,),
        )
    every = list(_builds(asked, matrices, machine.platform))
    if not every:
        return _unknown(asked, machine, matrices)
    wished = [b for b in every if _is_wished(asked, b[0])]
    when = _span(asked, every)
    if not wished:
        reason = f"no release {asked.spec} {_what(asked)} is in our data"
        return _not_known(asked, when, reason)
    here = replace(machine, is_conda=asked.is_conda)
    release, variant = _taken(asked, wished, here, matrices)
    found = _obstacles(release, variant, here, matrices)
    name = _named(asked, release, variant)
    against = [f"{name}: {o.reason}" for o in found if not o.is_unknown]
    return Era(
        framework=asked.framework,
        when=when,
        release=release.version,
        cuda=variant.cuda,
        gives=_gives(asked, release, variant),
        against=(
            *against,
            *_libraries(asked, release, variant),
            *_extra(asked, release, variant),
        ),
        doubts=tuple(f"{name}: {o.reason}" for o in found if o.is_unknown),
    )


def _builds(
    asked: Asked, matrices: Matrices, platform: str
) -> Iterator[tuple[Release, Variant]]:
    """Published builds of this package, source and CUDA, oldest first."""
    for release in matrices.releases(asked.framework):
        if release.prerelease:
            continue
        for variant in release.conda if asked.is_conda else release.variants:
            if platform not in variant.platforms:
                continue
            if _is_package(asked, variant) and _is_from(asked, variant):
                if _is_for(asked, variant):
                    yield release, variant


def _is_package(asked: Asked, variant: Variant) -> bool:
    if asked.is_conda:  # thin packages such as tensorflow-gpu pin the main one
        return True
    names = {"torch": ("torch",)}.get(asked.framework, (asked.package,))
    return variant.package in names


def _is_from(asked: Asked, variant: Variant) -> bool:
    if asked.is_conda:
        return variant.index in asked.channels
    pages = tuple(s for s in asked.sources if "download.pytorch.org" in s)
    if asked.framework == "torch" and pages:
        return True  # PyPI is asked as well, and mirrors of these pages differ
    return variant.index == "pypi" or asked.cuda is not None


def _is_for(asked: Asked, variant: Variant) -> bool:
    if asked.is_cpu:
        return variant.cuda is None and variant.variant == "cpu"
    if asked.cuda is not None:
        return variant.cuda == asked.cuda
    wants_gpu = asked.package.endswith("-gpu") or asked.framework == "torch"
    return variant.cuda is not None or not wants_gpu


def _is_wished(asked: Asked, release: Release) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(asked.spec).contains(release.version, prereleases=True)
    except InvalidSpecifier:
        return True


def _taken(
    asked: Asked,
    builds: list[tuple[Release, Variant]],
    machine: Machine,
    matrices: Matrices,
) -> tuple[Release, Variant]:
    """The newest release, the newest with the asked Python where there is one.

    Of its builds one that works here, as conda's solver would choose; else the newest.
    """
    if asked.python is not None:
        served = [
            (release, variant)
            for release, variant in builds
            if asked.python in (variant.python or release.python)
        ]
        builds = served or builds
    newest = builds[-1][0].version
    same = [build for build in builds if build[0].version == newest]

    def order(build: tuple[Release, Variant]) -> tuple[bool, int, int]:
        cuda = build[1].cuda
        fits = not _obstacles(*build, machine, matrices)
        return (fits, cuda.major, cuda.minor) if cuda else (False, 0, 0)

    return max(same, key=order)


def _obstacles(
    release: Release, variant: Variant, machine: Machine, matrices: Matrices
) -> list[Obstacle]:
    """What speaks against the build here, each reason once."""
    every = (
        *release_obstacles(release, machine),
        *variant_obstacles(release, variant, machine, matrices),
    )
    return list(dict.fromkeys(every))


def _named(asked: Asked, release: Release, variant: Variant) -> str:
    build = f" for CUDA {variant.cuda}" if variant.cuda else " for the CPU"
    return f"{asked.framework} {release.version}{build}"


def _gives(asked: Asked, release: Release, variant: Variant) -> str:
    pythons = variant.python or release.python
    span = f", for Python {pythons[0]} to {pythons[-1]}" if pythons else ""
    return f"it gives {_named(asked, release, variant)} ({_month(release)}){span}"


def _libraries(asked: Asked, release: Release, variant: Variant) -> tuple[str, ...]:
    """That TensorFlow's older wheels come without CUDA."""
    is_wheel = asked.framework == "tensorflow" and not asked.is_conda
    if not is_wheel or variant.cuda is None or "and-cuda" in release.extras:
        return ()
    needs = f"CUDA {variant.cuda} and cuDNN {variant.cudnn}"
    name = _named(asked, release, variant)
    return (f"{name}: brings no CUDA along, {needs} must be on the system",)


def _extra(asked: Asked, release: Release, variant: Variant) -> tuple[str, ...]:
    """That pip cannot have what the extra asks for."""
    others = sorted(
        set(release.extras.get(AND_CUDA, {})) - set(listed_libraries(release))
    )
    if AND_CUDA not in asked.extras or not others:
        return ()
    name = _named(asked, release, variant)
    wants = ", ".join(others)
    why = f"its extra {AND_CUDA} wants {wants}, which pip cannot have on every Python"
    return (f"{name}: {why}",)


def _not_known(asked: Asked, when: str, reason: str) -> Era:
    """Of PyPI's wheels our data are complete; channels and other pages had more."""
    is_complete = not asked.is_conda and not any("/lts/" in s for s in asked.sources)
    return Era(
        framework=asked.framework,
        when=when,
        against=(reason,) if is_complete else (),
        doubts=() if is_complete else (reason,),
    )


def _what(asked: Asked) -> str:
    build = " for the CPU" if asked.is_cpu else ""
    build = f" for CUDA {asked.cuda}" if asked.cuda else build
    source = f" on {' or '.join(asked.channels)}" if asked.is_conda else ""
    return f"of {FRAMEWORK_NAMES[asked.framework]}{build}{source}"


def _span(asked: Asked, builds: list[tuple[Release, Variant]]) -> str:
    first, last = builds[0][0], builds[-1][0]
    names = f"{first.version} ({_month(first)}) to {last.version} ({_month(last)})"
    if first.version == last.version:
        names = f"{first.version} ({_month(first)}), the only one in our data"
    title = FRAMEWORK_NAMES[asked.framework]
    package = (
        ""
        if asked.package in ("torch", "pytorch", "tensorflow")
        else (f" (as {asked.package})")
    )
    source = f"on {' or '.join(asked.channels)}" if asked.is_conda else "as wheels"
    build = "CPU builds " if asked.is_cpu else "builds "
    build = f"builds for CUDA {asked.cuda} " if asked.cuda else build
    return f"{title}{package}: {build}{source} from {names}"


def _month(release: Release) -> str:
    return (release.released or "date not known")[:7]


def _unknown(asked: Asked, machine: Machine, matrices: Matrices) -> Era:
    """No such build at all: say what there is instead of the same framework."""
    del machine
    without = replace(asked, cuda=None, is_cpu=False)
    others = sorted(
        {
            variant.cuda
            for release in matrices.releases(asked.framework)
            for variant in (release.conda if asked.is_conda else release.variants)
            if variant.cuda is not None and _is_from(without, variant)
        }
    )
    known = f"; there are builds for CUDA {others[0]} to {others[-1]}" if others else ""
    reason = f"our data have no build {_what(asked)}{known}"
    return _not_known(asked, reason, reason)
