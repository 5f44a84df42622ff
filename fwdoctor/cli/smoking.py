"""What `smoke` and `check --smoke` do: choose data, train, judge, choose the code."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.cli.checking import CheckRequest
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Report
    from fwdoctor.model.snapshot import SmokeResult, Snapshot
    from fwdoctor.smoke.dataset import Mnist
    from fwdoctor.smoke.plan import FrameworkName
    from fwdoctor.smoke.session import SmokeRequest

OWN_RULES = "FW9"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeCommand:
    """What the command line asked for."""

    framework: str = "all"
    python: str | None = None
    prefix: str | None = None
    device: str = "auto"
    all_gpus: bool = False
    presets: str | None = None
    is_full: bool = False
    data: str | None = None
    may_download: bool = False
    seconds: float | None = None
    require_gpu: bool = False
    is_deep: bool = False
    is_quiet: bool = False
    expect: str | None = None  # an expectations file


def run_smoke_command(asked: SmokeCommand) -> tuple[Report, ExitCode]:
    """The report, and the exit code it deserves."""
    from fwdoctor.cli.checking import (
        CheckRequest,
        take_snapshot,
        with_expectations,
    )
    from fwdoctor.judge import judge
    from fwdoctor.matrices.load import Matrices

    presets = chosen_presets(asked.presets)
    matrices = Matrices()
    before = take_snapshot(CheckRequest(python=asked.python, prefix=asked.prefix))
    request = _request(asked, presets, before)
    check = judge(before, matrices)
    results = train(request, before, check, is_quiet=asked.is_quiet)
    report = report_on(before, results, matrices)
    report = with_expectations(report, asked.expect, matrices)
    return report, exit_code(report)


def chosen_presets(text: str | None) -> tuple[str, ...]:
    """Names of presets; UsageError for one that does not exist."""
    from fwdoctor.smoke.presets import DEFAULT_PRESETS, PRESETS

    names = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    if names == ["all"]:
        return tuple(PRESETS)
    for name in names:
        if name not in PRESETS:
            known = ", ".join(PRESETS)
            raise UsageError("bad-option", f"--preset: {name!r} is not one of {known}")
    return tuple(names) or DEFAULT_PRESETS


def _request(
    asked: SmokeCommand, presets: tuple[str, ...], snapshot: Snapshot
) -> SmokeRequest:
    from fwdoctor.smoke.session import (
        FULL_TIMEOUT_S,
        SUBSET_TIMEOUT_S,
        SmokeRequest,
        choose_device,
    )

    if asked.seconds is not None and not asked.seconds > 0:
        raise UsageError("bad-option", "--seconds: must be more than 0")
    choose_device(asked.device, snapshot)  # a wrong word is refused before all work
    mnist = _mnist(asked, snapshot)
    name: FrameworkName = asked.framework  # type: ignore[assignment]  # or "all"
    usual = SUBSET_TIMEOUT_S if mnist.train_count < 10_000 else FULL_TIMEOUT_S
    return SmokeRequest(
        mnist=mnist,
        frameworks=() if asked.framework == "all" else (name,),
        device=asked.device,
        presets=presets,
        is_deep=asked.is_deep,
        all_gpus=asked.all_gpus,
        require_gpu=asked.require_gpu,
        seconds=asked.seconds or usual,
    )


def _mnist(asked: SmokeCommand, snapshot: Snapshot) -> Mnist:
    from fwdoctor.smoke.dataset import find_full, read_bundled, read_mnist

    if asked.data is not None:
        mnist = read_mnist(asked.data)
        if asked.is_full and not mnist.is_full:
            raise UsageError(
                "data-incomplete",
                f"{asked.data}: {mnist.train_count} training images, not the whole set",
            )
        return mnist
    if not asked.is_full and not asked.may_download:
        return read_bundled()
    home = os.path.expanduser("~")
    found = find_full(home)
    if found is None and asked.may_download:
        from fwdoctor.smoke.download import download

        found = download(snapshot.target, home)
    if found is None:
        raise UsageError(
            "data-missing",
            "the whole MNIST is not in the usual places",
            hint="give it with --data PATH, or add --download",
        )
    return found


def train(
    request: SmokeRequest, snapshot: Snapshot, check: Report, *, is_quiet: bool = False
) -> tuple[SmokeResult, ...]:
    """Run the test in the target environment, with progress on stderr."""
    from fwdoctor.cli.smoke_progress import progress
    from fwdoctor.smoke.runner import Runtime
    from fwdoctor.smoke.session import Bench, run_smoke

    target = snapshot.target
    if target is None or target.python is None:
        raise UsageError(
            "no-environment",
            "no Python environment to train in"
            if target is None
            else f"{target.prefix} has no interpreter to train with",
            hint="name one with --python PATH",
        )
    with progress(is_quiet=is_quiet) as listen:
        bench = Bench(
            snapshot=snapshot,
            runtime=Runtime(
                python=os.path.abspath(target.python),
                timeout_s=request.seconds or 0.0,
                env=dict(os.environ),
            ),
            why_no_gpu=why_no_gpu(check),
            listen=listen,
        )
        return run_smoke(request, bench)


def why_no_gpu(check: Report) -> Mapping[str, str]:
    """For each framework, the finding that says why it cannot use the GPU."""
    found = {}
    for name in presence.frameworks(check.snapshot.target):
        blocking = [f for f in check.findings if name in f.blocks]
        errors = [f for f in check.findings if f.severity == "error"]
        verdict = check.frameworks.get(name)
        for finding in (*blocking, *errors):
            found[name] = f"{finding.code} {finding.name}: {finding.message}"
            break
        else:
            if verdict is not None and verdict.gpu_usable is False:
                found[name] = verdict.reason
    return found


def report_on(
    before: Snapshot, results: tuple[SmokeResult, ...], matrices: Matrices
) -> Report:
    """The judged results; where a stage failed, the whole machine is judged again."""
    from fwdoctor.judge import judge
    from fwdoctor.smoke.summary import headline, with_observations

    snapshot = with_observations(replace(before, smoke=results))
    is_failed = any(result.status == "failed" for result in results)
    report = judge(snapshot, matrices, select=() if is_failed else (OWN_RULES,))
    return replace(report, headline=headline(results))


def smoke_after(
    check: Report, request: CheckRequest, matrices: Matrices
) -> tuple[Report, ExitCode]:
    """`check --smoke`: train where the check found no error, and judge again."""
    from fwdoctor.cli import checking
    from fwdoctor.judge import judge
    from fwdoctor.smoke.session import wanted
    from fwdoctor.smoke.summary import headline, with_observations

    if request.snapshot is not None:
        raise UsageError("bad-option", "--smoke trains here; it cannot use --snapshot")
    code = checking.exit_code(check, request)
    before = check.snapshot
    errors = [f for f in check.findings if f.severity == "error"]
    if not presence.frameworks(before.target):
        return check, code
    if errors or code is not ExitCode.OK:
        reason = f"{errors[0].code} {errors[0].name}" if errors else check.headline
        results = tuple(_not_run(name, reason) for name in wanted((), before.target))
        return replace(check, snapshot=replace(before, smoke=results)), code
    asked = SmokeCommand(is_quiet=request.is_quiet)
    smoke_request = _request(asked, chosen_presets(None), before)
    results = train(smoke_request, before, check, is_quiet=request.is_quiet)
    after = with_observations(replace(before, smoke=results))
    report = judge(after, matrices, select=request.select, ignore=request.ignore)
    report = replace(report, headline=f"{report.headline} {headline(results)}")
    is_failed = any(result.status == "failed" for result in results)
    if is_failed and request.fail_on != "never":
        return report, ExitCode.FINDINGS
    return report, checking.exit_code(report, request)


def _not_run(name: FrameworkName, reason: str) -> SmokeResult:
    from fwdoctor.model.snapshot import SmokeResult

    detail = f"not trained: the check must be clean first ({reason})"
    return SmokeResult(framework=name, stage="start", status="skipped", detail=detail)


def exit_code(report: Report) -> ExitCode:
    """A failed stage is a finding whatever its cause; skips alone are no answer."""
    results = report.snapshot.smoke
    if any(f.severity == "error" and f.code.startswith("FW9") for f in report.findings):
        return ExitCode.FINDINGS
    is_trained = any(r.stage == "train" and r.status == "passed" for r in results)
    return ExitCode.OK if is_trained else ExitCode.NOT_ENOUGH_FACTS
