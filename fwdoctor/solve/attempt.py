"""One try at a request on one machine: which environments would serve it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor.model.plan import CONDA_FAMILY, PassedOver, PlanEnvironment
from fwdoctor.presence import FRAMEWORK_NAMES
from fwdoctor.solve.both import find_joint
from fwdoctor.solve.pins import environment_of, framework_of
from fwdoctor.solve.search import Search, Wish, search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.plan import FrameworkName, Manager, Request
    from fwdoctor.solve.candidates import Candidate, Machine

# In this order: conda-forge first, Anaconda's own channel where that has nothing.
CHANNELS = ("conda-forge", "defaults")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What stays the same over all tries for one request."""

    request: Request
    machine: Machine
    matrices: Matrices
    managers: tuple[Manager, ...]  # to try, in order
    is_cpu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a try came to."""

    environments: tuple[PlanEnvironment, ...] = ()
    builds: tuple[Candidate, ...] = ()
    missing: tuple[FrameworkName, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    notes: tuple[str, ...] = ()


def attempt(task: Task, *, is_native: bool = False) -> Attempt:
    """The best environments for this machine as it is."""
    doubtful: Attempt | None = None
    if len(task.request.frameworks) > 1:
        for joint in _joints(task, is_native=is_native):
            if not _is_doubtful(joint, task):
                return joint
            doubtful = doubtful or joint
    apart = _apart(task, is_native=is_native)
    # Two environments have to be surer than one, or they are no gain.
    is_no_surer = apart.missing or _is_doubtful(apart, task)
    return doubtful if doubtful is not None and is_no_surer else apart


def wish_of(
    task: Task, framework: FrameworkName, channel: str | None, *, is_native: bool
) -> Wish:
    """What a search for this framework has to respect."""
    return Wish(
        framework=framework,
        request=task.request,
        channel=channel,
        is_cpu=task.is_cpu,
        is_native=is_native and not task.is_cpu,
    )


def machine_for(task: Task, manager: Manager) -> Machine:
    """The machine as this manager's packages meet it."""
    return replace(task.machine, is_conda=manager in CONDA_FAMILY)


def channels_of(manager: Manager) -> tuple[str | None, ...]:
    """Where this manager's builds come from; None for wheels."""
    return CHANNELS if manager in CONDA_FAMILY else (None,)


def single(
    task: Task, framework: FrameworkName, manager: Manager, *, is_native: bool = False
) -> Search:
    """One framework with one manager."""
    machine = machine_for(task, manager)
    result = Search(found=None)
    for channel in channels_of(manager):
        wish = wish_of(task, framework, channel, is_native=is_native)
        tried = search(wish, machine, task.matrices)
        if tried.found is not None:
            return tried
        result = result if result.passed_over else tried
    return result


def _joints(task: Task, *, is_native: bool) -> Iterator[Attempt]:
    """Both frameworks in one environment, by manager and channel, in their order."""
    for manager in task.managers:
        yield from _joints_of(task, manager, is_native=is_native)


def _joints_of(task: Task, manager: Manager, *, is_native: bool) -> Iterator[Attempt]:
    machine = machine_for(task, manager)
    for channel in channels_of(manager):
        wishes = [
            wish_of(task, name, channel, is_native=is_native)
            for name in ("torch", "tensorflow")
        ]
        joint = find_joint(wishes[0], wishes[1], machine, task.matrices)
        if joint is None:
            continue
        builds = (joint.torch, joint.tensorflow)
        environment = environment_of(
            "torch-tensorflow",
            builds,
            machine,
            task.matrices,
            task.request,
            manager=manager,
            why=(f"both in one environment: {joint.how}",),
        )
        if environment is None:
            continue
        alone = single(task, "tensorflow", manager, is_native=is_native)
        newer = single(task, "torch", manager, is_native=is_native)
        yield Attempt(
            environments=(environment,),
            builds=builds,
            passed_over=_merged(
                joint.passed_over, newer.passed_over, alone.passed_over
            ),
            notes=_newer_alone(builds, newer, manager),
        )


def _is_doubtful(tried: Attempt, task: Task) -> bool:
    """Conda builds held at an older cuDNN: not known to exist; others come first."""
    return len(task.managers) > 1 and all(
        planned.is_conda and any(not pin.is_exact for pin in planned.pins)
        for planned in tried.environments
    )


def _newer_alone(
    builds: tuple[Candidate, ...], newer: Search, manager: Manager
) -> tuple[str, ...]:
    """That PyTorch alone could be newer, where it could."""
    torch = builds[0].release.version
    if newer.found is None or newer.found.release.version == torch:
        return ()
    found = newer.found.release.version
    where = "conda" if manager in CONDA_FAMILY else "wheels"
    alone = f"in an environment of its own torch could be {found} ({where})"
    return (f"{alone}: `fwdoctor recommend --for torch`",)


def _merged(*groups: tuple[PassedOver, ...]) -> tuple[PassedOver, ...]:
    """All reasons once; what works alone as well is no reason beside another."""
    every = dict.fromkeys(item for group in groups for item in group)
    return tuple(item for item in every if item.kind != "preferred")


def _apart(task: Task, *, is_native: bool) -> Attempt:
    """Each framework in an environment of its own."""
    environments: list[PlanEnvironment] = []
    builds: list[Candidate] = []
    missing: list[FrameworkName] = []
    passed: list[PassedOver] = []
    notes: list[str] = []
    for framework in task.request.frameworks:
        for manager in task.managers:
            tried = single(task, framework, manager, is_native=is_native)
            passed.extend(tried.passed_over)
            if tried.found is None:
                continue
            environment = environment_of(
                framework,
                (tried.found,),
                machine_for(task, manager),
                task.matrices,
                task.request,
                manager=manager,
            )
            if environment is None:
                continue
            if manager != task.managers[0]:
                notes.append(_other_manager(framework, task.managers[0], tried.found))
            notes.extend(_newer_elsewhere(task, framework, manager, tried.found))
            environments.append(environment)
            builds.append(tried.found)
            break
        else:
            missing.append(framework)
    if len(environments) > 1:
        notes.append(_why_apart(builds, task))
    return Attempt(
        environments=tuple(environments),
        builds=tuple(builds),
        missing=tuple(missing),
        passed_over=tuple(dict.fromkeys(passed)),
        notes=tuple(notes),
    )


def _newer_elsewhere(
    task: Task, framework: FrameworkName, manager: Manager, found: Candidate
) -> tuple[str, ...]:
    """That a later manager in the order has a newer release, where it has."""
    from packaging.version import Version

    for other in task.managers[task.managers.index(manager) + 1 :]:
        newer = single(task, framework, other).found
        if newer is None:
            continue
        version = newer.release.version
        if Version(version) > Version(found.release.version):
            where = newer.variant.index if newer.variant.build else "PyPI"
            name = f"{framework} {version}"
            return (f"{where} has {name} for this machine: --manager {other}",)
    return ()


def _other_manager(framework: FrameworkName, manager: Manager, found: Candidate) -> str:
    source = "PyPI" if manager not in CONDA_FAMILY else "conda-forge"
    where = found.variant.index if found.variant.build else "PyPI"
    title = FRAMEWORK_NAMES[framework]
    return f"{source} has no {title} build for this machine, {where} has"


def _why_apart(builds: list[Candidate], task: Task) -> str:
    """The collision that keeps the two builds apart."""
    from fwdoctor.solve.both import agree, known_pairs

    by_name = {framework_of(build): build for build in builds}
    torch, tensorflow = by_name["torch"], by_name["tensorflow"]
    known = known_pairs(task.matrices)
    found = agree(torch, tensorflow, known, task.machine)
    names = f"torch {torch.release.version} and tensorflow {tensorflow.release.version}"
    if found.ok:
        return f"{names} have no Python version in common, so each has its own"
    return f"{names} cannot share one environment: {found.how}"
