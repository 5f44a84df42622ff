"""What `check` and `snapshot` do: take a snapshot, assume, judge, choose the code."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.errors import ExitCode, UsageError
from fwdoctor.model.finding import SEVERITIES

if TYPE_CHECKING:
    from typing import TypeVar

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Finding, Report
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.probes.source import Source

    R = TypeVar("R", bound=Report)

REQUIRABLE = ("gpu", "torch", "tensorflow")
DEEP_TIMEOUT_S = 60.0
# For tests: a folder that replaces "/" for everything but the Python environments.
TEST_ROOT = "FWDOCTOR_TEST_ROOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What the command line asked for."""

    python: str | None = None
    prefix: str | None = None
    snapshot: str | None = None
    assume: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    fail_on: str = "error"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    is_deep: bool = False
    is_smoke: bool = False  # train after a clean check
    is_quiet: bool = False  # no progress on stderr
    raw_folder: str | None = None
    expect: str | None = None  # a file of expectations
    is_image_build: bool = False


def run_check(request: CheckRequest) -> tuple[Report, ExitCode]:
    """The report, and the exit code it deserves."""
    from fwdoctor.assume import apply_assumptions
    from fwdoctor.judge import judge
    from fwdoctor.matrices.load import Matrices

    unknown = [word for word in request.require if word not in REQUIRABLE]
    if unknown:
        raise UsageError(
            "bad-option", f"--require: {unknown[0]!r} is not gpu, torch or tensorflow"
        )
    refuse_unknown_rules("--select", request.select)
    refuse_unknown_rules("--ignore", request.ignore)
    matrices = Matrices()
    if request.is_image_build:
        from fwdoctor.cli.imaging import run_build

        return run_build(request, matrices)
    snapshot = apply_assumptions(take_snapshot(request), request.assume, matrices)
    report = judge(snapshot, matrices, select=request.select, ignore=request.ignore)
    report = with_expectations(report, request.expect, matrices)
    if not request.is_smoke:
        return report, exit_code(report, request)
    from fwdoctor.cli.smoking import smoke_after

    return smoke_after(report, request, matrices)


def refuse_unknown_rules(option: str, patterns: tuple[str, ...]) -> None:
    """UsageError for a pattern that no rule answers to: a slip would hide findings."""
    if not patterns:
        return
    from fwdoctor.judge import is_chosen
    from fwdoctor.rules.registry import load_rules

    rules = load_rules()
    for pattern in patterns:
        if not any(is_chosen(rule.code, rule.name, (pattern,), ()) for rule in rules):
            raise UsageError(
                "bad-option",
                f"{option}: no rule is called {pattern!r}",
                hint="`fwdoctor rules` lists them; the beginning of a code is enough",
            )


def with_expectations(report: R, path: str | None, matrices: Matrices) -> R:
    """The report compared with the expectations of a file, where one was given."""
    if path is None:
        return report
    import datetime as dt

    from fwdoctor.expectations.apply import apply_expectations
    from fwdoctor.expectations.file import read_expectations

    today = dt.datetime.now(dt.timezone.utc).date()
    return apply_expectations(report, read_expectations(path), matrices, today=today)


def take_snapshot(request: CheckRequest) -> Snapshot:
    """Read the snapshot file, or probe this machine."""
    if request.snapshot is not None:
        from fwdoctor.cli.snapshot_file import read_snapshot

        return replace(read_snapshot(request.snapshot), origin="file")
    if request.python and request.prefix:
        raise UsageError("bad-option", "give --python or --prefix, not both")
    for option, path in (("--python", request.python), ("--prefix", request.prefix)):
        if path is not None and not path.strip():
            raise UsageError("bad-option", f"{option} is empty: name an environment")
    from fwdoctor.probes.machine import Target, probe_machine

    source = _source(is_recording=request.raw_folder is not None)
    target = Target(
        path=request.python or request.prefix,
        cwd=_cwd(),
        own_prefix=sys.prefix,
        deep_timeout_s=DEEP_TIMEOUT_S if request.is_deep else None,
    )
    snapshot = probe_machine(source, target)
    if request.raw_folder is not None:
        _write_raw(source, request.raw_folder)
    return snapshot


def _source(*, is_recording: bool) -> Source:
    from fwdoctor.probes.source import live_source

    source = live_source(os.environ.get(TEST_ROOT))
    if not is_recording:
        return source
    from fwdoctor.probes.recording import RecordingSource

    return RecordingSource(root=source.root, env=source.env)


def _write_raw(source: Source, folder: str) -> None:
    """Write every raw text below `folder`; UsageError when that cannot be."""
    from fwdoctor.cli.boundary import write_file
    from fwdoctor.probes.recording import RecordingSource, raw_texts

    assert isinstance(source, RecordingSource)  # noqa: S101  # made by _source
    for name, text in raw_texts(source).items():
        path = os.path.join(folder, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise UsageError(
                "output-unwritable", f"{folder}: {error.strerror or error}"
            ) from error
        write_file(path, text)


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"  # the folder we stand in was removed


def exit_code(report: Report, request: CheckRequest) -> ExitCode:
    """Findings at or above the threshold, then what was required, then success."""
    if request.fail_on != "never":
        worst = SEVERITIES.index(request.fail_on)
        if any(_counts(finding, worst) for finding in report.findings):
            return ExitCode.FINDINGS
    states = [_state_of(word, report) for word in request.require]
    if False in states:
        return ExitCode.FINDINGS
    return ExitCode.NOT_ENOUGH_FACTS if None in states else ExitCode.OK


def _counts(finding: Finding, worst: int) -> bool:
    from fwdoctor.rules.causes import HARMLESS_CAUSES

    is_severe = SEVERITIES.index(finding.severity) >= worst
    return is_severe and finding.cause not in HARMLESS_CAUSES


def _state_of(required: str, report: Report) -> bool | None:
    if required == "gpu":
        if report.snapshot.gpus:
            return not any(map(_keeps_all_out, report.findings))
        return (
            presence.has_nvidia_gpu(report.snapshot) if _is_unknown(report) else False
        )
    verdict = report.frameworks.get(required)
    if verdict is not None:
        return verdict.gpu_usable
    target = report.snapshot.target
    is_read = target is None or target.packages is not None
    return False if is_read else None


def _keeps_all_out(finding: Finding) -> bool:
    """Whether it keeps every framework from the GPU: a listed GPU is then of no use."""
    return finding.severity == "error" and len(finding.blocks) > 1


def _is_unknown(report: Report) -> bool:
    return presence.has_nvidia_gpu(report.snapshot) is None
