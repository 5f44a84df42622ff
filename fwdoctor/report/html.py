"""The report as one HTML file to look at: no script, no network, dark and light.

Everything from the machine is escaped; the page asks the browser to load nothing.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fwdoctor.image.facts import ImageReport
from fwdoctor.image.wording import answer_rows
from fwdoctor.redact import redact
from fwdoctor.report.components import component_rows, fixes_to_show, machine_line
from fwdoctor.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.finding import Finding, Fix, Report
    from fwdoctor.report.registry import RenderOptions

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #59636e; --box: #f6f8fa;
  --error: #c1121f; --warning: #9a6700; --ok: #1a7f37; --text: #1f2328; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #9198a1;
  --box: #151b23; --error: #ff7b72; --warning: #d29922; --ok: #3fb950;
  --text: #e6edf3; --page: #0d1117; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: var(--text); background: var(--page); }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.soft { color: var(--soft); } code, pre { font-family: ui-monospace, monospace; }
article { border: 1px solid var(--line); border-left: .3rem solid var(--soft);
  border-radius: .4rem; padding: .75rem 1rem; margin: .75rem 0; }
article.error { border-left-color: var(--error); }
article.warning { border-left-color: var(--warning); }
article h3 { font-size: 1rem; margin: 0; } article p { margin: .4rem 0; }
.error > h3 .word, td.FAIL { color: var(--error); }
.warning > h3 .word, td.warn { color: var(--warning); } td.ok { color: var(--ok); }
pre { background: var(--box); border: 1px solid var(--line); border-radius: .3rem;
  padding: .6rem .8rem; overflow-x: auto; margin: .4rem 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left;
  padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
summary { cursor: pointer; } footer { margin-top: 2rem; }
"""


def render(report: Report, options: RenderOptions) -> str:
    """A whole HTML document."""
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>fwdoctor: {_text(report.headline)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(_body(report))
        + "\n</body>\n</html>\n"
    )
    return redact(document, home=options.home, user=options.user)


def _body(report: Report) -> Iterator[str]:
    yield f"<h1>{_text(report.headline)}</h1>"
    about = [machine_line(report.snapshot), report.input or ""]
    yield f'<p class="soft">{" · ".join(_text(part) for part in about if part)}</p>'
    for assumption in report.snapshot.assumptions:
        text = f"Assumed: {assumption.fact} is {assumption.value}"
        yield f'<p class="soft">{_text(text)}</p>'
    for finding in report.findings:
        yield from _finding(finding, report)
    if isinstance(report, ImageReport):
        yield from _answer(report)
    yield from _parts(report)
    yield from _outcomes(report)
    created = report.snapshot.created_at
    when = f", {_text(created)}" if created else ""
    version = _text(report.fwdoctor_version)
    yield f'<footer class="soft">fwdoctor {version}{when}</footer>'


def _answer(report: ImageReport) -> Iterator[str]:
    """What a report on an image has more: where it runs, what to set, what to drop."""
    for title, rows in answer_rows(report):
        yield f"<h2>{_text(title)}</h2>\n<table>"
        for label, text in rows:
            yield f"<tr><th>{_text(label)}</th><td>{_text(text)}</td></tr>"
        yield "</table>"


def _finding(finding: Finding, report: Report) -> Iterator[str]:
    word = "Cause" if finding.role == "cause" else finding.severity.capitalize()
    if finding.role == "consequence":
        word = f"Follows from {finding.explained_by}"
    yield f'<article class="{finding.severity}">'
    yield f'<h3><span class="word">{_text(word)}</span>: {_text(finding.message)}</h3>'
    yield f'<p class="soft">{_text(finding.code)} {_text(finding.name)}</p>'
    if finding.detail:
        yield f"<p>{_text(finding.detail)}</p>"
    for index, fix in enumerate(fixes_to_show(report, finding)):
        yield from _fix(fix, "Fix" if index == 0 else "Or")
    if finding.evidence:
        yield "<details><summary>Evidence</summary><table>"
        for item in finding.evidence:
            cells = (item.fact, item.value, item.source)
            row = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
            yield f"<tr>{row}</tr>"
        yield "</table></details>"
    yield "</article>"


def _fix(fix: Fix, lead: str) -> Iterator[str]:
    need = {"reboot": " (root, reboot)", "host-root": " (root)"}.get(fix.effort, "")
    yield f"<p><strong>{lead}</strong>{need}: {_text(fix.why or 'run')}</p>"
    if fix.commands:
        yield "<pre>" + "\n".join(_text(line) for line in fix.commands) + "</pre>"


def _parts(report: Report) -> Iterator[str]:
    yield "<h2>Parts</h2>\n<table>"
    for row in component_rows(report):
        word = "" if row.status == "none" else row.status
        cells = f"<td>{_text(row.label)}</td><td>{_text(row.text)}</td>"
        kind = word if word != "?" else "soft"
        yield f'<tr><td class="{kind}">{_text(word)}</td>{cells}</tr>'
    yield "</table>"


def _outcomes(report: Report) -> Iterator[str]:
    counts: dict[str, int] = {}
    for outcome in report.outcomes:
        counts[outcome.outcome] = counts.get(outcome.outcome, 0) + 1
    summary = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
    if not summary:
        return
    yield f"<details><summary>Checks: {_text(summary)}</summary><table>"
    for outcome in report.outcomes:
        cells = (outcome.code, outcome.name, outcome.outcome, outcome.reason)
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
    yield "</table></details>"


def _text(text: str) -> str:
    return escape(visible(text))
