"""Whether a GPU is older or newer than the code that a build holds.

PyTorch prints the capability and the build's list; «no kernel image» prints neither,
and the report's GPU and build have to say it. Where the build is not named, its kin do:
a GPU that builds only ever lacked for being new is too new for this one as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.rules.circumstances import Support, support
from fwdoctor.rules.report_facts import (
    Reading,
    built_cudas,
    cuda_versions,
    ever_lacking,
    is_compiled,
    unserved,
)
from fwdoctor.versions import ComputeCapability

if TYPE_CHECKING:
    from collections.abc import Collection

    from fwdoctor.rules.heard import Heard, Told
    from fwdoctor.versions import CudaVersion


def decide_capability(told: Told, heard: Heard) -> Reading | None:
    """PyTorch prints the GPU and what the build has: older or newer than that?"""
    del told
    gpu = _capability(heard)
    targets = _targets(heard)
    if gpu is None or not targets:
        return _by_build(heard) or _by_history(heard)
    build = next(
        (f.cuda for f in presence.frameworks(heard.snapshot.target).values()), None
    )
    listed = f"{min(targets)} to {max(targets)}"
    if compat.is_gpu_too_old(gpu, targets, heard.matrices, build):
        return Reading("gpu-arch-too-old", f"{gpu} is older than the build's {listed}")
    return Reading("gpu-arch-too-new", f"{gpu} is newer than the build's {listed}")


def _capability(heard: Heard) -> ComputeCapability | None:
    """The GPU's compute capability: as the message prints it, else of the report."""
    for text in (*heard.captures("gpu.compute_capability"), *heard.captures("gpu.sm")):
        found = _parse_capability(text)
        if found is not None:
            return found
    return next(iter(presence.capabilities(heard.snapshot)), None)


def _parse_capability(text: str) -> ComputeCapability | None:
    parse = ComputeCapability.parse if "." in text else ComputeCapability.from_sm
    try:
        return parse(text)
    except ValueError:
        return None


def _targets(heard: Heard) -> list[ComputeCapability]:
    """What the build has code for, as the messages print it."""
    words = " ".join(heard.captures("torch.arch_list")).split()
    bounds = (
        *heard.captures("torch.capability_min"),
        *heard.captures("torch.capability_max"),
        *heard.captures("tensorflow.minimum_capability"),
    )
    found = (_parse_capability(word.strip(".,")) for word in (*words, *bounds))
    return [cc for cc in found if cc is not None]


def _by_build(heard: Heard) -> Reading | None:
    kinds = unserved(heard.snapshot, heard.matrices)
    if kinds is None:
        return _by_toolkit(heard)
    if not kinds:
        return None
    return Reading("gpu-arch-too-old" if True in kinds else "gpu-arch-too-new")


def _by_toolkit(heard: Heard) -> Reading | None:
    """The GPU against every CUDA version of the report, whatever it belongs to."""
    versions = cuda_versions(heard.snapshot)
    too_new = _newer_than(versions, heard)
    if too_new is not None:
        return too_new
    for cc in presence.capabilities(heard.snapshot) if versions else ():
        device = heard.matrices.find_architecture(cc)
        if device and device.last_cuda and min(versions) > device.last_cuda:
            why = f"CUDA {device.last_cuda} is the last with compute capability {cc}"
            return Reading("gpu-arch-too-old", f"{why}; this is CUDA {min(versions)}")
    return None


def _newer_than(versions: Collection[CudaVersion], heard: Heard) -> Reading | None:
    """A GPU of the report that came after all of these CUDA versions."""
    for cc in presence.capabilities(heard.snapshot) if versions else ():
        device = heard.matrices.find_architecture(cc)
        if device and device.first_cuda and max(versions) < device.first_cuda:
            why = f"compute capability {cc} needs CUDA {device.first_cuda} or newer"
            return Reading("gpu-arch-too-new", f"{why}; this is CUDA {max(versions)}")
    return None


def _by_history(heard: Heard) -> Reading | None:
    """The build is not named: was this GPU ever lacked in the one or the other way?"""
    lacks = ever_lacking(heard.snapshot, heard.matrices)
    if len(lacks) != 1:
        return None
    if True in lacks:
        return Reading("gpu-arch-too-old", "builds lack this GPU only for its age")
    return Reading("gpu-arch-too-new", "only builds older than this GPU lack it")


def decide_no_kernel(told: Told, heard: Heard) -> Reading | None:
    """Code for this GPU is missing: of the framework, or of something beside it?"""
    if _targets(heard) and _capability(heard) is not None:
        return decide_capability(told, heard)
    if unserved(heard.snapshot, heard.matrices) != set():
        return _by_build(heard) or _by_own_compiler(heard) or _by_history(heard)
    why = "the framework has code for this GPU, so an extension lacks it"
    cause = (
        "compiler-toolchain" if is_compiled(heard.snapshot) else "companion-mismatch"
    )
    return Reading(cause, why)


def _by_own_compiler(heard: Heard) -> Reading | None:
    """A report of a toolkit and no framework is about a program compiled with it."""
    is_own = is_compiled(heard.snapshot)
    if not is_own or presence.frameworks(heard.snapshot.target):
        return None
    why = "what was compiled here was not compiled for this GPU"
    return Reading("compiler-toolchain", why)


def decide_gemm(told: Told, heard: Heard) -> Reading | None:
    """A CUDA library cannot start: no memory left, or no code for the GPU."""
    if support("gpu-memory", heard) is Support.SHOWN:
        return Reading("gpu-memory", "almost no memory of the GPU was free")
    found = _by_build(heard)
    if found and found.cause == "gpu-arch-too-new":
        return found
    return decide_blas(told, heard)


def decide_blas(told: Told, heard: Heard) -> Reading | None:
    """A build's own code cannot stand in for the kernels that cuBLAS brings."""
    del told
    return _newer_than(built_cudas(heard.snapshot), heard)


def decide_jit(told: Told, heard: Heard) -> Reading | None:
    """TensorFlow compiles its PTX for a newer GPU: slow at first, and then it works."""
    del told
    if unserved(heard.snapshot, heard.matrices) != set():
        return None
    return Reading("healthy", "the driver compiles the build's PTX for this GPU")


def decide_ptxas(told: Told, heard: Heard) -> Reading | None:
    """Triton's own ptxas does not know the GPU; the framework may have code for it."""
    del told
    if unserved(heard.snapshot, heard.matrices):
        return None
    return Reading(
        "compiler-toolchain", "the ptxas beside Triton is older than the GPU"
    )


def decide_minimum(told: Told, heard: Heard) -> Reading | None:
    """A least capability was named: is the GPU of the report below it?"""
    least = _parse_capability(
        told.message.captures.get("tensorflow.minimum_capability", "")
    )
    below = [
        cc
        for cc in presence.capabilities(heard.snapshot)
        if least is not None and (cc.major, cc.minor) < (least.major, least.minor)
    ]
    if not below:
        return None
    return Reading("gpu-arch-too-old", f"{below[0]} is below the {least} asked for")
