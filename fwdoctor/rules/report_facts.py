"""Questions about a pasted report that several deciders ask.

Pure functions over a snapshot; None is «the report does not say».
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fwdoctor import compat, presence
from fwdoctor.fixes import CONDA_MANAGERS
from fwdoctor.model.snapshot import Framework
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.snapshot import Command, Snapshot
    from fwdoctor.rules.heard import Heard
    from fwdoctor.versions import ComputeCapability

# Values of CUDA_VISIBLE_DEVICES with which no GPU is seen.
NO_DEVICES = frozenset({"", "-1", "none", "void", "nodevfiles", '""', "''"})
_CONTAINER_TOOLS = frozenset({"docker", "podman", "docker-compose", "nerdctl"})
_CUDA_LABEL = re.compile(r"\+cuda(\d{2})")  # jaxlib 0.4.23+cuda12.cudnn89
_GPU_WORD = re.compile(r"gpu|cuda|cudnn|\ball\b|\bcu\d{2,3}")
_SUFFIX = re.compile(r"-cu(\d{2})$")


class Reading(NamedTuple):
    """The cause a closer look gives, and the numbers that it rests on."""

    cause: str
    why: str = ""


def is_gpu_seen(snapshot: Snapshot) -> bool:
    """Whether a framework of the report used or listed a GPU."""
    frameworks = presence.frameworks(snapshot.target).values()
    return any(framework.gpu_available is True for framework in frameworks)


def is_gpu_expected(snapshot: Snapshot) -> bool:
    """Whether anything of the report says that there should be a GPU.

    Several lines of TensorFlow are the normal thing on a machine without one.
    """
    driver = snapshot.driver
    if snapshot.gpus or driver.version or driver.cuda_driver_version:
        return True
    if snapshot.toolkits or driver.cuda_name or snapshot.libraries:
        return True
    words = [
        word
        for command in snapshot.commands
        for word in (command.gpus, command.image, *command.requirements)
        if word
    ]
    return any(_GPU_WORD.search(word.lower()) for word in words)


def is_in_container(snapshot: Snapshot) -> bool:
    """Whether the report comes from a container, or shows one being started."""
    if snapshot.container is not None and snapshot.container.kind:
        return True
    return bool(_container_commands(snapshot))


def _container_commands(snapshot: Snapshot) -> tuple[Command, ...]:
    return tuple(
        command
        for command in snapshot.commands
        if command.tool in _CONTAINER_TOOLS and command.action in ("run", "create")
    )


def containers_without_gpu(snapshot: Snapshot) -> tuple[Command, ...]:
    """Commands that start a container and ask for no GPU."""
    return tuple(c for c in _container_commands(snapshot) if c.gpus is None)


def visible_devices(snapshot: Snapshot) -> str | None:
    """What CUDA_VISIBLE_DEVICES was set to, or None where it was not."""
    return snapshot.env_vars.get("CUDA_VISIBLE_DEVICES")


def gpu_counts(snapshot: Snapshot) -> int | None:
    """How many GPUs the report lists; None where it lists none."""
    return len(snapshot.gpus) if snapshot.gpus else None


def are_gpus_foreign(snapshot: Snapshot) -> bool:
    """Whether only other makers' GPUs, or builds for them, are in the report."""
    if snapshot.gpus:
        return False
    frameworks = presence.frameworks(snapshot.target).values()
    if any(framework.kind in ("rocm", "xpu", "metal") for framework in frameworks):
        return True
    vendors = {device.vendor for device in snapshot.pci or () if device.kind == "gpu"}
    return bool(vendors) and "nvidia" not in vendors


def is_without_nvidia(snapshot: Snapshot) -> bool:
    """Whether the report is from a Mac, or of other makers' GPUs only."""
    return snapshot.host.os == "macos" or are_gpus_foreign(snapshot)


def has_cpu_build(snapshot: Snapshot) -> bool | None:
    """Whether a framework is known to be built without CUDA; None: not known."""
    kinds = {f.kind for f in presence.frameworks(snapshot.target).values()}
    if "cpu" in kinds:
        return True
    return False if "cuda" in kinds and "unknown" not in kinds else None


def has_windows_gpu_end(snapshot: Snapshot, matrices: Matrices) -> bool:
    """TensorFlow on native Windows, in a release without CUDA builds for it."""
    target = snapshot.target
    tensorflow = target.tensorflow if target else None
    if tensorflow is None or snapshot.host.os != "windows" or snapshot.host.is_wsl:
        return False
    release = matrices.find_release("tensorflow", tensorflow.version or "")
    return release is not None and not has_cuda_build(release, "windows-x86_64")


def has_cuda_build(release: Release, platform: str) -> bool:
    """Whether a release was published with CUDA for a platform."""
    return any(
        variant.cuda is not None and platform in variant.platforms
        for variant in release.variants
    )


def system_tensorflow(snapshot: Snapshot, matrices: Matrices) -> Framework | None:
    """A pasted report's TensorFlow that opens the CUDA libraries of the system.

    None for releases that can bring their libraries as packages, for packages of
    conda, for live machines, and where it was seen using the GPU.
    """
    target = snapshot.target
    tensorflow = target.tensorflow if target else None
    if snapshot.origin != "pasted" or tensorflow is None:
        return None
    if tensorflow.kind != "cuda" or tensorflow.gpu_available is True:
        return None
    release = matrices.find_release("tensorflow", tensorflow.version or "")
    if release is None or "and-cuda" in release.extras:
        return None
    is_conda = tensorflow.source in ("conda-forge", "defaults") or (
        target is not None and target.manager in CONDA_MANAGERS
    )
    return None if is_conda else tensorflow


def wheel_majors(snapshot: Snapshot) -> set[int]:
    """CUDA majors of the NVIDIA library packages in the report's environment.

    A package named -cu12 is for CUDA 12; one without a suffix does not say.
    """
    target = snapshot.target
    wheels = presence.nvidia_packages(target) if target else {}
    named = (_SUFFIX.search(name) for name in wheels)
    return {int(match[1]) for match in named if match}


def has_minor_sonames(cuda: CudaVersion, matrices: Matrices) -> bool:
    """Whether this CUDA's libraries carry the minor version in their names.

    They did until minor versions became compatible with each other.
    """
    toolkit = matrices.find_toolkit(cuda)
    return toolkit is not None and not toolkit.minor_version_floor


def unserved(snapshot: Snapshot, matrices: Matrices) -> set[bool] | None:
    """Of the GPUs the builds have no code for: which kinds, too old being True.

    None when no framework of the report is known to be judged by; an empty set when
    every GPU is served. Where the build is not known, all builds that were published
    of the release have to agree.
    """
    capabilities = presence.capabilities(snapshot)
    known: list[set[bool]] = []
    for name, framework in presence.frameworks(snapshot.target).items():
        answers = [_unserved_by(name, framework, cc, matrices) for cc in capabilities]
        lacks = set().union(*(answer for answer in answers if answer is not None))
        if lacks or (answers and None not in answers):
            known.append(lacks)
    return set().union(*known) if known else None


def _unserved_by(
    name: str, framework: Framework, cc: ComputeCapability, matrices: Matrices
) -> set[bool] | None:
    if framework.compute_capabilities or framework.ptx:
        return _verdict_of(name, framework, cc, matrices)
    release = matrices.find_release(name, framework.version or "")
    if framework.kind not in ("cuda", "unknown") or release is None:
        return None
    builds = _builds_of(framework, release)
    answers = [_verdict_of(name, build, cc, matrices) for build in builds]
    agreed = answers and all(answer == answers[0] for answer in answers)
    return answers[0] if agreed else None


def _builds_of(framework: Framework, release: Release) -> list[Framework]:
    """The CUDA builds of a release that this framework may be one of."""
    return [
        replace(
            framework,
            cuda=variant.cuda,
            compute_capabilities=variant.compute_capabilities,
            ptx=variant.ptx,
        )
        for variant in release.variants
        if variant.cuda is not None
        and (variant.compute_capabilities or variant.ptx)
        and framework.cuda in (None, variant.cuda)
    ]


def ever_lacking(snapshot: Snapshot, matrices: Matrices) -> set[bool]:
    """How published builds of the frameworks lack the GPUs; too old is True.

    Of the named release, else of all releases: for a build that the report leaves open.
    Without a framework PyTorch's history stands for that of any program.
    """
    lacks: set[bool] = set()
    named_ones = presence.frameworks(snapshot.target) or {"torch": Framework()}
    for name, framework in named_ones.items():
        named = matrices.find_release(name, framework.version or "")
        for release in [named] if named else matrices.releases(name):
            for build in _builds_of(framework, release):
                for cc in presence.capabilities(snapshot):
                    lacks |= _verdict_of(name, build, cc, matrices)
    return lacks


def _verdict_of(
    name: str, framework: Framework, cc: ComputeCapability, matrices: Matrices
) -> set[bool]:
    if compat.build_runs(name, framework, cc, matrices).ok is not False:
        return set()
    targets = (*(framework.compute_capabilities or ()), *(framework.ptx or ()))
    return {compat.is_gpu_too_old(cc, targets, matrices, framework.cuda)}


def cuda_versions(snapshot: Snapshot) -> set[CudaVersion]:
    """CUDA versions of builds and toolkits, and those of unknown origin."""
    found = {t.version for t in snapshot.toolkits or () if t.version}
    frameworks = presence.frameworks(snapshot.target).values()
    found |= {f.cuda for f in frameworks if f.cuda}
    if not found and snapshot.driver.cuda_name:
        found |= _parsed(snapshot.driver.cuda_name)
    return found


def named_toolkits(snapshot: Snapshot) -> set[CudaVersion]:
    """Toolkit versions; without one, a «CUDA version» that is not the driver's."""
    found = {t.version for t in snapshot.toolkits or () if t.version}
    if found or not snapshot.driver.cuda_name:
        return found
    return _parsed(snapshot.driver.cuda_name) - {presence.driver_cuda(snapshot)}


def built_cudas(snapshot: Snapshot) -> set[CudaVersion]:
    """The CUDA versions that something of the report was built for.

    Of the frameworks; without one, of packages with a label such as +cuda12; without
    those, what the report calls its CUDA version.
    """
    frameworks = presence.frameworks(snapshot.target).values()
    found = {framework.cuda for framework in frameworks if framework.cuda}
    return found or _labelled_cudas(snapshot) or cuda_versions(snapshot)


def _labelled_cudas(snapshot: Snapshot) -> set[CudaVersion]:
    packages = (snapshot.target.packages if snapshot.target else None) or ()
    labels = (_CUDA_LABEL.search(package.version) for package in packages)
    return {CudaVersion(int(match[1]), 0) for match in labels if match}


def _parsed(text: str) -> set[CudaVersion]:
    try:
        return {CudaVersion.parse(text)}
    except ValueError:
        return set()


def is_compiled(snapshot: Snapshot) -> bool:
    """Whether something was compiled on this machine: nvcc, CUDA_HOME, arch lists."""
    compiling = {"CUDA_HOME", "TORCH_CUDA_ARCH_LIST", "NVCC_FLAGS"}
    if compiling & {*snapshot.env_vars}:
        return True
    return any(toolkit.has_nvcc for toolkit in snapshot.toolkits or ())


def free_memory_share(heard: Heard) -> float | None:
    """How much of the GPU's memory was free, by the messages or by nvidia-smi."""
    free = _number(heard.capture("gpu.memory_free_bytes"))
    total = _number(heard.capture("gpu.memory_total_bytes"))
    if free is not None and total:
        return free / total
    for gpu in heard.snapshot.gpus or ():
        if gpu.memory_used_bytes is not None and gpu.memory_bytes:
            return 1 - gpu.memory_used_bytes / gpu.memory_bytes
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
