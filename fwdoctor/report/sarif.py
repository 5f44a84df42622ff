"""The report as SARIF 2.1.0, as GitHub code scanning and others take it.

A finding about a machine has no line of source: its place is the environment or image
that was examined, as a relative reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwdoctor.redact import redact_json
from fwdoctor.report.junit import finding_text
from fwdoctor.report.visible import json_text
from fwdoctor.rules.pages import page_markdown
from fwdoctor.rules.registry import load_rules

if TYPE_CHECKING:
    from fwdoctor.model.finding import Finding, Report
    from fwdoctor.report.registry import RenderOptions
    from fwdoctor.rules.registry import Rule

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PLAIN = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
)


def render(report: Report, options: RenderOptions) -> str:
    """One SARIF log with one run."""
    run: dict[str, Any] = {
        "tool": {"driver": _driver(report)},
        "invocations": [
            {
                "executionSuccessful": _ran_well(report),
                "toolExecutionNotifications": _notifications(report),
            }
        ],
        "results": [_result(finding, report) for finding in report.findings],
        "columnKind": "utf16CodeUnits",
        "properties": {"verdict": report.verdict, "headline": report.headline},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_text(redact_json(log, home=options.home, user=options.user))


def _driver(report: Report) -> dict[str, Any]:
    rules = {rule.code: rule for rule in load_rules()}
    codes = dict.fromkeys(finding.code for finding in report.findings)
    return {
        "name": "fwdoctor",
        "semanticVersion": report.fwdoctor_version,
        "rules": [
            _rule(rules[code]) if code in rules else _other(code, report)
            for code in codes
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    page = page_markdown(rule)
    references = [line[2:] for line in page.splitlines() if line.startswith("- http")]
    title = rule.page.partition("\n")[0]
    described = {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": title},
        "help": {"text": rule.page, "markdown": page},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.cause]},
    }
    return described | ({"helpUri": references[0]} if references else {})


def _other(code: str, report: Report) -> dict[str, Any]:
    """What a finding says of itself, where no rule has its code."""
    finding = next(f for f in report.findings if f.code == code)
    return {
        "id": code,
        "name": finding.name,
        "shortDescription": {"text": finding.name.replace("-", " ")},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": {"tags": [finding.cause]},
    }


def _result(finding: Finding, report: Report) -> dict[str, Any]:
    codes = list(dict.fromkeys(f.code for f in report.findings))
    place = {"artifactLocation": {"uri": _place(report)}, "region": {"startLine": 1}}
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": finding_text(finding)},
        "locations": [
            {
                "physicalLocation": place,
                "logicalLocations": [{"name": finding.subject or "machine"}],
            }
        ],
        "partialFingerprints": {
            "fwdoctor/v1": f"{finding.code}:{finding.subject.partition(' ')[0]}"
        },
        "properties": {
            "cause": finding.cause,
            "role": finding.role,
            "certainty": finding.certainty,
        },
    }


def _place(report: Report) -> str:
    """What was examined, as a relative URI reference."""
    target = report.snapshot.target
    named = report.input or (target.prefix if target else "") or "machine"
    path = "/".join(p for p in named.split("/") if p not in ("", ".", "..")) or "root"
    return "".join(c if c in _PLAIN else _percent(c) for c in path)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _ran_well(report: Report) -> bool:
    return all(outcome.outcome != "crashed" for outcome in report.outcomes)


def _notifications(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "level": "error",
            "message": {"text": f"{outcome.code} {outcome.name}: {outcome.reason}"},
        }
        for outcome in report.outcomes
        if outcome.outcome == "crashed"
    ]
