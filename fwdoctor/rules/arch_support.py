"""What the four rules on compute capabilities share: which GPUs a build cannot serve.

FW402 and FW403 speak for PyTorch, FW505 and FW506 for TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Gpu, Snapshot
    from fwdoctor.model.verdict import Verdict


def unserved_gpus(
    name: str, snapshot: Snapshot, matrices: Matrices, *, too_old: bool
) -> Iterator[Problem]:
    """A problem for each GPU model the framework's build has no code for.

    `too_old` chooses which kind: GPUs older than the build's targets, or newer ones.
    """
    framework = presence.frameworks(snapshot.target).get(name)
    if framework is None or framework.kind != "cuda":
        return
    models: dict[tuple[object, ...], Gpu] = {}
    for gpu in snapshot.gpus or ():
        if gpu.compute_capability is not None:
            models.setdefault((gpu.name, gpu.compute_capability), gpu)
    gpus = models.values()
    verdicts = [
        (gpu, _verdict(name, gpu, framework, snapshot, matrices)) for gpu in gpus
    ]
    is_some_served = any(verdict.ok for _, verdict in verdicts)
    for gpu, verdict in verdicts:
        if (
            verdict.ok is False
            and _is_too_old(name, gpu, framework, matrices) == too_old
        ):
            yield _problem(
                name, framework, gpu, verdict, snapshot, matrices, is_some_served
            )


def _verdict(
    name: str, gpu: Gpu, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> Verdict:
    assert gpu.compute_capability is not None  # noqa: S101  # filtered by the caller
    return compat.build_runs(
        name,
        framework,
        gpu.compute_capability,
        matrices,
        driver_cuda=presence.driver_cuda(snapshot),
    )


def _is_too_old(name: str, gpu: Gpu, framework: Framework, matrices: Matrices) -> bool:
    assert gpu.compute_capability is not None  # noqa: S101  # filtered by the caller
    sass, ptx = compat.build_targets(name, framework, matrices)
    return compat.is_gpu_too_old(
        gpu.compute_capability, (*sass, *ptx), matrices, framework.cuda
    )


def _problem(  # one value each of what it words
    name: str,
    framework: Framework,
    gpu: Gpu,
    verdict: Verdict,
    snapshot: Snapshot,
    matrices: Matrices,
    is_some_served: bool,
) -> Problem:
    product = presence.product_name(name, framework)
    is_seen = presence.is_observed_working(framework)
    sass, ptx = compat.build_targets(name, framework, matrices)
    targets = " ".join(
        [cc.sm for cc in sass]
        + [f"compute_{cc.major}{cc.minor}{cc.suffix}" for cc in ptx]
    )
    seen = "; yet it was seen using the GPU" if is_seen else ""
    return Problem(
        subject=product,
        message=f"{product} has no code for {gpu.name or f'GPU {gpu.index}'},"
        f" compute capability {gpu.compute_capability}",
        detail=f"{verdict.reason}{seen}",
        severity="warning" if is_seen or is_some_served else None,
        evidence=(
            Evidence(
                fact=f"gpu {gpu.index} compute_capability",
                value=str(gpu.compute_capability),
                source="nvml",
            ),
            Evidence(
                fact=f"{name} targets", value=targets, source=framework.path or ""
            ),
        ),
        fix=working_builds(snapshot, matrices, name),
        blocks=() if is_some_served else (name,),  # type: ignore[arg-type]  # torch or tensorflow
    )
