"""Smoke results in words, and what they prove about the machine. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import DeepResult
from fwdoctor.presence import FRAMEWORK_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.model.snapshot import Framework, SmokeResult, Snapshot


def headline(results: Sequence[SmokeResult]) -> str:
    """The verdict: which framework trained where, or where it failed."""
    sentences = [
        _sentence(name, own)
        for name in FRAMEWORK_NAMES
        if (own := [r for r in results if r.framework == name])
    ]
    if not sentences:
        return "Nothing was tested."
    text = " ".join(sentences)
    is_gpu_tested = any(
        r.stage == "train" and r.status == "passed" and r.device != "cpu"
        for r in results
    )
    return text if is_gpu_tested else f"{text} No GPU was tested."


def _sentence(name: str, results: Sequence[SmokeResult]) -> str:
    title = FRAMEWORK_NAMES[name]
    failed = next((r for r in results if r.status == "failed"), None)
    if failed is not None:
        stage = " ".join(part for part in (failed.stage, failed.preset) if part)
        return f"{title} failed the smoke test at {stage}."
    trained = [r for r in results if r.stage == "train" and r.status == "passed"]
    if not trained:
        return f"{title} was not tested."
    device = trained[0].device or "cpu"
    where = "the CPU" if device == "cpu" else device
    return f"{title} trained MNIST on {where}."


def with_observations(snapshot: Snapshot) -> Snapshot:
    """The snapshot where a GPU that trained counts as seen working."""
    environments = tuple(
        replace(
            env,
            torch=_observed(env.torch, "torch", snapshot),
            tensorflow=_observed(env.tensorflow, "tensorflow", snapshot),
        )
        if env.is_target
        else env
        for env in snapshot.environments
    )
    return replace(snapshot, environments=environments)


def _observed(
    framework: Framework | None, name: str, snapshot: Snapshot
) -> Framework | None:
    own = [r for r in snapshot.smoke if r.framework == name]
    is_proven = any(
        r.stage == "train" and r.status == "passed" and r.device != "cpu" for r in own
    ) and all(r.status != "failed" for r in own)
    if framework is None or framework.deep is not None or not is_proven:
        return framework
    deep = DeepResult(stage="done", status="ok", gpu_available=True)
    return replace(framework, deep=deep)
