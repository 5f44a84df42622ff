"""Findings from known messages in a log or paste, beside what the facts say.

A message that settles a cause supports the finding its facts already gave, or makes one
through the rule that hears the cause. What is only possible makes a warning, and only
where nothing stronger was found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.deciding import decide_all
from fwdoctor.rules.heard import hear
from fwdoctor.rules.telling import evidence_of, strongest, tell

if TYPE_CHECKING:
    from fwdoctor.intake.catalogue import Catalogue
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Finding
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.rules.deciding import Decision
    from fwdoctor.rules.registry import Rule

MOST_POSSIBILITIES = 3


def with_messages(
    found: tuple[Finding, ...],
    snapshot: Snapshot,
    catalogue: Catalogue,
    matrices: Matrices,
    rules: tuple[Rule, ...],
) -> tuple[Finding, ...]:
    """The findings supported by messages, and those that messages alone make."""
    heard = hear(snapshot, catalogue, matrices, found)
    hearing = {rule.cause: rule for rule in rules if rule.hears}
    result = list(found)
    possible: list[Finding] = []
    for cause, decisions in _by_cause(decide_all(heard)).items():
        index = _find(cause, result)
        if index is not None:
            result[index] = _supported(result[index], decisions)
        elif cause in hearing:
            finding = tell(hearing[cause], decisions, heard)
            (possible if finding.certainty == "possible" else result).append(finding)
    if not any(finding.severity == "error" for finding in result):
        result.extend(possible[:MOST_POSSIBILITIES])
    return tuple(result)


def _by_cause(decisions: tuple[Decision, ...]) -> dict[str, list[Decision]]:
    grouped: dict[str, list[Decision]] = {}
    for decision in decisions:
        grouped.setdefault(decision.cause, []).append(decision)
    return grouped


def _find(cause: str, found: list[Finding]) -> int | None:
    """The finding of this cause that facts gave, an error before a note."""
    places = [index for index, finding in enumerate(found) if finding.cause == cause]
    ordered = ("error", "warning", "info")
    return min(places, key=lambda i: ordered.index(found[i].severity), default=None)


def _supported(finding: Finding, decisions: list[Decision]) -> Finding:
    """The same finding with the messages as evidence, and at least their certainty."""
    certainty = strongest([finding.certainty, *(d.certainty for d in decisions)])
    evidence = evidence_of(decision.told.message for decision in decisions)
    is_reported = any(decision.certainty != "possible" for decision in decisions)
    is_alarm = is_reported and finding.cause not in HARMLESS_CAUSES
    return replace(
        finding,
        certainty=certainty,
        evidence=(*finding.evidence, *evidence),
        severity="error" if is_alarm else finding.severity,
    )
