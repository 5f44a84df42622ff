"""When nothing fits: the smallest change that would make it fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import compat, fixes
from fwdoctor.driver_branches import driver_branch_for
from fwdoctor.model.plan import CONDA_FAMILY, Change
from fwdoctor.solve.attempt import single
from fwdoctor.solve.pins import usual_python
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.matrix import DriverBranch
    from fwdoctor.model.plan import FrameworkName
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.solve.attempt import Task
    from fwdoctor.solve.candidates import Candidate, Machine
    from fwdoctor.versions import ComputeCapability


def changes_for(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> tuple[Change, ...]:
    """Single changes that would do, least effort first; else several together."""
    found = tuple(
        change
        for make in (_constraint, _python, _channel, _driver, _platform)
        for change in make(framework, task, snapshot)
    )
    return found or tuple(_together(framework, task, snapshot))


def _first(framework: FrameworkName, task: Task) -> Candidate | None:
    for manager in task.managers:
        found = single(task, framework, manager).found
        if found is not None:
            return found
    return None


def _gives(build: Candidate) -> str:
    name = f"{build.release.framework} {build.release.version}"
    cuda = f", CUDA {build.variant.cuda}" if build.variant.cuda else ", CPU only"
    index = build.variant.index
    source = "PyPI" if index == "pypi" else index
    return f"{name}{cuda}, from {source}"


def _constraint(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> Iterator[Change]:
    del snapshot
    request = task.request
    spec = request.constraints.get(framework)
    if spec is not None:
        rest = {k: v for k, v in request.constraints.items() if k != framework}
        free = replace(task, request=replace(request, constraints=rest))
        build = _first(framework, free)
        if build is not None:
            what = f"drop the constraint {framework}{spec}"
            yield Change(kind="constraint", what=what, gives=_gives(build))
    if request.companions and framework == "torch":
        free = replace(task, request=replace(request, companions=()))
        build = _first(framework, free)
        if build is not None:
            what = f"do without {' and '.join(request.companions)}"
            yield Change(kind="constraint", what=what, gives=_gives(build))


def _python(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> Iterator[Change]:
    del snapshot
    if task.machine.python is None:
        return
    free = replace(task, machine=replace(task.machine, python=None))
    build = _first(framework, free)
    if build is None:
        return
    python = _near_python(build, task)
    yield Change(
        kind="python",
        what=f"make the environment with Python {python}",
        gives=_gives(build),
    )


def _near_python(build: Candidate, task: Task) -> str:
    """The build's Python nearest to the wished one."""
    pythons = build.variant.python or build.release.python

    def distance(python: str) -> tuple[int, int]:
        wished = task.machine.python or usual_python(task.matrices)
        return abs(_minor(python) - _minor(wished)), -_minor(python)

    return min(pythons, key=distance)


def _minor(python: str) -> int:
    major, _, minor = python.partition(".")
    return int(major) * 100 + int(minor or 0)


def _channel(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> Iterator[Change]:
    del snapshot
    if task.request.manager is None:
        return
    is_conda = task.request.manager in CONDA_FAMILY
    other = replace(task, managers=("pip",) if is_conda else ("conda",))
    build = _first(framework, other)
    if build is not None:
        index = build.variant.index
        what = (
            "take wheels with pip" if is_conda else f"take it with conda from {index}"
        )
        yield Change(kind="channel", what=what, gives=_gives(build))


def _driver(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> Iterator[Change]:
    found = _with_newer_driver(framework, task)
    if found is not None:
        branch, build = found
        yield _upgrade(branch, build, task, snapshot)


def _with_newer_driver(
    framework: FrameworkName, task: Task
) -> tuple[DriverBranch, Candidate] | None:
    """The oldest newer driver branch with a build, and that build."""
    for branch in _newer_branches(task):
        machine = replace(
            task.machine,
            driver=_branch_alone(branch),
            driver_cuda=branch.cuda,
            os_name="linux",
        )
        build = _first(framework, replace(task, machine=machine))
        if build is not None:
            return branch, build
    return None


def _branch_alone(branch: DriverBranch) -> DriverVersion:
    """Some driver of the branch, of which the newest is what one installs."""
    return DriverVersion((branch.branch,), str(branch.branch))


def _newer_branches(task: Task) -> Iterator[DriverBranch]:
    """Branches for this machine's GPUs that speak more CUDA than its driver."""
    machine = task.machine
    speaks = machine.driver_cuda
    for branch in task.matrices.driver_branches():
        if branch.platform != "linux" or branch.cuda is None or speaks is None:
            continue
        if branch.cuda > speaks and all(
            _drives(branch, machine, task, number)
            for number in range(len(machine.capabilities))
        ):
            yield branch


def _drives(branch: DriverBranch, machine: Machine, task: Task, number: int) -> bool:
    version = DriverVersion.parse(f"{branch.branch}.0")
    cc = machine.capabilities[number]
    return compat.driver_drives(cc, version, task.matrices).ok is not False


def _upgrade(
    branch: DriverBranch, build: Candidate, task: Task, snapshot: Snapshot
) -> Change:
    if task.machine.os_name == "windows":
        what = f"upgrade the Windows driver to one that speaks CUDA {branch.cuda}"
        return Change(kind="driver", what=what, gives=_gives(build))
    least = DriverVersion.parse(f"{branch.branch}.0")
    fix = fixes.driver_upgrade(snapshot, task.matrices, least)
    kept = driver_branch_for(snapshot, task.matrices, least)
    alive = (
        f" (R{kept.branch} is the long-lived branch supported today)"
        if kept is not None and kept.branch != branch.branch
        else ""
    )
    return Change(
        kind="driver",
        what=f"upgrade the driver to R{branch.branch} or newer{alive}",
        gives=_gives(build),
        commands=fix.commands,
    )


def driver_change(
    cc: ComputeCapability, task: Task, snapshot: Snapshot
) -> Change | None:
    """The driver branch a GPU needs that the installed driver does not support."""
    device = task.matrices.find_architecture(cc)
    driver = task.machine.driver
    if device is None or driver is None:
        return None
    last, first = device.last_driver_branch, device.first_driver_branch
    wanted = last if last is not None and driver.branch > last else first
    branch = next(
        (b for b in task.matrices.driver_branches() if b.branch == wanted), None
    )
    if branch is None:
        return None
    machine = replace(
        task.machine,
        capabilities=(cc,),
        driver=_branch_alone(branch),
        driver_cuda=branch.cuda,
    )
    then = replace(task, machine=machine)
    builds = [b for name in task.request.frameworks if (b := _first(name, then))]
    title = device.architecture.capitalize()
    if wanted == last:
        what = f"go back to driver branch R{last}, the last for {title} GPUs"
        commands = fixes.driver_install(snapshot, branch.branch, is_open=False)
    else:
        what = f"upgrade the driver to R{first} or newer, the first for this GPU"
        least = DriverVersion.parse(f"{branch.branch}.0")
        commands = fixes.driver_upgrade(snapshot, task.matrices, least).commands
    gives = " and ".join(_gives(build) for build in builds)
    return Change(kind="driver", what=what, gives=gives, commands=commands)


def _platform(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> Iterator[Change]:
    del snapshot
    if not task.machine.platform.startswith("windows"):
        return
    linux = task.machine.platform.replace("windows", "linux")
    build = _first(framework, replace(task, machine=_on(task.machine, linux)))
    if build is not None:
        what = "install it in WSL 2, with this Windows driver"
        yield Change(kind="platform", what=what, gives=_gives(build))


def _on(machine: Machine, platform: str) -> Machine:
    return replace(machine, platform=platform)


def _together(
    framework: FrameworkName, task: Task, snapshot: Snapshot
) -> Iterator[Change]:
    """Several changes at once, then giving up the GPU."""
    request = replace(task.request, constraints={}, companions=(), manager=None)
    machine = replace(task.machine, python=None)
    free = replace(task, request=request, machine=machine, managers=("pip", "conda"))
    build = _first(framework, free)
    if build is not None:
        what = f"give up more than one wish: {_wishes(task)}"
        yield Change(kind="constraint", what=what, gives=_gives(build))
        return
    found = _with_newer_driver(framework, free)
    if found is not None:
        upgrade = _upgrade(*found, free, snapshot)
        also = _wishes(task)
        yield replace(upgrade, what=f"{upgrade.what}{f', and {also}' if also else ''}")
        return
    for change in _platform(framework, free, snapshot):
        also = _wishes(task)
        yield replace(change, what=f"{change.what}{f', and {also}' if also else ''}")
        return
    cpu = replace(free, is_cpu=True, request=replace(request, constraints={}))
    build = _first(framework, cpu)
    if build is not None:
        what = "use the CPU: no release in our data serves this GPU here"
        yield Change(kind="gpu", what=what, gives=_gives(build))


def _wishes(task: Task) -> str:
    request = task.request
    parts = [f"{name}{spec}" for name, spec in sorted(request.constraints.items())]
    if task.machine.python:
        parts.append(f"Python {task.machine.python}")
    if request.manager:
        parts.append(request.manager)
    parts.extend(request.companions)
    return f"let go of {', '.join(parts)}" if parts else ""
