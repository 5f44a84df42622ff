"""What rules say: problems, findings, fixes, outcomes, and the whole report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from fwdoctor.model.lazy_dataclass import dataclass
from fwdoctor.model.snapshot import Snapshot

Severity = Literal["error", "warning", "info"]
Role = Literal["cause", "consequence", "separate"]
Effort = Literal["environment", "host-root", "reboot", "hardware", "ask"]
Certainty = Literal["proven", "likely", "possible"]
VerdictWord = Literal["healthy", "findings", "not-enough-facts", "nothing-to-check"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fact a finding rests on, and where it was read."""

    fact: str
    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One way to mend it: commands in order, why, and how to see that it worked."""

    effort: Effort
    commands: tuple[str, ...] = ()
    why: str = ""
    verify: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a rule's check yields; the runner adds code, name and cause."""

    message: str
    subject: str
    detail: str = ""  # a second line with the numbers
    evidence: tuple[Evidence, ...] = ()
    fix: tuple[Fix, ...] = ()
    severity: Severity | None = None  # None: the rule's own
    cause: str | None = None  # None: the rule's own
    certainty: Certainty = "proven"
    blocks: tuple[Literal["torch", "tensorflow"], ...] = ()  # GPU unusable there
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem with its rule and its place in the ranking."""

    code: str
    name: str
    cause: str
    severity: Severity
    role: Role
    subject: str
    message: str
    detail: str = ""
    certainty: Certainty = "proven"
    explained_by: str | None = None
    evidence: tuple[Evidence, ...] = ()
    fix: tuple[Fix, ...] = ()
    blocks: tuple[Literal["torch", "tensorflow"], ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one rule."""

    code: str
    name: str
    outcome: Literal["passed", "failed", "skipped", "crashed"]
    reason: str = ""
    ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkVerdict:
    """Can this framework use the GPU: yes, no, or unknown (None), and why."""

    version: str | None
    gpu_usable: bool | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The judged snapshot: what every output format renders."""

    fwdoctor_version: str
    verdict: VerdictWord
    headline: str
    frameworks: Mapping[str, FrameworkVerdict] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()  # most likely cause first
    outcomes: tuple[Outcome, ...] = ()
    questions: tuple[str, ...] = ()  # commands to ask the reporter for
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    snapshot: Snapshot = field(default_factory=Snapshot)
    input: str | None = None
