"""The report as Markdown, ready to paste into an issue: home folders become ~."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.redact import redact
from fwdoctor.report.components import component_rows, machine_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.finding import Finding, Fix, Report
    from fwdoctor.report.registry import RenderOptions


def render(report: Report, options: RenderOptions) -> str:
    """A heading, the findings with their fixes, the parts, and the versions."""
    text = "\n".join(_lines(report)) + "\n"
    return redact(text, home=options.home, user=options.user)


def _lines(report: Report) -> Iterator[str]:
    yield f"### {escape(report.headline)}"
    yield ""
    for assumption in report.snapshot.assumptions:
        yield f"Assumed: {escape(assumption.fact)} is {escape(assumption.value)}"
        yield ""
    for finding in report.findings:
        if finding.role != "consequence":
            yield from _finding(finding)
    for question in report.questions:
        yield f"- Please run `{question}` and post its output"
    yield from _table(report)
    yield ""
    machine = escape(machine_line(report.snapshot))
    yield f"<sub>fwdoctor {report.fwdoctor_version}, {machine}</sub>"


def _finding(finding: Finding) -> Iterator[str]:
    role = "Cause" if finding.role == "cause" else finding.severity.capitalize()
    yield f"**{role}: {escape(finding.message)}** ({finding.code} {finding.name})"
    yield ""
    if finding.detail:
        yield escape(finding.detail)
        yield ""
    for index, fix in enumerate(finding.fix):
        yield from _fix(fix, "Fix" if index == 0 else "Or")


def _fix(fix: Fix, lead: str) -> Iterator[str]:
    need = {"reboot": " (root, reboot)", "host-root": " (root)"}.get(fix.effort, "")
    yield f"{lead}{need}: {escape(fix.why or 'run')}"
    yield ""
    if fix.commands:
        yield "```sh"
        yield from fix.commands
        yield "```"
        yield ""


def _table(report: Report) -> Iterator[str]:
    yield "| | part | |"
    yield "| --- | --- | --- |"
    for row in component_rows(report):
        word = "" if row.status == "none" else row.status
        yield f"| {word} | {escape(row.label)} | {escape(row.text)} |"


def escape(text: str) -> str:
    """Text as Markdown shows it literally, on one table line."""
    for character in "\\`*_<>|[]":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
