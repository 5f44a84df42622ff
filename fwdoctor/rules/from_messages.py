"""Findings from known messages in a log or paste, beside what the facts say.

A message that settles a cause supports the finding its facts already gave, or makes one
through the rule that hears the cause. What is only possible makes a warning where
nothing stronger was found, a note beside what is likely, and nothing beside what is
proven.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.deciding import decide_all, other_possibilities
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
    decisions = decide_all(heard)
    result = list(found)
    possible: list[Finding] = []
    for cause, told in _by_cause(decisions).items():
        index = _find(cause, result)
        if index is not None:
            result[index] = _supported(result[index], told)
        elif cause in hearing:
            finding = tell(hearing[cause], told, heard)
            (possible if finding.certainty == "possible" else result).append(finding)
    present = {finding.cause for finding in result}
    possible.extend(
        tell(hearing[other.cause], [other], heard)
        for other in other_possibilities(heard, decisions)
        if other.cause in hearing and other.cause not in present
    )
    sure = [d for d in decisions if d.certainty != "possible"]
    return (*result, *_worth_telling(possible, result, sure))


def _worth_telling(
    possible: list[Finding], found: list[Finding], sure: list[Decision]
) -> list[Finding]:
    """Nothing beside what is proven, notes beside what is likely, else warnings."""
    errors = [finding for finding in found if finding.severity == "error"]
    certainties = {f.certainty for f in errors} | {d.certainty for d in sure}
    if "proven" in certainties:
        return []
    chosen = possible[: max(0, MOST_POSSIBILITIES - len(errors))]
    if not certainties:
        return chosen
    return [replace(finding, severity="info") for finding in chosen]


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
