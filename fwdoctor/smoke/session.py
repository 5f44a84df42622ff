"""One smoke test: which frameworks on which devices, and what is compared with what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import SmokeResult
from fwdoctor.smoke import agreement
from fwdoctor.smoke.gpu_usage import GpuUsage
from fwdoctor.smoke.plan import CURVE_STEPS, Plan
from fwdoctor.smoke.presets import PRESETS
from fwdoctor.smoke.runner import Runtime, run_task, run_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fwdoctor.model.snapshot import Environment, SmokeKind, Snapshot
    from fwdoctor.smoke.dataset import Mnist
    from fwdoctor.smoke.outcome import TaskRun
    from fwdoctor.smoke.plan import FrameworkName
    from fwdoctor.smoke.runner import Record

    Listener = Callable[[Plan, Record], None]

FRAMEWORKS: tuple[FrameworkName, ...] = ("torch", "tensorflow")
# Far above what a loaded machine of two cores needed.
SUBSET_TIMEOUT_S = 300.0
FULL_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeRequest:
    """What was asked for; no frameworks named means all that are installed."""

    mnist: Mnist
    frameworks: tuple[FrameworkName, ...] = ()
    device: str = "auto"
    presets: tuple[str, ...] = ()
    is_deep: bool = False
    all_gpus: bool = False
    require_gpu: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The machine the test runs on: snapshot, environment, how children start."""

    snapshot: Snapshot
    runtime: Runtime
    why_no_gpu: Mapping[str, str] = field(default_factory=dict)  # from check's rules
    listen: Listener | None = None


def run_smoke(request: SmokeRequest, bench: Bench) -> tuple[SmokeResult, ...]:
    """Every stage in every framework on every device asked for."""
    device = choose_device(request.device, bench.snapshot)
    results: list[SmokeResult] = []
    runs: dict[str, TaskRun] = {}
    for name in wanted(request.frameworks, bench.snapshot.target):
        plan = _plan(request, name, device)
        runs[name], seen = _one(plan, bench)
        results.extend(seen)
        if device == "cpu":
            results.append(_gpu_skipped(plan, request, bench))
        if request.all_gpus and not runs[name].is_failed:
            results.extend(_all_devices(plan, runs[name], bench))
    results.extend(_between(request.mnist, device, runs))
    return tuple(results)


def _one(plan: Plan, bench: Bench) -> tuple[TaskRun, list[SmokeResult]]:
    """One framework on one device, and everything seen of it."""
    usage = GpuUsage(env=bench.runtime.env) if plan.device != "cpu" else None
    run = _run(plan, bench, usage)
    results = list(_explained(run, plan.framework, bench))
    if usage is not None and run.curves:
        results.append(_usage_result(plan, usage))
    results.extend(_agreements(plan, run, bench))
    return run, results


def _usage_result(plan: Plan, usage: GpuUsage) -> SmokeResult:
    return SmokeResult(
        framework=plan.framework,
        stage="seen-by-driver",
        status="skipped" if usage.gpu is None else "passed",
        device=plan.device,
        detail=usage.text,
    )


def _all_devices(plan: Plan, first: TaskRun, bench: Bench) -> Iterator[SmokeResult]:
    """Every other GPU alone, then all together; on the CPU two processes together."""
    count = 2
    if plan.device != "cpu":
        found = first.facts.get("device_count")
        count = found if isinstance(found, int) else 1
        used = int(plan.device.partition(":")[2])
        for index in (i for i in range(count) if i != used):
            yield from _one(replace(plan, device=f"cuda:{index}"), bench)[1]
    if count < 2:
        detail = "one GPU only: nothing to train together with"
        yield SmokeResult(
            framework=plan.framework,
            stage="together",
            status="skipped",
            device=plan.device,
            detail=detail,
        )
        return
    yield from _together(plan, count, bench)


def _together(plan: Plan, world: int, bench: Bench) -> Iterator[SmokeResult]:
    """All devices at once: sums are exact, and the losses are those of one device."""
    device = "cpu" if plan.device == "cpu" else "cuda:0"
    shared = replace(
        plan,
        device=device,
        presets=plan.presets[:1],
        max_steps=CURVE_STEPS,
        world=world,
    )
    run = run_together(shared, bench.runtime)
    yield from run.results
    yield from _agreements(shared, run, bench)


def wanted(
    asked: tuple[FrameworkName, ...], target: Environment | None
) -> tuple[FrameworkName, ...]:
    """The frameworks asked for, else those installed, else all: absence is found."""
    found = presence.frameworks(target)
    return asked or tuple(n for n in FRAMEWORKS if n in found) or FRAMEWORKS


def choose_device(asked: str, snapshot: Snapshot) -> str:
    """The device, cpu or cuda:N; auto is the GPU wherever the machine has one."""
    word = asked.lower()
    if word == "auto":
        return "cuda:0" if presence.has_nvidia_gpu(snapshot) else "cpu"
    if word in ("cpu", "cuda"):
        return {"cpu": "cpu", "cuda": "cuda:0"}[word]
    lead, _, index = word.partition(":")
    if lead != "cuda" or not index.isdecimal():
        raise UsageError(
            "bad-option", f"--device: {asked!r} is not auto, cpu, cuda or cuda:N"
        )
    return f"cuda:{int(index)}"


def _plan(request: SmokeRequest, name: FrameworkName, device: str) -> Plan:
    return Plan(
        framework=name,
        device=device,
        presets=tuple(PRESETS[preset] for preset in request.presets),
        mnist=request.mnist,
        is_deep=request.is_deep,
    )


def _run(plan: Plan, bench: Bench, usage: GpuUsage | None = None) -> TaskRun:
    def listen(record: Record) -> None:
        if bench.listen is not None:
            bench.listen(plan, record)
        if usage is not None:
            usage.look(record)

    return run_task(plan, bench.runtime, listen)


def _explained(run: TaskRun, name: str, bench: Bench) -> Iterator[SmokeResult]:
    """The results; a GPU that is not seen gets the reason that check's rules found."""
    why = bench.why_no_gpu.get(name)
    for result in run.results:
        if result.kind == "no-gpu" and why:
            yield replace(result, detail=f"{result.detail}; {why}")
        else:
            yield result


def _gpu_skipped(plan: Plan, request: SmokeRequest, bench: Bench) -> SmokeResult:
    """The stages only a GPU has; a skip that --require-gpu turns into a failure."""
    has_gpu = presence.has_nvidia_gpu(bench.snapshot)
    reason = "the CPU was asked for" if has_gpu else "no NVIDIA GPU found here"
    why = bench.why_no_gpu.get(plan.framework)
    kind: SmokeKind | None = "no-gpu" if request.require_gpu else None
    return SmokeResult(
        framework=plan.framework,
        stage="gpu",
        status="failed" if request.require_gpu else "skipped",
        kind=kind,
        device="cpu",
        detail=f"no GPU was tested: {reason}" + (f"; {why}" if why and kind else ""),
    )


def _agreements(plan: Plan, run: TaskRun, bench: Bench) -> Iterator[SmokeResult]:
    """Each training against the same training elsewhere."""
    if not run.curves:
        return
    reference = agreement.read_reference()
    if plan.mnist.checksum == reference.checksum:
        others: Mapping[str, tuple[float, ...]] = reference.curves
        name = "the float64 reference"
    elif plan.device != "cpu" and plan.world == 1:
        others, name = _run(plan.for_curve, bench).curves, "the same steps on the CPU"
    else:
        yield _compared(plan, None, "skipped", "only the bundled data have a reference")
        return
    for preset, curve in run.curves.items():
        if preset not in others:
            yield _compared(plan, preset, "skipped", f"no losses from {name}")
            continue
        tolerance = agreement.tolerance_for(reference, preset)
        found = agreement.compare(curve, others[preset], name, tolerance)
        yield _compared(plan, preset, _word(found), found.text)


def _between(
    mnist: Mnist, device: str, runs: Mapping[str, TaskRun]
) -> Iterator[SmokeResult]:
    """The two frameworks against each other."""
    if len(runs) < len(FRAMEWORKS):
        return
    reference = agreement.read_reference()
    mine, other = runs["tensorflow"].curves, runs["torch"].curves
    # Beyond the reference's own length noise was not measured.
    limit = None if mnist.checksum == reference.checksum else CURVE_STEPS
    for preset in (name for name in mine if name in other):
        tolerance = agreement.tolerance_for(reference, preset)
        found = agreement.compare(
            mine[preset][:limit], other[preset][:limit], "PyTorch's", tolerance
        )
        yield SmokeResult(
            framework="tensorflow",
            stage="frameworks-agree",
            preset=preset,
            device=device,
            status="passed" if found.is_close else "failed",
            kind=None if found.is_close else "wrong-numbers",
            detail=found.text,
        )


def _word(found: agreement.Agreement) -> str:
    return "passed" if found.is_close else "failed"


def _compared(plan: Plan, preset: str | None, status: str, text: str) -> SmokeResult:
    return SmokeResult(
        framework=plan.framework,
        stage="losses-agree",
        preset=preset,
        device=plan.devices,
        status=status,  # type: ignore[arg-type]  # a literal at each call
        kind="wrong-numbers" if status == "failed" else None,
        detail=text,
    )
