"""The newest release of one framework that works here, and why newer ones do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.model.plan import PassedOver
from fwdoctor.solve.candidates import Candidate, is_for, preference
from fwdoctor.solve.fit import (
    Obstacle,
    driver_verdict,
    gpu_verdicts,
    release_obstacles,
    variant_obstacles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.plan import FrameworkName, Request
    from fwdoctor.solve.candidates import Machine

NATIVE = ("native", "same-major-cubin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one search has to respect beside the machine."""

    framework: FrameworkName
    request: Request
    channel: str | None = None  # a conda channel; None: wheels
    is_cpu: bool = False
    is_native: bool = False  # only builds with SASS for every GPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The build that was found, and what was passed over on the way to it."""

    found: Candidate | None
    passed_over: tuple[PassedOver, ...] = ()


def search(wish: Wish, machine: Machine, matrices: Matrices) -> Search:
    """The best build of the newest release that has one for this machine."""
    passed: list[PassedOver] = []
    for version in reversed(matrices.versions(wish.framework)):
        release = matrices.find_release(wish.framework, version)
        if release is None:
            continue
        found, over = look_at(release, wish, machine, matrices)
        passed.extend(over)
        if found:
            best = min(found, key=preference)
            passed.extend(_less_good(found, best, wish))
            return Search(found=best, passed_over=tuple(passed))
    return Search(found=None, passed_over=tuple(passed))


def look_at(
    release: Release, wish: Wish, machine: Machine, matrices: Matrices
) -> tuple[list[Candidate], list[PassedOver]]:
    """The release's builds that work here, and why the others do not."""
    obstacle = _first(release, wish, machine)
    if obstacle is not None:
        return [], [_over(wish, release, (), obstacle)]
    found: list[Candidate] = []
    against: dict[Obstacle, list[Variant]] = {}
    for variant in _variants(release, wish, machine):
        problem = _first_obstacle(release, variant, wish, machine, matrices)
        if problem is None:
            found.append(_candidate(release, variant, machine, matrices))
        else:
            against.setdefault(problem, []).append(variant)
    if not found and not against:
        kind = "CPU" if wish.is_cpu else "CUDA"
        where = f" on {wish.channel}" if wish.channel else ""
        reason = f"no {kind} build for {machine.platform}{where}"
        return [], [_over(wish, release, (), Obstacle(kind="no-wheel", reason=reason))]
    over = [_over(wish, release, names, why) for why, names in against.items()]
    return found, over


def _first(release: Release, wish: Wish, machine: Machine) -> Obstacle | None:
    every = (*release_obstacles(release, machine), *_wish_obstacles(release, wish))
    if wish.is_cpu:  # the search path of NVIDIA's wheels plays no part
        every = tuple(o for o in every if o.kind != "loader")
    return next(iter(every), None)


def _wish_obstacles(release: Release, wish: Wish) -> Iterator[Obstacle]:
    spec = wish.request.constraints.get(wish.framework)
    if spec:
        from packaging.specifiers import SpecifierSet

        if not SpecifierSet(spec).contains(release.version, prereleases=True):
            yield Obstacle(kind="constraint", reason=f"outside {wish.framework}{spec}")
    if wish.framework == "torch":
        for name in wish.request.companions:
            if companion_version(release, name) is None:
                reason = f"no {name} for it in our data"
                yield Obstacle(kind="companion", reason=reason)
    needs_libraries = not wish.is_cpu and wish.channel is None
    if wish.framework == "tensorflow" and needs_libraries:
        if "and-cuda" not in release.extras:
            yield Obstacle(
                kind="libraries",
                reason="has no `and-cuda` extra: it needs CUDA and cuDNN installed"
                " on the system",
            )


def companion_version(release: Release, name: str) -> str | None:
    """The newest release of a partner that goes with this one."""
    known = [v for v in release.companions.get(name, ()) if v[:1].isdigit()]
    return known[-1] if known else None


def _variants(release: Release, wish: Wish, machine: Machine) -> list[Variant]:
    if wish.is_cpu:
        names = (wish.framework, "pytorch", "tensorflow-cpu")
        return [
            v
            for v in (release.conda if wish.channel else release.variants)
            if v.cuda is None
            and v.variant == "cpu"
            and v.package in names
            and machine.platform in v.platforms
            and wish.channel in (None, v.index)
        ]
    return [
        v
        for v in (release.conda if wish.channel else release.variants)
        if v.cuda is not None
        and is_for(release, v, machine)
        and wish.channel in (None, v.index)
    ]


def _first_obstacle(
    release: Release,
    variant: Variant,
    wish: Wish,
    machine: Machine,
    matrices: Matrices,
) -> Obstacle | None:
    problem = next(variant_obstacles(release, variant, machine, matrices), None)
    if problem is None and wish.is_native:
        for verdict in gpu_verdicts(release, variant, machine, matrices):
            if verdict.how not in NATIVE:
                return Obstacle(kind="ptx", reason=f"no native code: {verdict.reason}")
    return problem


def _candidate(
    release: Release, variant: Variant, machine: Machine, matrices: Matrices
) -> Candidate:
    cuda = variant.cuda
    return Candidate(
        release=release,
        variant=variant,
        gpu_verdicts=gpu_verdicts(release, variant, machine, matrices) if cuda else (),
        driver_verdict=driver_verdict(cuda, machine, matrices) if cuda else None,
    )


def _less_good(
    found: list[Candidate], best: Candidate, wish: Wish
) -> Iterator[PassedOver]:
    chosen = label(best.variant)
    for other in found:
        if other is best or label(other.variant) == chosen:
            continue
        reason = f"works too; {chosen} is preferred{_because(best, other)}"
        why = Obstacle(kind="preferred", reason=reason)
        yield _over(wish, other.release, [other.variant], why)


def _because(best: Candidate, other: Candidate) -> str:
    mine, its = preference(best), preference(other)
    reasons = (
        ": its code needs no compiling at the first start",
        ": the driver itself speaks its CUDA",
        ": it comes from PyPI",
        ": the newer CUDA",
    )
    differing = (r for m, i, r in zip(mine, its, reasons, strict=True) if m != i)
    return next(differing, "")


def label(variant: Variant) -> str:
    """How a build is called in lists: cu126, "cu128 on PyPI", "cuda129*"."""
    if variant.build:
        return variant.build
    return f"{variant.variant} on PyPI" if variant.index == "pypi" else variant.variant


def _over(
    wish: Wish,
    release: Release,
    variants: list[Variant] | tuple[()],
    obstacle: Obstacle,
) -> PassedOver:
    return PassedOver(
        framework=wish.framework,
        version=release.version,
        variants=tuple(dict.fromkeys(label(v) for v in variants)),
        kind=obstacle.kind,
        reason=obstacle.reason,
    )
