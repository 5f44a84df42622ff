"""Runs rules over a snapshot: every rule ends as an outcome, none silently drops."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fwdoctor.model.finding import Finding, Outcome
from fwdoctor.rules.needs import Needs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Problem
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.rules.registry import Rule


def run_rules(
    rules: Iterable[Rule], snapshot: Snapshot, matrices: Matrices
) -> tuple[tuple[Finding, ...], tuple[Outcome, ...]]:
    """Every finding (unranked) and every rule's outcome."""
    findings: list[Finding] = []
    outcomes: list[Outcome] = []
    needs = Needs(snapshot)
    for rule in rules:
        begun = time.perf_counter()
        found, outcome, reason = _run_one(rule, snapshot, matrices, needs)
        findings.extend(found)
        outcomes.append(
            Outcome(
                code=rule.code,
                name=rule.name,
                outcome=outcome,  # type: ignore[arg-type]  # one of the four words
                reason=reason,
                ms=round((time.perf_counter() - begun) * 1000, 3),
            )
        )
    return tuple(findings), tuple(outcomes)


def _run_one(
    rule: Rule, snapshot: Snapshot, matrices: Matrices, needs: Needs
) -> tuple[list[Finding], str, str]:
    reason = needs.missing(rule.needs)
    if reason is not None:
        return [], "skipped", reason
    try:
        problems = list(rule.check(snapshot, matrices))
    except Exception as error:  # the one boundary for rules
        return [], "crashed", f"{type(error).__name__}: {error}"
    findings = [finding_of(rule, problem) for problem in problems]
    return findings, ("failed" if findings else "passed"), ""


def finding_of(rule: Rule, problem: Problem) -> Finding:
    """The problem with its rule's code, name and cause."""
    return Finding(
        code=rule.code,
        name=rule.name,
        cause=problem.cause or rule.cause,
        severity=problem.severity or rule.severity,
        role="separate",
        subject=problem.subject,
        message=problem.message,
        detail=problem.detail,
        certainty=problem.certainty,
        evidence=problem.evidence,
        fix=problem.fix,
        blocks=problem.blocks,
        references=problem.references,
    )
