"""Puts findings in order, most likely cause first, and ties consequences to causes.

The order is: causes before their consequences, errors before warnings before notes,
what keeps every framework from the GPU before what is wrong in an installation, proven
before likely before possible, and then from the base of the stack up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.model.finding import Finding, Role
    from fwdoctor.rules.registry import Rule

_SEVERITY = {"error": 0, "warning": 1, "info": 2}
_CERTAINTY = {"proven": 0, "likely": 1, "possible": 2}
_MACHINE = ("FW1", "FW7")  # rules on driver and GPU, and on what is around them
_ROLE = {"cause": 0, "separate": 1, "consequence": 2}


def rank(
    findings: tuple[Finding, ...], rules: tuple[Rule, ...], *, is_pasted: bool = False
) -> tuple[Finding, ...]:
    """The findings ordered, each with its role and what explains it.

    Of a paste, what is only possible keeps its order, the likelier first, and explains
    nothing.
    """
    by_code = {rule.code: rule for rule in rules}

    def key(placed: tuple[int, Finding]) -> tuple[int, bool, int, int, str, str]:
        place, finding = placed
        rule = by_code.get(finding.code)
        layer = rule.layer if rule else 0
        is_guess = is_pasted and finding.certainty == "possible"
        return (
            _SEVERITY[finding.severity],
            is_pasted or not _is_below_all(finding),
            _CERTAINTY[finding.certainty],
            place if is_guess else layer,
            finding.code,
            finding.subject,
        )

    ordered = [finding for _, finding in sorted(enumerate(findings), key=key)]
    explaining = [f for f in ordered if not is_pasted or f.certainty != "possible"]
    explained = _explanations(explaining, by_code)
    cause = next((f for f in ordered if f.code not in explained), None)
    placed = [_place(f, cause, explained) for f in ordered]
    return tuple(sorted(placed, key=lambda f: _ROLE[f.role]))


def _is_below_all(finding: Finding) -> bool:
    """Whether nothing installed can work before this is mended."""
    is_told = finding.certainty != "possible" and len(finding.blocks) > 1
    return is_told and finding.code.startswith(_MACHINE)


def _explanations(ordered: list[Finding], by_code: dict[str, Rule]) -> dict[str, str]:
    """Code of a finding → code of the finding that explains it."""
    present = {finding.code for finding in ordered}
    explained: dict[str, str] = {}
    for finding in ordered:
        rule = by_code.get(finding.code)
        if rule is None or finding.severity == "info":
            continue
        for code in rule.explains:
            if code in present and explained.get(rule.code) != code:
                explained.setdefault(code, rule.code)
    return explained


def _place(
    finding: Finding, cause: Finding | None, explained: dict[str, str]
) -> Finding:
    role: Role = "separate"
    explained_by = explained.get(finding.code)
    if explained_by is not None:
        role = "consequence"
    elif cause is not None and finding.severity != "info":
        role = "cause" if finding is cause else "separate"
    return replace(finding, role=role, explained_by=explained_by)
