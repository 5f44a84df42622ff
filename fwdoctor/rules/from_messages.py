"""Findings from known messages in a log or paste, beside what the facts say.

A message that settles a cause supports the finding its facts already gave, or makes one
through the rule that hears the cause. A message that may stand for several causes makes
findings only where nothing else was found, and then only as possibilities.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.runner import finding_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.intake.catalogue import Catalogue, MessageEntry
    from fwdoctor.model.finding import Certainty, Finding
    from fwdoctor.model.snapshot import Message, Snapshot
    from fwdoctor.rules.registry import Rule

MOST_POSSIBILITIES = 3
MOST_LINES_SHOWN = 3
_CERTAINTIES: tuple[Certainty, ...] = ("proven", "likely", "possible")


def with_messages(
    found: tuple[Finding, ...],
    snapshot: Snapshot,
    catalogue: Catalogue,
    rules: tuple[Rule, ...],
) -> tuple[Finding, ...]:
    """The findings supported by messages, and those that messages alone make."""
    heard = [
        (message, entry)
        for message in snapshot.messages
        if not (entry := catalogue.get(message.id)).noise
    ]
    hearing = {rule.cause: rule for rule in rules if rule.hears}
    result = list(found)
    for cause in dict.fromkeys(entry.cause for _, entry in heard if entry.cause):
        told = [(m, e) for m, e in heard if e.cause == cause]
        index = next((i for i, f in enumerate(result) if f.cause == cause), None)
        if index is not None:
            result[index] = _supported(result[index], told)
        elif cause in hearing:
            result.append(_told(hearing[cause], told))
    if not any(finding.severity == "error" for finding in result):
        result.extend(_possibilities(heard, result, hearing))
    return tuple(result)


def _certainty(entries: Iterable[MessageEntry]) -> Certainty:
    words = [entry.certainty for entry in entries]
    return next((word for word in _CERTAINTIES if word in words), "possible")


def _evidence(messages: Iterable[Message]) -> tuple[Evidence, ...]:
    distinct = {message.text: message for message in messages}
    return tuple(
        Evidence(fact=m.id, value=m.text, source=f"line {m.line}")
        for m in list(distinct.values())[:MOST_LINES_SHOWN]
    )


def _supported(finding: Finding, told: list[tuple[Message, MessageEntry]]) -> Finding:
    """The same finding with the messages as evidence, and at least their certainty."""
    words = (_certainty(entry for _, entry in told), finding.certainty)
    stronger = min(words, key=_CERTAINTIES.index)
    evidence = (*finding.evidence, *_evidence(message for message, _ in told))
    return replace(finding, certainty=stronger, evidence=evidence)


def _told(rule: Rule, told: list[tuple[Message, MessageEntry]]) -> Finding:
    """A finding that rests on messages alone."""
    best = min((e for _, e in told), key=lambda e: _CERTAINTIES.index(e.certainty))
    certainty = _certainty([best])
    hint = best.fix_hint
    return finding_of(
        rule,
        Problem(
            subject=best.origin,
            message=best.meaning.rstrip("."),
            evidence=_evidence(message for message, _ in told),
            fix=(Fix(effort="environment", why=hint.rstrip(".")),) if hint else (),
            certainty=certainty,
            severity="warning" if certainty == "possible" else None,
            references=best.sources,
        ),
    )


def _possibilities(
    heard: list[tuple[Message, MessageEntry]],
    found: list[Finding],
    hearing: dict[str, Rule],
) -> list[Finding]:
    """What undecided messages may stand for, the most often named first."""
    present = {finding.cause for finding in found}
    votes: dict[str, float] = {}
    for _, entry in heard:
        for place, cause in enumerate(entry.also):
            votes[cause] = votes.get(cause, 0) + 1 / (1 + place)
    ordered = sorted(votes, key=lambda cause: -votes[cause])
    chosen = [c for c in ordered if c in hearing and c not in present]
    possible: list[Finding] = []
    for cause in chosen[:MOST_POSSIBILITIES]:
        told = [(m, e) for m, e in heard if cause in e.also]
        finding = _told(hearing[cause], told)
        possible.append(
            replace(
                finding,
                certainty="possible",
                severity="warning",
                message=f"possibly {cause}: {finding.message}",
            )
        )
    return possible
