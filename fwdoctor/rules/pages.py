"""A rule's page and the list of rules, from the rules' own docstrings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.rules.registry import Rule

HEADINGS = ("What it checks", "Why it matters", "How to fix", "References")


def page_text(rule: Rule) -> str:
    """The page of one rule: title, facts, then its docstring."""
    title = f"{rule.code} {rule.name}"
    facts = f"cause {rule.cause}, {rule.severity}, since {rule.since}"
    follow = f"explains {', '.join(rule.explains)}\n" if rule.explains else ""
    return f"{title}\n{'=' * len(title)}\n\n{facts}\n{follow}\n{rule.page}\n"


def page_markdown(rule: Rule) -> str:
    """The same page as Markdown for docs/rules/."""
    lines = [f"# {rule.code} {rule.name}", ""]
    lines.append(f"Cause `{rule.cause}`, severity {rule.severity}, since {rule.since}.")
    if rule.explains:
        lines.append(f"Explains {', '.join(rule.explains)}.")
    lines.append("")
    previous = ""
    for line in rule.page.splitlines():
        if set(line) == {"-"} and previous in HEADINGS:
            lines[-1] = f"## {previous}"
        else:
            lines.append(line)
        previous = line
    return "\n".join(lines) + "\n"


def rules_table(rules: tuple[Rule, ...]) -> str:
    """One line per rule."""
    width = max((len(rule.name) for rule in rules), default=0)
    return "".join(
        f"{rule.code}  {rule.name:<{width}}  {rule.severity:<7}  {rule.cause}\n"
        for rule in rules
    )


def rules_json(rules: tuple[Rule, ...]) -> str:
    """The rules as a JSON list."""
    rows = [
        {
            "code": rule.code,
            "name": rule.name,
            "cause": rule.cause,
            "severity": rule.severity,
            "needs": list(rule.needs),
            "explains": list(rule.explains),
            "since": rule.since,
        }
        for rule in rules
    ]
    return json.dumps(rows, indent=2) + "\n"
