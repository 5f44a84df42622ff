"""PyTorch and TensorFlow in one environment: recorded pairs, inferred ones, conda.

Wheels for two CUDA majors overwrite each other's files, so a pair always has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.model.plan import PassedOver
from fwdoctor.solve.candidates import preference
from fwdoctor.solve.gpu_extra import AND_CUDA
from fwdoctor.solve.pins import choose_python
from fwdoctor.solve.search import label, look_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Pair
    from fwdoctor.solve.candidates import Candidate, Machine
    from fwdoctor.solve.search import Wish


CONDA_FORGE = "conda-forge"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPairs:
    """What is recorded of pairs: wheels by version, conda builds by platform too."""

    wheels: Mapping[tuple[str, str], Pair]
    conda: Mapping[tuple[str, str, str | None], Pair]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Two builds for one environment, and how it is known that they agree."""

    torch: Candidate
    tensorflow: Candidate
    how: str
    confidence: str
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Whether two builds can share an environment, and why or why not."""

    ok: bool
    how: str
    confidence: str


def find_joint(
    torch: Wish, tensorflow: Wish, machine: Machine, matrices: Matrices
) -> Joint | None:
    """The newest TensorFlow with the newest PyTorch that shares an environment.

    Measured pairs come before inferred ones.
    """
    every_torch = list(_builds(torch, machine, matrices))
    every_tensorflow = list(_builds(tensorflow, machine, matrices))
    known = known_pairs(matrices)
    for wanted in ("measured", "inferred"):
        for build in every_tensorflow:
            for other in every_torch:
                found = agree(other, build, known, machine)
                if not found.ok or found.confidence != wanted:
                    continue
                if choose_python((other, build), machine, matrices) is None:
                    continue
                return Joint(
                    torch=other,
                    tensorflow=build,
                    how=found.how,
                    confidence=found.confidence,
                    passed_over=tuple(
                        _newer(every_torch, other, build, known, machine)
                    ),
                )
    return None


def _builds(wish: Wish, machine: Machine, matrices: Matrices) -> Iterator[Candidate]:
    """Builds that run here, newest release first, the best of each first."""
    for version in reversed(matrices.versions(wish.framework)):
        release = matrices.find_release(wish.framework, version)
        if release is not None:
            found, _ = look_at(release, wish, machine, matrices)
            yield from sorted(found, key=preference)


def known_pairs(matrices: Matrices) -> KnownPairs:
    """Pairs with NVIDIA's wheels, and what is inferred of those of conda-forge."""
    return KnownPairs(
        wheels={
            (pair.torch, pair.tensorflow): pair
            for pair in matrices.pairs()
            if pair.extra == AND_CUDA
        },
        conda={
            (pair.torch, pair.tensorflow, pair.platform): pair
            for pair in matrices.conda_pairs()
        },
    )


def agree(
    torch: Candidate,
    tensorflow: Candidate,
    known: KnownPairs,
    machine: Machine,
) -> Agreement:
    """Can these two builds share one environment?"""
    mine, its = torch.variant, tensorflow.variant
    if mine.cuda is None or its.cuda is None:
        return Agreement(ok=True, how="neither needs CUDA", confidence="measured")
    if mine.build and its.build:
        return _agree_on_conda(torch, tensorflow, known, machine)
    if mine.build or its.build:
        how = "one comes as a conda package, the other as a wheel"
        return Agreement(ok=False, how=how, confidence="documented")
    if mine.cuda.major != its.cuda.major:
        shared = f"CUDA {mine.cuda.major} and CUDA {its.cuda.major}"
        how = f"the wheels for {shared} overwrite each other's files"
        return Agreement(ok=False, how=how, confidence="measured")
    pair = known.wheels.get((torch.release.version, tensorflow.release.version))
    if mine.index == "pypi" and pair is not None:
        return _as_measured(pair, machine)
    return _by_pins(torch, tensorflow)


def _as_measured(pair: Pair, machine: Machine) -> Agreement:
    names = ", ".join(pair.colliding[:4])
    if pair.outcome == "clobber":
        how = f"files of two CUDA majors overwrite each other: {names}"
        return Agreement(ok=False, how=how, confidence="measured")
    if pair.outcome != "clean":
        how = f"their pins collide: {names}" if names else "their pins collide"
        return Agreement(ok=False, how=how, confidence="measured")
    if machine.python is not None and machine.python not in pair.python:
        how = f"resolves for Python {pair.python[0]} to {pair.python[-1]} only"
        return Agreement(ok=False, how=how, confidence="measured")
    how = "their pins were resolved together from PyPI without a collision"
    return Agreement(ok=True, how=how, confidence="measured")


def _by_pins(torch: Candidate, tensorflow: Candidate) -> Agreement:
    """Specifier against specifier; PyTorch's index is not resolved against."""
    colliding = sorted(colliding_pins(torch, tensorflow))
    if colliding:
        how = f"their pins collide: {', '.join(colliding[:4])}"
        return Agreement(ok=False, how=how, confidence="inferred")
    how = (
        "their pins do not collide as far as they are recorded; inferred, not resolved:"
        " check with `fwdoctor env --verify`"
    )
    return Agreement(ok=True, how=how, confidence="inferred")


def colliding_pins(torch: Candidate, tensorflow: Candidate) -> Iterator[str]:
    """NVIDIA wheels that the two want in versions that exclude each other."""
    from packaging.specifiers import SpecifierSet

    pins = torch.variant.nvidia_pins
    mine, its = torch.variant.cuda, tensorflow.variant.cuda
    for name, spec in tensorflow.release.extras.get(AND_CUDA, {}).items():
        exact = pins.get(name, "").removeprefix("==")
        if exact[:1].isdigit():
            if not SpecifierSet(spec).contains(exact, prereleases=True):
                yield name
        elif spec.startswith("==") or (mine is not None and its and mine < its):
            # What PyTorch pins is not recorded: a range may hold it, when it is for
            # the same or a newer CUDA; an exact pin is not taken for agreement.
            yield name


def _agree_on_conda(
    torch: Candidate, tensorflow: Candidate, known: KnownPairs, machine: Machine
) -> Agreement:
    mine, its = torch.variant, tensorflow.variant
    if mine.index != its.index or mine.cuda is None or its.cuda is None:
        how = f"they come from {mine.index} and {its.index}, which do not mix"
        return Agreement(ok=False, how=how, confidence="documented")
    if mine.cuda.major != its.cuda.major:
        how = f"built for CUDA {mine.cuda} and CUDA {its.cuda}"
        return Agreement(ok=False, how=how, confidence="documented")
    key = (torch.release.version, tensorflow.release.version, machine.platform)
    pair = known.conda.get(key) if mine.index == CONDA_FORGE else None
    if pair is not None and pair.outcome != "unknown":
        return _by_recipes(pair, torch, tensorflow)
    how = (
        f"{mine.index} builds both for CUDA {mine.cuda.major}, and conda keeps one"
        " copy of each library; inferred, not resolved: check with"
        " `fwdoctor env --verify`"
    )
    return Agreement(ok=True, how=how, confidence="inferred")


def _by_recipes(pair: Pair, torch: Candidate, tensorflow: Candidate) -> Agreement:
    """What the pins in the two recipes say of these builds."""
    if (torch.variant.build, tensorflow.variant.build) in pair.builds:
        how = (
            f"{CONDA_FORGE} pins both to the same libraries; inferred, not resolved:"
            " check with `fwdoctor env --verify`"
        )
        return Agreement(ok=True, how=how, confidence="inferred")
    names = ", ".join(pair.colliding) or "libraries"
    how = f"{CONDA_FORGE} built them for different versions of {names}"
    return Agreement(ok=False, how=how, confidence="inferred")


def _newer(
    every_torch: list[Candidate],
    chosen: Candidate,
    tensorflow: Candidate,
    known: KnownPairs,
    machine: Machine,
) -> Iterator[PassedOver]:
    """PyTorch releases that run here and were not taken because of TensorFlow."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for build in every_torch:
        if build.release.version == chosen.release.version:
            break
        found = agree(build, tensorflow, known, machine)
        if not found.ok:
            key = (build.release.version, found.how)
            reasons.setdefault(key, []).append(label(build.variant))
    versions = [version for version, _ in reasons]
    for (version, how), builds in reasons.items():
        yield PassedOver(
            framework="torch",
            version=version,
            variants=tuple(builds) if versions.count(version) > 1 else (),
            kind="pair",
            reason=f"beside tensorflow {tensorflow.release.version} {how}",
        )
