"""Published builds of a framework that run on a given machine, best first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.fixes import CONDA_MANAGERS, manager_of
from fwdoctor.solve.fit import (
    driver_verdict,
    gpu_verdicts,
    release_obstacles,
    variant_obstacles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.compat import OsName
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.model.verdict import Verdict
    from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion


# In this order: conda-forge, Anaconda's own, PyTorch's old one with its last builds.
CHANNELS = ("conda-forge", "defaults", "pytorch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a build has to fit; None means unknown and is not held against it."""

    capabilities: tuple[ComputeCapability, ...] = ()
    driver: DriverVersion | None = None
    driver_cuda: CudaVersion | None = None
    os_name: OsName = "linux"  # whose driver numbering
    platform: str = "linux-x86_64"
    python: str | None = None  # "3.12"
    glibc: str | None = None
    is_conda: bool = False
    channel: str | None = None  # conda: only this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A build that fits, and how its code reaches the GPU."""

    release: Release
    variant: Variant
    gpu_verdicts: tuple[Verdict, ...] = ()
    driver_verdict: Verdict | None = None

    @property
    def requirement(self) -> str:
        """The exact requirement: pip's spelling, or a conda match spec."""
        if self.variant.build:
            return f"{self.variant.package}={self.release.version}={self.variant.build}"
        extra = "[and-cuda]" if "and-cuda" in self.release.extras else ""
        # A page of links holds every variant: the label chooses among them.
        is_page = self.variant.index.endswith(".html")
        label = f"+{self.variant.variant}" if is_page else ""
        return f"{self.variant.package}{extra}=={self.release.version}{label}"

    @property
    def index_url(self) -> str | None:
        """The index to name on the command line; None for the default one."""
        index = self.variant.index
        return index if index.startswith("https://") else None


def machine_of(snapshot: Snapshot) -> Machine:
    """The machine of a snapshot, with the target environment's Python and manager."""
    host, target = snapshot.host, snapshot.target
    system = "linux" if host.is_wsl else host.os or "linux"
    python = (target.python_version if target else None) or ""
    return Machine(
        capabilities=presence.capabilities(snapshot),
        driver=snapshot.driver.version,
        driver_cuda=presence.driver_cuda(snapshot),
        os_name=presence.driver_os(snapshot),
        platform=f"{system}-{_machine_name(host.machine, system)}",
        python=".".join(python.split(".")[:2]) or None,
        glibc=host.libc_version if host.libc == "glibc" else None,
        is_conda=manager_of(target) in CONDA_MANAGERS,
    )


def _machine_name(machine: str | None, system: str) -> str:
    """The processor as the matrices write it: Apple's is arm64, others aarch64."""
    arm = "arm64" if system == "macos" else "aarch64"
    names = {"amd64": "x86_64", "arm64": arm, "aarch64": arm, None: "x86_64"}
    return names.get(machine.lower() if machine else None, machine or "x86_64")


def find_builds(
    framework: str, machine: Machine, matrices: Matrices
) -> tuple[Candidate, ...]:
    """The CUDA builds of the newest release that has any for this machine."""
    for version in reversed(matrices.versions(framework)):
        release = matrices.find_release(framework, version)
        if release is None or release.prerelease or release.yanked:
            continue
        found = tuple(_fitting(release, machine, matrices))
        if found:
            return tuple(sorted(found, key=preference))
    return ()


def find_build(
    framework: str, machine: Machine, matrices: Matrices
) -> Candidate | None:
    """The best build, or None when no release has one for this machine.

    Of conda's, the newest of the first channel that has any.
    """
    for one in _by_channel(machine):
        found = find_builds(framework, one, matrices)
        if found:
            return found[0]
    return None


def find_rebuild(
    framework: str, version: str, machine: Machine, matrices: Matrices
) -> Candidate | None:
    """The best build of one given release, so that the version can stay."""
    release = matrices.find_release(framework, version)
    if release is None:
        return None
    for one in _by_channel(machine):
        found = min(_fitting(release, one, matrices), key=preference, default=None)
        if found is not None:
            return found
    return None


def _by_channel(machine: Machine) -> tuple[Machine, ...]:
    if not machine.is_conda:
        return (machine,)
    return tuple(replace(machine, channel=channel) for channel in CHANNELS)


def without_python(machine: Machine) -> Machine:
    """The same machine with the interpreter free to choose."""
    return replace(machine, python=None)


def _fitting(
    release: Release, machine: Machine, matrices: Matrices
) -> Iterator[Candidate]:
    if any(o.kind == "loader" for o in release_obstacles(release, machine)):
        return
    for variant in release.conda if machine.is_conda else release.variants:
        if machine.channel not in (None, variant.index):
            continue
        candidate = fit(release, variant, machine, matrices)
        if candidate is not None:
            yield candidate


def fit(
    release: Release, variant: Variant, machine: Machine, matrices: Matrices
) -> Candidate | None:
    """The CUDA build as a candidate, or None when something speaks against it."""
    if variant.cuda is None or not is_for(release, variant, machine):
        return None
    if next(variant_obstacles(release, variant, machine, matrices), None) is not None:
        return None
    return Candidate(
        release=release,
        variant=variant,
        gpu_verdicts=gpu_verdicts(release, variant, machine, matrices),
        driver_verdict=driver_verdict(variant.cuda, machine, matrices),
    )


def is_for(release: Release, variant: Variant, machine: Machine) -> bool:
    """Whether this is the release's main product, for the machine's platform."""
    names = (release.framework, "pytorch", "pytorch-gpu")
    return machine.platform in variant.platforms and variant.package in names


_HOW = {"native": 0, "same-major-cubin": 1, "ptx-jit": 2}


def preference(candidate: Candidate) -> tuple[int, int, int, tuple[int, int]]:
    """Native GPU code first, a driver that speaks its CUDA, PyPI, newest CUDA."""
    worst = max((_HOW.get(v.how or "", 3) for v in candidate.gpu_verdicts), default=0)
    driver = candidate.driver_verdict
    is_minor = int(driver is not None and driver.how == "minor-version")
    cuda = candidate.variant.cuda
    newest = (-cuda.major, -cuda.minor) if cuda else (0, 0)
    is_elsewhere = int(candidate.variant.index != "pypi")
    return (max(worst, 1), is_minor, is_elsewhere, newest)
