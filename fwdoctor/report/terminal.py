"""The report for a person at a terminal: verdict, one cause, what to type, parts.

Every text of the snapshot goes through `visible`, in `_wrap` or where it is written.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from fwdoctor.presence import frameworks
from fwdoctor.report.components import (
    component_rows,
    fixes_to_show,
    machine_line,
    smoke_text,
)
from fwdoctor.report.console import make_console, to_ascii
from fwdoctor.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.model.finding import Finding, Fix, Report
    from fwdoctor.model.snapshot import DeepResult
    from fwdoctor.report.registry import RenderOptions

_LABEL = 8  # columns before the text of a line
_COMMAND = 12
_MOST_EVIDENCE = 4
_STYLES = {
    "FAIL": "bold red",
    "cause": "bold red",
    "warn": "yellow",
    "warning": "yellow",
    "ok": "green",
    "fix": "bold",
    "?": "yellow",
}


def render(report: Report, options: RenderOptions) -> str:
    """The report as text, coloured if asked, no line wider than can be helped."""
    lines = list(_lines(report, options))
    console = make_console(options, least_width=40)
    with console.capture() as captured:
        for line in lines:
            console.print(line, soft_wrap=True)
    text = captured.get()
    return to_ascii(text) if options.is_ascii else text


def _lines(report: Report, options: RenderOptions) -> Iterator[Text]:
    yield _headline(report, options.width)
    if options.verbosity < 0:
        yield from _first_command(report)
        return
    yield Text()
    for assumption in report.snapshot.assumptions:
        was = f" (found: {assumption.was})" if assumption.was else ""
        text = f"{assumption.fact} is {assumption.value}{was}"
        yield from _labelled("assumed", text, options.width)
    shown = [f for f in report.findings if f.role != "consequence"]
    if options.verbosity > 0:
        shown = list(report.findings)
    for finding in shown:
        if finding.severity != "info" or options.verbosity > 0:
            yield from _finding_lines(finding, report, options)
    if options.verbosity <= 0 and _is_calm(report):
        yield from _note_lines(report, options.width)
    yield from _question_lines(report, options.width)
    yield from _row_lines(report, options.width)
    yield from _footer(report, options)


def _is_calm(report: Report) -> bool:
    """Notes are shown unasked only where nothing stronger was found."""
    return all(finding.severity == "info" for finding in report.findings)


def _note_lines(report: Report, width: int) -> Iterator[Text]:
    for finding in report.findings:
        text = f"{finding.message}  {finding.code}"
        yield from _labelled("note", text, width)
    if report.findings:
        yield Text()


def _headline(report: Report, width: int) -> Text:
    machine = visible(machine_line(report.snapshot))
    headline = report.headline
    if report.input:
        headline = f"{report.input}: {headline}"
    headline = visible(headline)
    gap = width - len(headline) - len(machine)
    line = Text.assemble((headline, "bold"))
    if machine and gap >= 2:
        line.append(" " * gap + machine)
    return line


def _first_command(report: Report) -> Iterator[Text]:
    for finding in report.findings[:1]:
        for fix in finding.fix[:1]:
            for command in fix.commands:
                yield Text(" " * _LABEL + visible(command))


def _label_of(finding: Finding) -> str:
    if finding.severity == "info":
        return "note"
    if finding.role == "cause":
        return "cause" if finding.severity == "error" else "warning"
    return {"consequence": "follows", "separate": "also"}.get(finding.role, "also")


def _finding_lines(
    finding: Finding, report: Report, options: RenderOptions
) -> Iterator[Text]:
    tag = f"{finding.code} {finding.name}"
    message = finding.message
    if len(message) + len(tag) + _LABEL + 2 <= options.width:
        room = options.width - _LABEL - len(tag)
        message = f"{message:<{room}}{tag}"
    else:
        message = f"{message}  {tag}"
    yield from _labelled(_label_of(finding), message, options.width)
    for line in finding.detail.splitlines():
        yield from _indented(line, options.width)
    if options.verbosity > 0:
        for item in finding.evidence[:_MOST_EVIDENCE]:
            text = f"{item.fact} = {item.value} ({item.source})"
            yield from _indented(text, options.width)
        if len(finding.evidence) > _MOST_EVIDENCE:
            more = len(finding.evidence) - _MOST_EVIDENCE
            yield from _indented(f"and {more} more (--format json)", options.width)
    fixes = fixes_to_show(report, finding)
    if fixes is not finding.fix and options.verbosity <= 0:
        fixes = fixes[:1]
    yield from _fix_lines(fixes, options.width)
    yield Text()


def _fix_lines(fixes: Iterable[Fix], width: int) -> Iterator[Text]:
    for index, fix in enumerate(fixes):
        lead = fix.why or "run"
        need = {"reboot": " (root, reboot)", "host-root": " (root)"}.get(fix.effort, "")
        text = f"{lead}{need}" + (":" if fix.commands else "")
        if index == 0:
            yield from _labelled("fix", text, width)
        else:
            yield from _indented(f"or {text}", width)
        for command in fix.commands:
            yield Text(" " * _COMMAND + visible(command), style="bold")


def _question_lines(report: Report, width: int) -> Iterator[Text]:
    for question in report.questions:
        yield from _labelled("ask", question, width)
    if report.questions:
        yield Text()


def _row_lines(report: Report, width: int) -> Iterator[Text]:
    for row in component_rows(report):
        word = "-" if row.status == "none" else row.status
        yield from _labelled(word, f"{row.label:<11} {row.text}", width, hang=12)


def _footer(report: Report, options: RenderOptions) -> Iterator[Text]:
    counts = {"passed": 0, "skipped": 0, "crashed": 0}
    for outcome in report.outcomes:
        if outcome.outcome in counts:
            counts[outcome.outcome] += 1
    hidden = sum(f.role == "consequence" for f in report.findings)
    checks = "check" if counts["passed"] == 1 else "checks"
    parts = [f"{counts['passed']} {checks} passed", f"{counts['skipped']} skipped"]
    if hidden and options.verbosity <= 0:
        noun = "consequence" if hidden == 1 else "consequences"
        parts.insert(0, f"{hidden} {noun} of the cause hidden")
    if counts["crashed"]:
        parts.append(f"{counts['crashed']} crashed")
    hint = " (-v to see them)" if options.verbosity <= 0 else ""
    yield from _indented(", ".join(parts) + hint, options.width)
    if options.verbosity > 0:
        yield from _verbose_lines(report, options)
    yield Text()
    yield Text(_last_line(report, options.seconds), style="dim")


def _verbose_lines(report: Report, options: RenderOptions) -> Iterator[Text]:
    yield Text()
    for outcome in report.outcomes:
        if outcome.outcome == "failed":
            continue
        reason = f": {outcome.reason}" if outcome.reason else ""
        text = f"{outcome.code} {outcome.name} {outcome.outcome}{reason}"
        yield from _indented(text, options.width)
    yield Text()
    for result in report.snapshot.smoke:
        text = f"{smoke_text(result)}: {result.status}, {result.seconds:.1f} s"
        yield from _indented(text, options.width)
    for name, framework in frameworks(report.snapshot.target).items():
        if framework.deep is not None:
            yield from _indented(_deep_text(name, framework.deep), options.width)
    for probe in report.snapshot.probes:
        reason = f": {probe.reason}" if probe.reason else ""
        text = f"probe {probe.name} {probe.status}{reason}, {probe.ms:.1f} ms"
        yield from _indented(text, options.width)


def _deep_text(name: str, deep: DeepResult) -> str:
    """What the framework said when it was imported."""
    seen = {True: "GPU found", False: "no GPU found", None: "GPU not known"}
    parts = [f"import of {name} {deep.status} at stage {deep.stage}"]
    parts.append(seen[deep.gpu_available])
    if deep.cudnn_loaded:
        parts.append(f"cuDNN {deep.cudnn_loaded} loaded")
    if deep.libraries:
        parts.append(f"{len(deep.libraries)} NVIDIA libraries mapped")
    if deep.error:
        parts.append(deep.error)
    return ", ".join(parts)


def _last_line(report: Report, seconds: float | None) -> str:
    codes = [f.code for f in report.findings if f.severity != "info"]
    parts = [f"fwdoctor explain {codes[0]}" if codes else "fwdoctor rules"]
    if seconds is not None:
        parts.append(f"{seconds:.2f} s")
    return " · ".join(parts)


def _labelled(label: str, text: str, width: int, hang: int = 0) -> Iterator[Text]:
    lines = _wrap(text, width - _LABEL, hang)
    lead = f"{label:<{_LABEL - 1}} "
    yield Text.assemble((lead, _STYLES.get(label, "")), lines[0])
    for line in lines[1:]:
        yield Text(" " * _LABEL + line)


def _indented(text: str, width: int) -> Iterator[Text]:
    for line in _wrap(text, width - _LABEL, 0):
        yield Text(" " * _LABEL + line)


def _wrap(text: str, room: int, hang: int) -> list[str]:
    text = visible(text)
    if len(text) <= room:
        return [text]
    return textwrap.wrap(
        text,
        max(room, 20),
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
