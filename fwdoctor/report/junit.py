"""The report as JUnit XML: one test case for each rule, in one suite.

An error finding is a failure; a warning passes and says so in `system-out`; a rule that
could not run is skipped with its reason, one that crashed is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwdoctor.model.finding import Finding, Outcome, Report
    from fwdoctor.report.registry import RenderOptions

    Safe = Callable[[str], str]

SUITE = "fwdoctor"


def render(report: Report, options: RenderOptions) -> str:
    """An XML document with its declaration and a final newline."""

    def safe(text: str) -> str:
        return _legal(redact(text, home=options.home, user=options.user))

    cases = [_case(report, outcome, safe) for outcome in report.outcomes]
    known = {outcome.code for outcome in report.outcomes}
    others = [f for f in report.findings if f.code not in known]
    cases.extend(_case_of(finding, safe) for finding in others)
    suite = ET.Element("testsuite", {"name": SUITE, **_counts(cases)})
    suite.set("time", _seconds(report.timings_ms.values()))
    if report.snapshot.created_at:
        suite.set("timestamp", report.snapshot.created_at.partition("+")[0])
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", name=name, value=safe(value))
    suite.extend(cases)
    suites = ET.Element("testsuites", {"name": SUITE, **_counts(cases)})
    suites.append(suite)
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _properties(report: Report) -> list[tuple[str, str]]:
    rows = [
        ("fwdoctor_version", report.fwdoctor_version),
        ("verdict", report.verdict),
        ("headline", report.headline),
    ]
    return [*rows, ("input", report.input)] if report.input else rows


def _case(report: Report, outcome: Outcome, safe: Safe) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=f"{SUITE}.{outcome.code}",
        name=outcome.name,
        time=f"{outcome.ms / 1000:.6f}",
    )
    found = [f for f in report.findings if f.code == outcome.code]
    if outcome.outcome == "skipped":
        ET.SubElement(case, "skipped", message=safe(outcome.reason))
    elif outcome.outcome == "crashed":
        ET.SubElement(case, "error", message=safe(outcome.reason), type="crashed")
    _add_findings(case, found, safe)
    return case


def _case_of(finding: Finding, safe: Safe) -> ET.Element:
    """A finding that no rule of this run made, such as an unmet expectation."""
    case = ET.Element(
        "testcase", classname=f"{SUITE}.{finding.code}", name=finding.name, time="0"
    )
    _add_findings(case, [finding], safe)
    return case


def _add_findings(case: ET.Element, found: Iterable[Finding], safe: Safe) -> None:
    errors = [f for f in found if f.severity == "error"]
    if errors:
        first = errors[0]
        failure = ET.SubElement(
            case, "failure", message=safe(first.message), type=first.cause
        )
        failure.text = "\n\n".join(safe(finding_text(f)) for f in errors)
    notes = [
        f"{finding.severity}: {safe(finding_text(finding))}"
        for finding in found
        if finding.severity != "error"
    ]
    if notes:
        ET.SubElement(case, "system-out").text = "\n\n".join(notes)


def finding_text(finding: Finding) -> str:
    """A finding as plain lines: message, numbers, and what to type."""
    lines = [finding.message, finding.detail]
    for fix in finding.fix:
        lines.append(f"fix ({fix.effort}): {fix.why}")
        lines.extend(f"    {command}" for command in fix.commands)
    return "\n".join(line for line in lines if line)


def _counts(cases: list[ET.Element]) -> dict[str, str]:
    def number(tag: str) -> str:
        return str(sum(case.find(tag) is not None for case in cases))

    return {
        "tests": str(len(cases)),
        "failures": number("failure"),
        "errors": number("error"),
        "skipped": number("skipped"),
    }


def _seconds(milliseconds: Iterable[float]) -> str:
    return f"{sum(milliseconds) / 1000:.6f}"


def _legal(text: str) -> str:
    """The text without the characters that XML 1.0 cannot hold."""
    return "".join(c if _is_legal(ord(c)) else "\ufffd" for c in text)


def _is_legal(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )
