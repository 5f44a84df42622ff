"""Why one published build would not do on a machine, obstacle by obstacle.

Everything asks `compat`; this module only collects the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor import compat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.verdict import Verdict
    from fwdoctor.solve.candidates import Machine
    from fwdoctor.versions import ComputeCapability, CudaVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that keeps a build from working here."""

    kind: str  # python, glibc, gpu, cudnn, driver, loader, prerelease, yanked …
    reason: str
    is_unknown: bool = False  # not known to work, which is not the same as no


def release_obstacles(release: Release, machine: Machine) -> Iterator[Obstacle]:
    """What speaks against every build of the release."""
    name = f"{release.framework} {release.version}"
    if release.prerelease:
        yield Obstacle(kind="prerelease", reason="a pre-release")
    if release.yanked:
        yield Obstacle(kind="yanked", reason=f"withdrawn: {release.yanked}")
    if machine.is_conda:
        return
    if release.runpath_lacks:
        folders = ", ".join(release.runpath_lacks)
        yield Obstacle(
            kind="loader",
            reason=f"its library search path lacks {folders}: {name} from PyPI"
            " does not find NVIDIA's wheels there and skips the GPU",
        )


def variant_obstacles(
    release: Release, variant: Variant, machine: Machine, matrices: Matrices
) -> Iterator[Obstacle]:
    """What speaks against this build; it is known to be for the machine's platform."""
    if machine.python:
        verdict = compat.python_runs(release, machine.python, variant)
        if verdict.ok is False:
            yield Obstacle(kind="python", reason=verdict.reason)
    if machine.glibc and not machine.is_conda:
        least = compat.glibc_runs(release, machine.glibc, variant).needs
        if least is not None:
            reason = f"needs glibc {least}; here it is {machine.glibc}"
            yield Obstacle(kind="glibc", reason=reason)
    if variant.cuda is None:
        return
    for gpu, verdict in zip(
        machine.capabilities,
        gpu_verdicts(release, variant, machine, matrices),
        strict=True,
    ):
        if not verdict.ok:
            reason = _named(verdict, gpu)
            yield Obstacle(kind="gpu", reason=reason, is_unknown=verdict.ok is None)
    for gpu in machine.capabilities:
        cudnn = variant.cudnn or _cudnn_of_wheels(release, variant)
        yield from _dropped_by_cudnn(cudnn, gpu, matrices)
        yield from _newer_than_cudnn(variant.cudnn, gpu, matrices)
    driver = driver_verdict(variant.cuda, machine, matrices)
    if driver is not None and not driver.ok:
        is_unknown = driver.ok is None
        yield Obstacle(kind="driver", reason=driver.reason, is_unknown=is_unknown)


def _cudnn_of_wheels(release: Release, variant: Variant) -> str | None:
    """For a conda build of unrecorded cuDNN: the oldest its wheels were built for.

    A recipe is not made for an older cuDNN than the release's own wheels of that CUDA.
    """
    if variant.build is None or variant.cuda is None:
        return None
    known = [
        wheel.cudnn
        for wheel in release.variants
        if wheel.cudnn and wheel.cuda and wheel.cuda.major == variant.cuda.major
    ]
    every = known or [w.cudnn for w in release.variants if w.cudnn]
    return min(every, key=_order, default=None)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _dropped_by_cudnn(
    cudnn: str | None, gpu: ComputeCapability, matrices: Matrices
) -> Iterator[Obstacle]:
    if cudnn is None:
        return
    verdict = compat.cudnn_runs(cudnn, gpu, matrices)
    if verdict.ok is False:
        yield Obstacle(kind="cudnn", reason=f"{verdict.reason}; this GPU has {gpu}")


def _newer_than_cudnn(
    cudnn: str | None, gpu: ComputeCapability, matrices: Matrices
) -> Iterator[Obstacle]:
    """No rule speaks of it, for PTX may help; it is no build to recommend."""
    release = matrices.find_cudnn(cudnn) if cudnn else None
    if release is None or not release.compute_capabilities:
        return
    if gpu.major > max(release.compute_capabilities).major:
        reason = f"cuDNN {release.version} was made before compute capability {gpu}"
        yield Obstacle(kind="cudnn", reason=reason)


def _named(verdict: Verdict, gpu: ComputeCapability) -> str:
    reason = verdict.reason
    return reason if str(gpu) in reason else f"{reason} (GPU of {gpu})"


def gpu_verdicts(
    release: Release, variant: Variant, machine: Machine, matrices: Matrices
) -> tuple[Verdict, ...]:
    """How the build's code reaches each GPU of the machine."""
    # As `compat.build_runs` does: what was measured in the release's wheel holds for
    # its conda builds too, whose kernels the same generator made.
    measured = release.kernel_ptx
    return tuple(
        compat.gpu_runs(
            cc,
            matrices,
            sass=variant.compute_capabilities,
            ptx=variant.ptx if measured is None else measured,
            build_cuda=variant.cuda,
            driver_cuda=machine.driver_cuda,
        )
        for cc in machine.capabilities
    )


def driver_verdict(
    cuda: CudaVersion, machine: Machine, matrices: Matrices
) -> Verdict | None:
    """Whether the driver runs builds for this CUDA; None without a known driver."""
    if machine.driver is None and machine.driver_cuda is None:
        return None
    return compat.driver_runs(
        cuda,
        matrices,
        driver=machine.driver,
        driver_cuda=machine.driver_cuda,
        os_name=machine.os_name,
    )
