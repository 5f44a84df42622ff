"""The report as Markdown, ready to paste into an issue: home folders become ~.

Names and messages are shown as they are: what Markdown or HTML would act on is escaped
after the text is redacted, and commands stand in fences that nothing in them closes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.redact import redact
from fwdoctor.report.components import component_rows, fixes_to_show, machine_line
from fwdoctor.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.finding import Finding, Fix, Report
    from fwdoctor.report.registry import RenderOptions

_BACKTICKS = re.compile("`+")
_AT_NAME = re.compile(r"(?<!\w)@(?=\w)")  # would notify a person
# Would begin a list, a rule or a heading: where to put the backslash.
_LEAD = re.compile(r"^(?:\d+(?=[.)](?:\s|$))|(?=[-+=]))")


def render(report: Report, options: RenderOptions) -> str:
    """A heading, the findings with their fixes, the parts, and the versions."""
    writer = _Writer(home=options.home, user=options.user)
    return "\n".join(writer.lines(report)) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes a report; every text goes through `_plain`, `_text` or `_code`."""

    home: str | None
    user: str | None

    def _plain(self, text: str) -> str:
        return visible(redact(text, home=self.home, user=self.user))

    def _text(self, text: str) -> str:
        return escape(self._plain(text))

    def _code(self, text: str) -> str:
        text = self._plain(text)
        fence = _fence(text, 1)
        pad = " " if text.startswith("`") or text.endswith("`") else ""
        return f"{fence}{pad}{text}{pad}{fence}"

    def lines(self, report: Report) -> Iterator[str]:
        yield f"### {self._text(report.headline)}"
        yield ""
        for assumption in report.snapshot.assumptions:
            fact, value = self._text(assumption.fact), self._text(assumption.value)
            yield f"Assumed: {fact} is {value}"
            yield ""
        for finding in report.findings:
            if finding.role != "consequence":
                yield from self._finding(finding, report)
        for question in report.questions:
            yield f"- Please run {self._code(question)} and post its output"
        if report.questions:
            yield ""  # a table right below a list would belong to its last item
        yield from self._table(report)
        yield ""
        machine = self._text(machine_line(report.snapshot))
        yield f"<sub>fwdoctor {report.fwdoctor_version}, {machine}</sub>"

    def _finding(self, finding: Finding, report: Report) -> Iterator[str]:
        role = "Cause" if finding.role == "cause" else finding.severity.capitalize()
        message = self._text(finding.message)
        yield f"**{role}: {message}** ({finding.code} {finding.name})"
        yield ""
        if finding.detail:
            yield self._text(finding.detail)
            yield ""
        for index, fix in enumerate(fixes_to_show(report, finding)):
            yield from self._fix(fix, "Fix" if index == 0 else "Or")

    def _fix(self, fix: Fix, lead: str) -> Iterator[str]:
        need = {"reboot": " (root, reboot)", "host-root": " (root)"}.get(fix.effort, "")
        yield f"{lead}{need}: {self._text(fix.why or 'run')}"
        yield ""
        if fix.commands:
            commands = [self._plain(command) for command in fix.commands]
            fence = _fence("\n".join(commands), 3)
            yield f"{fence}sh"
            yield from commands
            yield fence
            yield ""

    def _table(self, report: Report) -> Iterator[str]:
        yield "| | part | |"
        yield "| --- | --- | --- |"
        for row in component_rows(report):
            word = "" if row.status == "none" else row.status
            yield f"| {word} | {self._text(row.label)} | {self._text(row.text)} |"


def _fence(text: str, least: int) -> str:
    """Backticks, more than stand in a row anywhere in the text."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)


def escape(text: str) -> str:
    """One line of text as Markdown shows it literally, also in a table."""
    for character in "\\`*_<>|[]~&#$":
        text = text.replace(character, f"\\{character}")
    text = _LEAD.sub(lambda found: f"{found[0]}\\", text.strip())
    return _AT_NAME.sub("@\u2060", text)
