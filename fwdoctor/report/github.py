"""The report as GitHub workflow commands: annotations of the run.

The job summary is Markdown and goes to a file that the runner names; `cli/` writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.redact import redact
from fwdoctor.report.junit import finding_text
from fwdoctor.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.finding import Report
    from fwdoctor.report.registry import RenderOptions

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report, options: RenderOptions) -> str:
    """One annotation a line, the verdict last as plain text."""
    text = "\n".join(_lines(report)) + "\n"
    return redact(text, home=options.home, user=options.user)


def _lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        if finding.role == "consequence":
            continue
        title = _property(f"{finding.code} {finding.name}")
        body = "\n".join(visible(line) for line in finding_text(finding).splitlines())
        yield f"::{_COMMANDS[finding.severity]} title={title}::{_data(body)}"
    headline = visible(f"fwdoctor: {report.headline}")
    # A line that begins with "::" is a command: a headline never does.
    yield headline


def _data(text: str) -> str:
    """Escaped as the runner reads the text of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped as the runner reads a parameter of a command."""
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
