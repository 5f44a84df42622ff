"""What `image` does: open it, probe it, judge it, choose the code, word the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.cli.checking import CheckRequest
    from fwdoctor.expectations.model import Expectations
    from fwdoctor.image.facts import ImageReport
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Report
    from fwdoctor.report.registry import RenderOptions

REQUIRABLE = ("torch", "tensorflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What the command line asked for."""

    path: str
    platform: str | None = None
    tag: str | None = None
    python: str | None = None
    config: str | None = None
    env: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    fail_on: str = "error"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    expect: str | None = None


def run_image(request: ImageRequest) -> tuple[ImageReport, ExitCode]:
    """The report on an image, and the exit code it deserves."""
    from fwdoctor.cli.checking import with_expectations
    from fwdoctor.image.driver_library import find_first_libcuda
    from fwdoctor.image.judging import facts_of, judge_image, probe_image
    from fwdoctor.image.reading import Request, open_image
    from fwdoctor.judge import with_input
    from fwdoctor.matrices.load import Matrices

    _check_words(request.require)
    opening = Request(
        path=request.path,
        platform=request.platform,
        tag=request.tag,
        config_path=request.config,
        env=_variables(request.env),
    )
    with open_image(opening) as image:
        snapshot, waste = probe_image(image, request.python)
        facts = facts_of(image, snapshot.host.machine)
        configured = image.config.env
        search_path = snapshot.env_vars.get("LD_LIBRARY_PATH", "")
        libcuda = find_first_libcuda(image.source, search_path)
    matrices = Matrices()
    expectations = _read(request.expect)
    report = judge_image(
        snapshot,
        matrices,
        image=facts,
        waste=waste,
        configured=configured,
        libcuda=libcuda,
        meant_by=_meant_by(expectations),
        select=request.select,
        ignore=request.ignore,
    )
    report = with_input(report, request.path)  # type: ignore[assignment]  # of the same class
    report = with_expectations(report, request.expect, matrices)
    return report, exit_code(report, request.require, request.fail_on)


def run_build(request: CheckRequest, matrices: Matrices) -> tuple[Report, ExitCode]:
    """The report on the image that is being built around us, where no GPU is."""
    import os
    from dataclasses import replace

    from fwdoctor.cli.checking import take_snapshot, with_expectations
    from fwdoctor.image.facts import ImageFacts
    from fwdoctor.image.judging import judge_image, static_part

    require = tuple(word for word in request.require if word != "gpu")
    snapshot = static_part(take_snapshot(request))
    target = snapshot.target
    snapshot = replace(snapshot, environments=(target,) if target else ())
    meant_by = _meant_by(_read(request.expect))
    if "gpu" in request.require:
        meant_by = "--require gpu was given"
    machine = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
    report = judge_image(
        snapshot,
        matrices,
        image=ImageFacts(
            kind="build", platform=machine.get(snapshot.host.machine or "")
        ),
        configured=os.environ,
        meant_by=meant_by,
        select=request.select,
        ignore=request.ignore,
    )
    report = with_expectations(report, request.expect, matrices)
    return report, exit_code(report, require, request.fail_on)


def _read(path: str | None) -> Expectations | None:
    if path is None:
        return None
    from fwdoctor.expectations.file import read_expectations

    return read_expectations(path)


def _meant_by(expectations: Expectations | None) -> str | None:
    """What in the expectations says that the image is for GPUs."""
    if expectations is None:
        return None
    if "cpu-only-build" in expectations.forbidden_causes:
        return f"{expectations.path} forbids cpu-only-build"
    return f"{expectations.path} names a fleet" if expectations.fleet else None


def _check_words(require: tuple[str, ...]) -> None:
    for word in require:
        if word not in REQUIRABLE:
            raise UsageError(
                "bad-option", f"--require: {word!r} is not torch or tensorflow"
            )


def _variables(words: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise UsageError("bad-option", f"--env: {name!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def exit_code(report: ImageReport, require: tuple[str, ...], fail_on: str) -> ExitCode:
    """Findings at or above the threshold, then what was required, then success."""
    from fwdoctor.cli.checking import CheckRequest
    from fwdoctor.cli.checking import exit_code as code_of_findings

    if code_of_findings(report, CheckRequest(fail_on=fail_on)) is ExitCode.FINDINGS:
        return ExitCode.FINDINGS
    for _, code in unmet(report, require):
        return code
    if report.verdict == "not-enough-facts":
        return ExitCode.NOT_ENOUGH_FACTS
    return ExitCode.OK


def unmet(
    report: ImageReport, require: tuple[str, ...]
) -> Iterator[tuple[str, ExitCode]]:
    """What was required and is not so, in words, with the exit code it deserves."""
    from fwdoctor.presence import FRAMEWORK_NAMES

    for word in require:
        title = FRAMEWORK_NAMES[word]
        rows = [row for row in report.reach if row.framework == word]
        verdict = report.frameworks.get(word)
        if not rows:
            yield f"{title} was required and is not in the image", ExitCode.FINDINGS
        elif all(row.kind == "cpu" for row in rows):
            reason = f"{title} was required for GPUs and is a CPU-only build"
            yield reason, ExitCode.FINDINGS
        elif verdict is not None and verdict.gpu_usable is False:
            reason = f"{title} was required and cannot use a GPU: {verdict.reason}"
            yield reason, ExitCode.FINDINGS
        elif all(row.min_driver is None for row in rows):
            reason = f"{title} was required, and what it needs is not known"
            yield reason, ExitCode.NOT_ENOUGH_FACTS


def render_image(report: ImageReport, format_name: str, look: RenderOptions) -> str:
    """The report in a format; where people read it, the answer is added in words."""
    from fwdoctor.image.wording import plain_text
    from fwdoctor.redact import redact
    from fwdoctor.report.registry import render
    from fwdoctor.report.visible import visible

    text = render(report, format_name, look)
    if look.verbosity < 0 or format_name not in ("terminal", "markdown"):
        return text
    lines = plain_text(report, look.width).splitlines()
    answer = "\n".join(visible(line) for line in lines)
    answer = redact(answer, home=look.home, user=look.user)
    if format_name == "markdown":
        return f"{text}\n```text\n{answer.replace('```', '` ` `')}\n```\n"
    if look.is_ascii:
        answer = answer.encode("ascii", "replace").decode("ascii")
    return f"{text}\n{answer}\n"
