"""Judges a snapshot: runs the rules, ranks what they find, and words the verdict.

Pure: the same snapshot and matrices give the same report, timings apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import __version__, compat, presence
from fwdoctor.model.finding import FrameworkVerdict, Report
from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.from_messages import with_messages
from fwdoctor.rules.pasted_verdict import pasted_headline, pasted_word
from fwdoctor.rules.questions import questions_for
from fwdoctor.rules.ranking import rank
from fwdoctor.rules.registry import load_rules
from fwdoctor.rules.runner import run_rules

if TYPE_CHECKING:
    from collections.abc import Collection

    from fwdoctor.intake.catalogue import Catalogue
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Finding, VerdictWord
    from fwdoctor.model.snapshot import Framework, Snapshot
    from fwdoctor.rules.registry import Rule


def judge(
    snapshot: Snapshot,
    matrices: Matrices,
    *,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    catalogue: Catalogue | None = None,
    loaded: tuple[Rule, ...] | None = None,
) -> Report:
    """The report on a snapshot.

    `select` and `ignore` are prefixes of codes, or rule names. `catalogue` says what
    the snapshot's messages mean; without it they are not heard. `loaded` spares
    finding the rules again where many snapshots are judged.
    """
    every = loaded if loaded is not None else load_rules()
    rules = [rule for rule in every if is_chosen(rule.code, rule.name, select, ignore)]
    found, outcomes = run_rules(rules, snapshot, matrices)
    if catalogue is not None:
        found = with_messages(found, snapshot, catalogue, matrices, tuple(rules))
    findings = rank(found, every, is_pasted=snapshot.origin == "pasted")
    verdicts = {
        name: _framework_verdict(name, framework, snapshot, matrices, findings)
        for name, framework in presence.frameworks(snapshot.target).items()
    }
    word = _verdict_word(snapshot, findings, verdicts, catalogue)
    is_asking = snapshot.origin == "pasted" and word == "not-enough-facts"
    return Report(
        fwdoctor_version=__version__,
        verdict=word,
        headline=_headline(snapshot, word, findings, verdicts),
        questions=questions_for(snapshot, findings) if is_asking else (),
        frameworks=verdicts,
        findings=findings,
        outcomes=outcomes,
        timings_ms={probe.name: probe.ms for probe in snapshot.probes},
        snapshot=snapshot,
    )


def is_chosen(
    code: str, name: str, select: Collection[str], ignore: Collection[str]
) -> bool:
    """Whether these prefixes of codes, or names, take in the rule."""

    def matches(patterns: Collection[str]) -> bool:
        return any(code.startswith(p.upper()) or name == p.lower() for p in patterns)

    return (not select or matches(select)) and not matches(ignore)


def _framework_verdict(
    name: str,
    framework: Framework,
    snapshot: Snapshot,
    matrices: Matrices,
    findings: tuple[Finding, ...],
) -> FrameworkVerdict:
    """Observed success first, then what blocks it, then the tables."""
    usable, reason = _observed(framework)
    if usable is None:
        blocking = _blocking(name, findings)
        if blocking is not None:
            usable, reason = False, f"{blocking.code} {blocking.name}"
        else:
            usable, reason = _by_tables(name, framework, snapshot, matrices)
            doubt = _doubting(presence.product_name(name, framework), findings)
            if usable and doubt is not None:
                usable, reason = None, f"{doubt.code} {doubt.name}"
    return FrameworkVerdict(version=framework.version, gpu_usable=usable, reason=reason)


def _observed(framework: Framework) -> tuple[bool | None, str]:
    if framework.deep is not None and framework.deep.gpu_available is True:
        return True, "it found the GPU when it was imported"
    return None, ""


def _blocking(name: str, findings: tuple[Finding, ...]) -> Finding | None:
    return next(
        (f for f in findings if f.severity == "error" and name in f.blocks), None
    )


def _doubting(product: str, findings: tuple[Finding, ...]) -> Finding | None:
    """An error about the product that may or may not keep it from the GPU."""
    return next(
        (f for f in findings if f.severity == "error" and f.subject == product), None
    )


def _by_tables(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> tuple[bool | None, str]:
    other = presence.other_way(snapshot.target, name)
    if other is not None and framework.kind != "cuda":
        return None, f"{other}: not NVIDIA's field"
    if framework.kind == "cpu":
        return False, "a CPU-only build"
    has_gpu = presence.has_nvidia_gpu(snapshot)
    if has_gpu is False:
        return False, "no NVIDIA GPU on this machine"
    libcuda = snapshot.driver.libcuda
    if libcuda is not None and libcuda.init_code not in (0, None):
        return False, f"cuInit answers {libcuda.init_code}"
    if libcuda is not None and libcuda.path is None and libcuda.load_error is not None:
        return None, "libcuda did not open here"
    if not snapshot.gpus or framework.cuda is None:
        return None, "the GPU or the build's CUDA version is not known"
    return _by_versions(name, framework, snapshot, matrices)


def _by_versions(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> tuple[bool | None, str]:
    assert framework.cuda is not None  # noqa: S101  # checked by the caller
    speaks = presence.driver_cuda(snapshot)
    verdicts = [
        compat.driver_runs(
            framework.cuda,
            matrices,
            driver=snapshot.driver.version,
            driver_cuda=speaks,
            os_name=presence.driver_os(snapshot),
        )
    ]
    gpu_verdicts = [
        compat.build_runs(name, framework, cc, matrices, driver_cuda=speaks)
        for cc in presence.capabilities(snapshot)
    ]
    if any(verdict.ok for verdict in gpu_verdicts):
        gpu_verdicts = [verdict for verdict in gpu_verdicts if verdict.ok]
    verdicts.extend(gpu_verdicts)
    for verdict in verdicts:
        if not verdict.ok:
            return verdict.ok, verdict.reason
    return (True, "driver, GPU and build agree") if gpu_verdicts else (None, "")


def _verdict_word(
    snapshot: Snapshot,
    findings: tuple[Finding, ...],
    verdicts: dict[str, FrameworkVerdict],
    catalogue: Catalogue | None,
) -> VerdictWord:
    if snapshot.origin == "pasted":
        return pasted_word(snapshot, findings, verdicts, catalogue)
    if any(_is_alarm(finding) for finding in findings):
        return "findings"
    has_gpu = presence.has_nvidia_gpu(snapshot)
    if has_gpu is False:
        return "nothing-to-check"
    if has_gpu is None:
        return "not-enough-facts"
    if verdicts and all(v.gpu_usable is None for v in verdicts.values()):
        return "not-enough-facts"
    return "healthy"


def _is_alarm(finding: Finding) -> bool:
    return finding.severity != "info" and finding.cause not in HARMLESS_CAUSES


def _headline(
    snapshot: Snapshot,
    word: VerdictWord,
    findings: tuple[Finding, ...],
    verdicts: dict[str, FrameworkVerdict],
) -> str:
    pasted = pasted_headline(word, findings) if snapshot.origin == "pasted" else None
    if pasted is not None:
        return pasted
    if word == "nothing-to-check" and presence.has_nvidia_gpu(snapshot) is False:
        return _headline_without_gpu(snapshot, verdicts)
    if word == "nothing-to-check":
        return "This is not about an NVIDIA GPU: nothing to check."
    if word == "not-enough-facts":
        return "Not enough facts to say whether the GPU can be used."
    if presence.has_nvidia_gpu(snapshot) is False:
        return "No NVIDIA GPU here, and this GPU installation would not work with one."
    blocked = [n for n, v in verdicts.items() if v.gpu_usable is False]
    usable = [n for n, v in verdicts.items() if v.gpu_usable is True]
    rest = _rest(snapshot, verdicts)
    if blocked:
        can = f"; {_join(usable)} can" if usable else ""
        return f"{_join(blocked)} cannot use the GPU{can}{rest}."
    if any(f.severity == "error" for f in findings if _is_alarm(f)):
        return "Something is wrong with this GPU installation."
    if usable:
        note = "" if word == "healthy" else ", with a warning"
        return f"{_join(usable)} can use the GPU{note}{rest}."
    if word == "findings":
        return "There is a warning about this GPU installation."
    return "The GPU and its driver work; no PyTorch or TensorFlow was examined."


def _rest(snapshot: Snapshot, verdicts: dict[str, FrameworkVerdict]) -> str:
    """What there is to say of the frameworks without a verdict, after a semicolon."""
    open_ones = [n for n, v in verdicts.items() if v.gpu_usable is None]
    others = [n for n in open_ones if presence.other_way(snapshot.target, n)]
    unknown = [n for n in open_ones if n not in others]
    text = f"; whether {_join(unknown)} can is not known" if unknown else ""
    return text + "".join(_not_judged(n, snapshot) for n in others)


def _not_judged(name: str, snapshot: Snapshot) -> str:
    other = presence.other_way(snapshot.target, name)
    return f"; {_join([name])} uses {other}, which is not judged"


def _headline_without_gpu(
    snapshot: Snapshot, verdicts: dict[str, FrameworkVerdict]
) -> str:
    if not verdicts:
        return "No NVIDIA GPU here, and no PyTorch or TensorFlow: nothing to check."
    if snapshot.host.os == "macos":
        names = _join(list(verdicts))
        return f"A Mac has no NVIDIA GPU; what {names} can do here is not judged."
    others = [n for n in verdicts if presence.other_way(snapshot.target, n)]
    own = [n for n in verdicts if n not in others]
    runs = "run" if len(own) > 1 else "runs"
    text = f"; {_join(own)} {runs} on the CPU" if own else ""
    text += "".join(_not_judged(n, snapshot) for n in others)
    return f"No NVIDIA GPU here{text}."


def _join(names: list[str]) -> str:
    return " and ".join(presence.FRAMEWORK_NAMES.get(name, name) for name in names)


def with_input(report: Report, name: str) -> Report:
    """The same report, naming the text or file it judged."""
    return replace(report, input=name)
