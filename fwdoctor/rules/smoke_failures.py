"""Failed stages of the smoke test, as the FW9xx rules word them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fwdoctor.model.snapshot import SmokeKind, SmokeResult, Snapshot

_PLACES = {
    "device": "looking for the device",
    "allocate": "allocating memory",
    "matmul": "multiplying matrices",
    "convolution": "convolving",
    "train": "training",
    "accuracy": "testing",
    "placement": "looking where tensors are",
    "losses-agree": "training",
    "frameworks-agree": "training",
    "mixed-precision": "training in half precision",
    "compile": "running compiled code",
    "memory-released": "giving memory back",
    "all-reduce": "adding up over processes",
    "together": "training together",
}


def failures(
    snapshot: Snapshot, *kinds: SmokeKind, stages: Collection[str] = ()
) -> Iterator[SmokeResult]:
    """Failed stages of these kinds (any when none is named) in these stages."""
    for result in snapshot.smoke:
        if result.status != "failed" or (kinds and result.kind not in kinds):
            continue
        if not stages or result.stage in stages:
            yield result


def subject(snapshot: Snapshot, result: SmokeResult) -> str:
    """The product that was tested: "torch 2.13.0"."""
    framework = presence.frameworks(snapshot.target).get(result.framework)
    if framework is None:
        return result.framework
    return presence.product_name(result.framework, framework)


def place(result: SmokeResult) -> str:
    """Where it happened: " while training cnn on cuda:0"."""
    doing = _PLACES.get(result.stage, f"in stage {result.stage}")
    what = f" {result.preset}" if result.preset else ""
    where = {None: "", "cpu": " on the CPU"}.get(result.device, f" on {result.device}")
    return f" while {doing}{what}{where}"


def evidence(result: SmokeResult) -> tuple[Evidence, ...]:
    """The stage and what it said."""
    stage = f"{result.stage} {result.preset or ''}".strip()
    return (
        Evidence(
            fact=f"smoke {result.framework} {stage}",
            value=result.detail or result.status,
            source="smoke",
        ),
    )


def again(snapshot: Snapshot, result: SmokeResult, *, device: str | None = None) -> str:
    """The command that repeats the test."""
    check = fixes.check_command(snapshot.target)
    lead = check.replace("fwdoctor check", f"fwdoctor smoke {result.framework}", 1)
    chosen = device or result.device
    return f"{lead} --device {chosen}" if chosen and "+" not in chosen else lead


def blocked(result: SmokeResult) -> tuple[Literal["torch", "tensorflow"], ...]:
    """The framework, where it was a GPU that it could not use."""
    return () if result.device == "cpu" else (result.framework,)


def clean_environment(snapshot: Snapshot, result: SmokeResult) -> tuple[Fix, ...]:
    """Try without other libraries in the way."""
    verify = again(snapshot, result)
    clean = Fix(
        effort="environment",
        commands=(f"fwdoctor recommend --for {result.framework}",),
        why="install a version that suits this machine into a new environment",
        verify=verify,
    )
    if not snapshot.env_vars.get("LD_LIBRARY_PATH"):
        return (clean,)
    unset = Fix(
        effort="environment",
        commands=("unset LD_LIBRARY_PATH",),
        why="let it load its own libraries",
        verify=verify,
    )
    return (unset, clean)
