"""From a snapshot and a request to a Plan: `solve`."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.errors import ExitCode, SolveError
from fwdoctor.model.plan import CONDA_FAMILY, Plan, Target
from fwdoctor.solve.attempt import Attempt, Task, attempt
from fwdoctor.solve.candidates import machine_of
from fwdoctor.solve.changes import changes_for, driver_change
from fwdoctor.solve.pins import newest_final
from fwdoctor.solve.provenance import sources_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.plan import Manager, PlanOutcome, Request, SourceNote
    from fwdoctor.model.snapshot import Gpu, Snapshot
    from fwdoctor.solve.candidates import Machine
    from fwdoctor.versions import ComputeCapability

_MANAGERS: dict[str, Manager] = {
    "uv": "uv",
    "conda": "conda",
    "mamba": "conda",
    "pixi": "pixi",
}


class NotEnoughFactsError(SolveError):
    """What a plan hangs on is not known of the machine."""

    exit_code = ExitCode.NOT_ENOUGH_FACTS


def solve(
    snapshot: Snapshot,
    matrices: Matrices,
    request: Request,
    *,
    is_cpu: bool = False,
    is_any_gpu: bool = False,
) -> Plan:
    """The plan for this machine; never empty: what is impossible has its changes.

    `is_cpu` wants CPU builds whatever there is; `is_any_gpu` plans for some NVIDIA GPU
    where none is seen.
    """
    target = target_of(snapshot, matrices)
    if is_cpu:
        target = replace(target, has_gpu=False, capabilities=())
    elif is_any_gpu and not target.has_gpu:
        target = replace(target, has_gpu=None)
    elif target.has_gpu is None and not _is_telling(target):
        raise NotEnoughFactsError(
            "no-gpu-facts",
            "it is not known whether this machine has an NVIDIA GPU",
            hint='name it: --target "gpu=RTX 4090,driver=550.54.14", or gpu=none',
        )
    machine = replace(
        machine_of(snapshot),
        capabilities=target.capabilities,
        python=request.python or target.python,
    )
    task = Task(
        request=request,
        machine=machine,
        matrices=matrices,
        managers=managers_for(snapshot, request),
        is_cpu=target.has_gpu is False,
    )
    undriven = tuple(_undriven(task))
    if undriven and len(undriven) == len(target.capabilities):
        return _impossible(target, task, snapshot)
    driven = tuple(cc for cc in target.capabilities if cc not in undriven)
    return _best_plan(target, _with_gpus(task, driven), snapshot)


def _is_telling(target: Target) -> bool:
    """Whether a GPU or something of its driver is known."""
    has_driver = target.driver is not None or target.driver_cuda is not None
    return bool(target.capabilities) or has_driver


def target_of(snapshot: Snapshot, matrices: Matrices) -> Target:
    """The machine, as plans and files name it."""
    machine = machine_of(snapshot)
    gpus = snapshot.gpus or _gpus_on_bus(snapshot, matrices)
    return Target(
        gpus=tuple(gpu.name or f"GPU {gpu.index}" for gpu in gpus),
        gpu_keys=tuple(_key_of(gpu, matrices) for gpu in gpus),
        capabilities=tuple(sorted({cc for g in gpus if (cc := g.compute_capability)})),
        driver=machine.driver,
        driver_cuda=machine.driver_cuda,
        platform=machine.platform,
        is_wsl=snapshot.host.is_wsl is True,
        python=machine.python,
        glibc=machine.glibc,
        has_gpu=presence.has_nvidia_gpu(snapshot),
        created_at=snapshot.created_at,
    )


def _key_of(gpu: Gpu, matrices: Matrices) -> str:
    """The GPU's name where our data have it, else its compute capability."""
    name = (gpu.name or "").removeprefix("NVIDIA ").removeprefix("GeForce ")
    known = matrices.find_gpu(name) if name else None
    if known is not None and known.compute_capability == gpu.compute_capability:
        return name
    return str(gpu.compute_capability or "")


def _gpus_on_bus(snapshot: Snapshot, matrices: Matrices) -> tuple[Gpu, ...]:
    """GPUs known from the PCI bus alone, where no driver answers."""
    from fwdoctor.model.snapshot import Gpu

    devices = [
        d for d in snapshot.pci or () if d.vendor == "nvidia" and d.kind == "gpu"
    ]
    known = [matrices.find_gpu_by_device_id(device.device_id) for device in devices]
    return tuple(
        Gpu(index=i, name=model.name, compute_capability=model.compute_capability)
        for i, model in enumerate(known)
        if model is not None
    )


def managers_for(snapshot: Snapshot, request: Request) -> tuple[Manager, ...]:
    """The wished manager alone; else the environment's own first, then the others."""
    if request.manager is not None:
        return (request.manager,)
    target = snapshot.target
    own = _MANAGERS.get((target.manager if target else None) or "", "pip")
    return (own, "pip" if own in CONDA_FAMILY else "conda")


def _undriven(task: Task) -> Iterator[ComputeCapability]:
    """GPUs that the machine's driver branch does not support."""
    machine = task.machine
    if machine.driver is None or machine.os_name == "windows":
        return
    for cc in machine.capabilities:
        verdict = compat.driver_drives(cc, machine.driver, task.matrices)
        if verdict.ok is False:
            yield cc


def _with_gpus(task: Task, gpus: tuple[ComputeCapability, ...]) -> Task:
    return replace(task, machine=replace(task.machine, capabilities=gpus))


def _best_plan(target: Target, task: Task, snapshot: Snapshot) -> Plan:
    """Everything for all GPUs; else for fewer GPUs; else what is possible."""
    partial: tuple[Task, Attempt] | None = None
    for gpus in _subsets(task.machine.capabilities):
        for tried, found in _tries(_with_gpus(task, gpus)):
            if not found.missing:
                return _plan(target, task, tried, found, snapshot)
            if partial is None or len(found.missing) < len(partial[1].missing):
                partial = (tried, found)
    assert partial is not None  # noqa: S101  # there is always one try
    return _plan(target, task, *partial, snapshot)


def _subsets(
    gpus: tuple[ComputeCapability, ...],
) -> Iterator[tuple[ComputeCapability, ...]]:
    """All GPUs, then fewer, newer ones first; at least one."""
    for size in range(len(gpus), 0, -1):
        yield from reversed(tuple(combinations(gpus, size)))
    if not gpus:
        yield ()


def _tries(task: Task) -> Iterator[tuple[Task, Attempt]]:
    """As wished, then without native code, then with a Python of our choosing."""
    machine = task.machine
    pythons = [machine.python]
    if machine.python is not None and task.request.python is None:
        pythons.append(None)
    wants_native = task.request.prefer == "native" and not task.is_cpu
    for python in pythons:
        tried = replace(task, machine=replace(machine, python=python))
        if wants_native:
            yield tried, attempt(tried, is_native=True)
    for python in pythons:
        tried = replace(task, machine=replace(machine, python=python))
        yield tried, attempt(tried)


def _plan(
    target: Target, task: Task, tried: Task, found: Attempt, snapshot: Snapshot
) -> Plan:
    left_out = _left_out(snapshot, tried.machine.capabilities)
    outcome: PlanOutcome = "partial" if found.missing else "complete"
    changes = tuple(
        change
        for framework in found.missing
        for change in changes_for(framework, task, snapshot)
    )
    plan = Plan(
        outcome="impossible" if not found.environments else outcome,
        headline="",
        target=target,
        request=task.request,
        environments=found.environments,
        missing=found.missing,
        left_out=left_out,
        notes=tuple(dict.fromkeys((*_notes(target, task, tried, found), *found.notes))),
        passed_over=found.passed_over,
        changes=tuple(dict.fromkeys(changes)),
        sources=_sources(found, tried.machine, task.matrices),
    )
    return replace(plan, headline=_headline(plan))


def _left_out(
    snapshot: Snapshot, served: tuple[ComputeCapability, ...]
) -> tuple[str, ...]:
    return tuple(
        f"{gpu.name or f'GPU {gpu.index}'} (GPU {gpu.index})"
        for gpu in snapshot.gpus or ()
        if gpu.compute_capability is not None and gpu.compute_capability not in served
    )


def _notes(target: Target, task: Task, tried: Task, found: Attempt) -> Iterator[str]:
    machine, request = tried.machine, task.request
    if not task.is_cpu and machine.driver is None and machine.driver_cuda is None:
        yield "the driver is not known: each environment names the least it needs"
    if not task.is_cpu and not machine.capabilities:
        yield "the GPU is not known: whether the builds have code for it was not judged"
    if request.prefer == "native" and _is_compiling(found):
        yield "no build has native code for this GPU: the driver compiles it at start"
    elif _is_compiling(found):
        yield (
            "the driver compiles GPU code at the first start, which takes minutes;"
            " the result is kept"
        )
    if target.python and machine.python is None and request.python is None:
        chosen = sorted({env.python for env in found.environments})
        if chosen and chosen != [target.python]:
            yield (
                f"Python {target.python} of this environment does not serve:"
                f" make a new one with Python {' and '.join(chosen)}"
            )
    yield from _python_notes(task)


def _python_notes(task: Task) -> Iterator[str]:
    """That a framework has no final release for the Python that was asked for."""
    python = task.machine.python
    for framework in task.request.frameworks:
        known = newest_final(framework, task.matrices)
        if python and known and _order(python) > max(map(_order, known)):
            title = presence.FRAMEWORK_NAMES[framework]
            yield f"{title} has no final release for Python {python}"


def _order(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))


def _is_compiling(found: Attempt) -> bool:
    return any(v.how == "ptx-jit" for build in found.builds for v in build.gpu_verdicts)


def _sources(
    found: Attempt, machine: Machine, matrices: Matrices
) -> tuple[SourceNote, ...]:
    return tuple(
        dict.fromkeys(
            note
            for build in found.builds
            for note in sources_of(build, machine.platform, matrices)
        )
    )


def _impossible(target: Target, task: Task, snapshot: Snapshot) -> Plan:
    """No GPU is supported by the driver: say which driver would."""
    changes = tuple(
        change
        for cc in task.machine.capabilities
        if (change := driver_change(cc, task, snapshot)) is not None
    )
    plan = Plan(
        outcome="impossible",
        headline="",
        target=target,
        request=task.request,
        missing=task.request.frameworks,
        left_out=_left_out(snapshot, ()),
        notes=("the installed driver does not support any GPU of this machine",),
        changes=tuple(dict.fromkeys(changes)),
    )
    return replace(plan, headline=_headline(plan))


def _headline(plan: Plan) -> str:
    if plan.outcome == "impossible":
        where = describe(plan.target)
        return f"Nothing that was asked for runs on {where} as it is."
    left = [
        name
        for name in dict.fromkeys(plan.target.gpus)
        if plan.target.has_gpu is not False  # else the CPU was asked for
        and any(gpu.startswith(f"{name} (GPU ") for gpu in plan.left_out)
    ]
    served = tuple(name for name in plan.target.gpus if name not in left)
    where = describe(replace(plan.target, gpus=served) if served else plan.target)
    without = f"; {' and '.join(left)} is left out" if left else ""
    names = [
        f"{pin.name} {pin.full_version}"
        for environment in plan.environments
        for pin in environment.pins
        if pin.role == "framework"
    ]
    together = "in one environment" if len(plan.environments) == 1 else "apart"
    joined = " and ".join(names) + (f" {together}" if len(names) > 1 else "")
    without += "".join(
        f"; {presence.FRAMEWORK_NAMES[name]} is not possible" for name in plan.missing
    )
    return f"{joined} for {where}{without}."


def describe(target: Target) -> str:
    """The machine in a few words: "RTX 4090, driver 550.54.14"."""
    gpus = " and ".join(dict.fromkeys(target.gpus)) or (
        "a machine without an NVIDIA GPU" if target.has_gpu is False else "any GPU"
    )
    driver = f", driver {target.driver}" if target.driver else ""
    return f"{gpus}{driver}"
