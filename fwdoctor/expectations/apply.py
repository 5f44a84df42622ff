"""Judges a report by expectations: pure, the day is a parameter.

Findings of a fleet member keep the code of the rule that made them, so that
`fwdoctor explain` knows them; what only the file demands has a code of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.errors import UsageError
from fwdoctor.model.finding import Evidence, Finding
from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.ranking import rank
from fwdoctor.rules.registry import find_rule, load_rules

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from typing import TypeVar

    from fwdoctor.expectations.model import Expectations, FleetMember, Override
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Report, Severity
    from fwdoctor.model.snapshot import Environment, Snapshot

    R = TypeVar("R", bound=Report)

FRAMEWORK = ("FWE01", "framework-not-as-expected")
GPUS = ("FWE02", "gpu-count-not-as-expected")
EXPIRED = ("FWE03", "override-expired")
# What `fwdoctor explain` says of these codes, which no rule has.
PAGES = {
    FRAMEWORK: "A framework that the expectations file requires is absent, or its"
    " version\nis outside the range given there. Install it, or change the file.",
    GPUS: "The machine has another number of GPUs than the expectations file says.",
    EXPIRED: "A severity override of the expectations file has passed its expiry"
    " date and no\nlonger holds. Mend the cause, or give the override a new date"
    " and reason.",
}


def apply_expectations(
    report: R, expectations: Expectations, matrices: Matrices, *, today: dt.date
) -> R:
    """The report with what is expected and not so, and severities as agreed.

    The fleet is asked only of an image: a live machine has a host of its own.
    """
    findings = [_overridden(f, expectations, today) for f in report.findings]
    findings += _missing_frameworks(report.snapshot, expectations)
    findings += _gpu_count(report.snapshot, expectations)
    findings += _expired(expectations, report.findings, today)
    if report.snapshot.origin == "image":
        for member in expectations.fleet:
            findings += _of_member(report, member, matrices, expectations, today)
    ranked = rank(tuple(findings), load_rules())
    return _worded(replace(report, findings=ranked), report, expectations)


def _overridden(
    finding: Finding, expectations: Expectations, today: dt.date
) -> Finding:
    """The finding with its agreed severity; a forbidden cause is always an error."""
    if finding.cause in expectations.forbidden_causes:
        note = f"{expectations.path} forbids {finding.cause}"
        return _with_note(finding, "error", note)
    for override in expectations.overrides:
        if today <= override.until and _is_about(override, finding):
            note = f"{override.level} until {override.until}: {override.reason}"
            return _with_note(finding, override.level, note)
    return finding


def _is_about(override: Override, finding: Finding) -> bool:
    return override.rule.lower() in (finding.code.lower(), finding.name)


def _with_note(finding: Finding, level: Severity, note: str) -> Finding:
    detail = f"{finding.detail}\n{note}" if finding.detail else note
    return replace(finding, severity=level, detail=detail)


def _expired(
    expectations: Expectations, findings: tuple[Finding, ...], today: dt.date
) -> Iterator[Finding]:
    for override in expectations.overrides:
        if today > override.until and any(_is_about(override, f) for f in findings):
            rule = find_rule(override.rule, load_rules())
            yield _finding(
                EXPIRED,
                cause=rule.cause if rule else "not-an-install-problem",
                severity="warning",
                subject="expectations",
                message=f"the override of {override.rule} ended on {override.until}",
                detail=f"it was: {override.reason}",
                source=expectations.path,
            )


def _finding(
    kind: tuple[str, str],
    *,
    cause: str,
    subject: str,
    message: str,
    source: str,
    severity: Severity = "error",
    detail: str = "",
) -> Finding:
    return Finding(
        code=kind[0],
        name=kind[1],
        cause=cause,
        severity=severity,
        role="separate",
        subject=subject,
        message=message,
        detail=detail,
        evidence=(Evidence(fact="expectation", value=message, source=source),),
    )


def _missing_frameworks(
    snapshot: Snapshot, expectations: Expectations
) -> Iterator[Finding]:
    for name, wanted in expectations.frameworks.items():
        have = [
            (environment, framework.version)
            for environment in _examined(snapshot)
            if (framework := presence.frameworks(environment).get(name)) is not None
        ]
        if any(_fits(version, wanted) for _, version in have):
            continue
        product = presence.FRAMEWORK_NAMES[name]
        there = ", ".join(f"{v or 'unknown'} in {e.prefix}" for e, v in have)
        expected = f"{product} {wanted}".strip()
        yield _finding(
            FRAMEWORK,
            cause="wrong-index-or-pin",
            subject=name,
            message=f"{expected} is expected, and there is {there or 'none'}",
            source=expectations.path,
        )


def _examined(snapshot: Snapshot) -> tuple[Environment, ...]:
    if snapshot.origin == "image":
        return snapshot.environments
    return (snapshot.target,) if snapshot.target is not None else ()


def _fits(version: str | None, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(wanted).contains(version or "", prereleases=True)
    except InvalidVersion:
        return not wanted


def _gpu_count(snapshot: Snapshot, expectations: Expectations) -> Iterator[Finding]:
    wanted = expectations.gpus
    if wanted is None or snapshot.origin == "image":
        return
    libcuda = snapshot.driver.libcuda
    seen = libcuda.device_count if libcuda is not None else None
    have = seen if seen is not None else len(snapshot.gpus or ())
    if have != wanted:
        noun = "GPU is" if wanted == 1 else "GPUs are"
        yield _finding(
            GPUS,
            cause="visible-devices",
            subject="GPU",
            message=f"{wanted} {noun} expected, and programs here see {have}",
            source=expectations.path,
        )


def _of_member(
    report: Report,
    member: FleetMember,
    matrices: Matrices,
    expectations: Expectations,
    today: dt.date,
) -> Iterator[Finding]:
    """What would be found on that host and is not found of the image itself."""
    from fwdoctor.assume import apply_assumptions
    from fwdoctor.judge import judge

    known = {(f.code, f.subject) for f in report.findings}
    facts = (f"driver={member.driver}", f"gpu={member.gpu}")
    for environment in report.snapshot.environments:
        own = replace(
            report.snapshot, environments=(replace(environment, is_target=True),)
        )
        try:
            assumed = apply_assumptions(own, facts, matrices)
        except UsageError as error:
            raise UsageError(
                "bad-fleet", f"{expectations.path}: fleet {member.name}: {error}"
            ) from error
        for finding in judge(assumed, matrices).findings:
            is_new = (finding.code, finding.subject) not in known
            if is_new and finding.severity == "error" and finding.role != "consequence":
                known.add((finding.code, finding.subject))
                named = f"on {member.name}: {finding.message}"
                yield _overridden(
                    replace(finding, message=named, role="separate"),
                    expectations,
                    today,
                )


def _worded(changed: R, before: Report, expectations: Expectations) -> R:
    """The verdict and headline, where the expectations decided them."""
    errors = [
        f
        for f in changed.findings
        if f.severity == "error" and f.cause not in HARMLESS_CAUSES
    ]
    had_errors = any(f.severity == "error" for f in before.findings)
    if errors and not had_errors:
        name = expectations.path.rpartition("/")[2]
        subject = "image" if before.snapshot.origin == "image" else "machine"
        headline = f"This {subject} is not as {name} expects."
        return replace(changed, verdict="findings", headline=headline)
    if errors or any(f.severity == "warning" for f in changed.findings):
        return replace(changed, verdict="findings")
    if before.verdict == "findings":
        return replace(changed, verdict="healthy")
    return changed
