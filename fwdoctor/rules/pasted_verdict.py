"""The verdict on a paste: what its findings and facts allow to say.

A live machine that is not found wanting is healthy. Of a pasted text that may only be
said when the text itself shows it: a GPU in use, lines that are all harmless, a message
that is no matter of installation. Otherwise too little is known, and we ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.report_facts import is_gpu_seen, is_without_nvidia

if TYPE_CHECKING:
    from fwdoctor.intake.catalogue import Catalogue
    from fwdoctor.model.finding import Finding, FrameworkVerdict, VerdictWord
    from fwdoctor.model.snapshot import Snapshot


def pasted_word(
    snapshot: Snapshot,
    findings: tuple[Finding, ...],
    verdicts: dict[str, FrameworkVerdict],
    catalogue: Catalogue | None,
) -> VerdictWord:
    """One word on the paste: an alarm only where something is at least likely."""
    alarms = [
        f for f in findings if f.severity != "info" and f.cause not in HARMLESS_CAUSES
    ]
    if any(finding.certainty != "possible" for finding in alarms):
        return "findings"
    if alarms:
        return "not-enough-facts"
    if is_without_nvidia(snapshot):
        return "nothing-to-check"
    if _is_explained(findings) or is_gpu_seen(snapshot):
        return "healthy"
    if presence.has_nvidia_gpu(snapshot) is False:
        return "nothing-to-check"
    if any(verdict.gpu_usable for verdict in verdicts.values()):
        return "healthy"
    return "healthy" if _is_only_noise(snapshot, catalogue) else "not-enough-facts"


def _is_explained(findings: tuple[Finding, ...]) -> bool:
    """Whether a line of the text is explained by something harmless."""
    return any(
        finding.cause in HARMLESS_CAUSES
        and finding.certainty != "possible"
        and any(item.source.startswith("line ") for item in finding.evidence)
        for finding in findings
    )


def _is_only_noise(snapshot: Snapshot, catalogue: Catalogue | None) -> bool:
    """Whether lines were recognised, and all of them are harmless ones."""
    if catalogue is None or not snapshot.messages:
        return False
    entries = [catalogue.get(message.id) for message in snapshot.messages]
    return all(entry.noise or entry.cause == "healthy" for entry in entries)


def pasted_headline(word: VerdictWord, findings: tuple[Finding, ...]) -> str | None:
    """The sentence above a paste's report; None: as for a machine."""
    first = findings[0] if findings else None
    if word == "not-enough-facts" and first is not None:
        return "The text does not decide the cause; what is possible, and what to ask:"
    if word == "not-enough-facts":
        return "Not enough in this text to name a cause."
    if word == "healthy" and first is not None and first.cause in HARMLESS_CAUSES:
        return "Nothing in this text is a fault of the installation."
    if word == "healthy":
        return "Nothing in this text is an error."
    return None
