"""Which cause a message stands for, read with its neighbours and the facts.

Most messages are decided by weighing: the causes the catalogue names for a message,
each with what the facts say for or against it. Some need a closer look, because two
lines or a line and a number decide together; those have a decider of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor.rules.arch_decisions import (
    decide_blas,
    decide_capability,
    decide_gemm,
    decide_jit,
    decide_minimum,
    decide_no_kernel,
    decide_ptxas,
)
from fwdoctor.rules.circumstances import Support, support
from fwdoctor.rules.package_decisions import (
    decide_conflict,
    decide_pip_list,
    decide_pip_none,
    decide_shared_folder,
)
from fwdoctor.rules.report_facts import (
    Reading,
    is_gpu_expected,
    is_in_container,
    is_without_nvidia,
    wheel_majors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fwdoctor.model.finding import Certainty
    from fwdoctor.rules.heard import Heard, Told

    Decider = Callable[[Told, Heard], Reading | None]

_OWN_WEIGHT = {"proven": 4.0, "likely": 1.5, "possible": 0.5}
_SETTLED_WEIGHT = 2.0
NOT_OURS = "not-an-install-problem"
_WHY_FOREIGN = "there is no CUDA on macOS or on another maker's GPU"
# What cannot be the matter where there is no NVIDIA GPU.
GPU_CAUSES = frozenset(
    {
        *("driver-missing", "driver-not-loaded", "driver-library-mismatch"),
        *("driver-too-old", "container-no-gpu", "device-permission", "visible-devices"),
        *("uvm-or-suspend", "fabric-manager", "forward-compat", "mig-config"),
        *("gpu-arch-too-new", "gpu-arch-too-old", "cpu-only-build", "cuda-lib-missing"),
        *("cudnn-mismatch", "hardware-fault", "wsl-specific", "shm-or-limits"),
    }
)
_ENOUGH = 2.0  # weight from which a cause counts as likely


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one message stands for in this report."""

    told: Told
    cause: str
    certainty: Certainty
    why: str = ""


def decide_all(heard: Heard) -> tuple[Decision, ...]:
    """A decision for each message that has one, those that settle most first.

    What is settled first helps to decide the rest: a message that could stand for a
    settled cause is taken as one more sign of it.
    """
    settled = {f.cause for f in heard.found if f.severity != "info"}
    waiting = sorted(_uncovered(heard.told), key=lambda told: told.weight)
    is_foreign = is_without_nvidia(heard.snapshot)
    decisions: list[Decision] = []
    for certainties in (("proven", "likely"), ("possible",)):
        later: list[Told] = []
        for told in waiting:
            decision = _decide(told, heard, settled)
            if decision is not None and is_foreign and decision.cause in GPU_CAUSES:
                decision = replace(decision, cause=NOT_OURS, why=_WHY_FOREIGN)
            if decision is None:
                later.append(told)
            elif decision.certainty in certainties:
                decisions.append(decision)
                settled.add(decision.cause)
            else:
                later.append(told)
        waiting = later
    return tuple(decisions)


def _uncovered(told: tuple[Told, ...]) -> tuple[Told, ...]:
    """Less the general readings of a line of which a closer one was recognised."""
    closest: dict[int, Told] = {}
    for item in told:
        line = item.message.line
        if line not in closest or item.weight < closest[line].weight:
            closest[line] = item
    return tuple(
        item
        for item in told
        if item is (best := closest[item.message.line])
        or item.id in _DECIDERS
        or _is_as_close(item, best)
    )


def _is_as_close(item: Told, best: Told) -> bool:
    """Whether both have a cause of their own, and are equally sure of it."""
    if item.entry.cause is None or best.entry.cause is None:
        return False
    return item.entry.certainty == best.entry.certainty


def _decide(told: Told, heard: Heard, settled: Collection[str]) -> Decision | None:
    closer = _DECIDERS.get(told.id)
    reading = closer(told, heard) if closer else None
    if reading is not None:
        return Decision(
            told=told, cause=reading.cause, certainty="likely", why=reading.why
        )
    if told.entry.certainty == "proven" and told.entry.cause:
        return Decision(told=told, cause=told.entry.cause, certainty="proven")
    return _weighed(told, heard, settled)


def _weighed(told: Told, heard: Heard, settled: Collection[str]) -> Decision | None:
    """The candidate with most weight; the order of the catalogue breaks a tie."""
    weights = _weights(told, heard, settled)
    if not weights:
        return None
    best = max(weights, key=lambda cause: weights[cause])
    is_likely = weights[best] >= _ENOUGH or told.entry.certainty == "likely"
    certainty: Certainty = "likely" if is_likely else "possible"
    if support(best, heard) is Support.CERTAIN:
        certainty = "proven"
    elif "healthy" in told.entry.also and not is_gpu_expected(heard.snapshot):
        certainty = "possible"
    return Decision(told=told, cause=best, certainty=certainty)


def _weights(told: Told, heard: Heard, settled: Collection[str]) -> dict[str, float]:
    """What speaks for each candidate; those that the facts exclude are left out."""
    weights: dict[str, float] = {}
    for cause in told.candidates:
        fits = support(cause, heard)
        own = cause == told.entry.cause
        # What the program itself says outweighs a table: the build may be another.
        is_open = cause in settled or (own and told.entry.certainty == "likely")
        if fits is Support.EXCLUDED and not is_open:
            continue
        weights[cause] = (
            float(fits)
            + (_OWN_WEIGHT[told.entry.certainty] if own else 0.0)
            + (_SETTLED_WEIGHT if cause in settled else 0.0)
        )
    return weights


def other_possibilities(
    heard: Heard, decisions: tuple[Decision, ...]
) -> tuple[Decision, ...]:
    """What else the messages may stand for that no closer look has decided."""
    if is_without_nvidia(heard.snapshot):
        return ()
    named = {decision.cause for decision in decisions}
    others: list[Decision] = []
    for decision in decisions:
        if decision.certainty == "proven" or decision.why:
            continue
        weights = _weights(decision.told, heard, ())
        for cause in sorted(weights, key=lambda cause: -weights[cause]):
            if cause not in named:
                named.add(cause)
                told = decision.told
                others.append(Decision(told=told, cause=cause, certainty="possible"))
    return tuple(others)


# Deciders for single messages


def decide_no_device(told: Told, heard: Heard) -> Reading | None:
    """A compatibility library may have dropped the GPU that the driver still has."""
    del told
    if support("forward-compat", heard) is not Support.SHOWN:
        return None
    driver = heard.snapshot.driver
    why = f"CUDA {driver.cuda_driver_version} is more than driver {driver.version} has"
    return Reading("forward-compat", f"{why}: a compatibility library is in use")


def decide_803(told: Told, heard: Heard) -> Reading | None:
    """In a container it is the image's compatibility library, else an upgrade."""
    del told
    if not is_in_container(heard.snapshot):
        return None
    why = "the image brings CUDA compatibility libraries older than the host's driver"
    return Reading("forward-compat", why)


def decide_foreign_library(told: Told, heard: Heard) -> Reading | None:
    """A CUDA library of another major than the framework's: asked for by a partner."""
    library = told.message.captures.get("library.missing", "")
    major = library.rpartition(".so.")[2].partition(".")[0]
    target = heard.snapshot.target
    torch = target.torch if target else None
    if not major.isdigit() or torch is None or torch.cuda is None:
        return None
    if int(major) != torch.cuda.major:
        why = f"PyTorch is a CUDA {torch.cuda} build; what asks for {library} is not"
        return Reading("companion-mismatch", why)
    majors = wheel_majors(heard.snapshot)
    if len(majors) < 2:
        return None
    listed = " and ".join(str(number) for number in sorted(majors))
    why = f"the environment holds NVIDIA's packages for CUDA {listed}"
    return Reading("companion-mismatch", why)


def decide_build_of_companion(told: Told, heard: Heard) -> Reading | None:
    """A companion built for CUDA beside a framework that is not."""
    del told
    if is_without_nvidia(heard.snapshot):
        return Reading(NOT_OURS, _WHY_FOREIGN)
    if support("cpu-only-build", heard) is not Support.SHOWN:
        return None
    return Reading("cpu-only-build", "the companion is built for CUDA, PyTorch is not")


def decide_stub(told: Told, heard: Heard) -> Reading | None:
    """An image's stub libcuda is met where the container was given no driver."""
    del told
    snapshot = heard.snapshot
    is_given = snapshot.driver.version is not None or bool(snapshot.gpus)
    is_asked = any(command.gpus for command in snapshot.commands)
    if is_given or is_asked or not is_in_container(snapshot):
        return None
    why = "the image's stub libcuda was loaded, as the container has none of the host"
    return Reading("container-no-gpu", why)


def decide_count(told: Told, heard: Heard) -> Reading | None:
    """Under WSL counting the GPUs fails with «out of memory», whatever is free."""
    is_memory = told.message.captures.get("error.code") == "2"
    if not is_memory or not heard.snapshot.host.is_wsl:
        return None
    return Reading("wsl-specific", "CUDA cannot start under this WSL")


def decide_gpu_unused(told: Told, heard: Heard) -> Reading | None:
    """«It can't use the GPU», of a build that cannot use any."""
    del told
    if support("no-wheel-for-platform", heard) is Support.SHOWN:
        why = "this release has no build for GPUs on native Windows"
        return Reading("no-wheel-for-platform", why)
    if support("cpu-only-build", heard) is Support.SHOWN:
        return Reading("cpu-only-build", "this build has no code for GPUs")
    return None


_CAPABILITY = (
    "torch-capability-not-compatible",
    "torch-supported-capabilities",
    "torch-found-gpu-capability",
    "torch-capability-range",
    "torch-minimum-capability",
    "torch-compute-capability-cc",
    "torch-suggested-cuda",
    "torch-reinstall-other-cuda",
)
_SPELLINGS = ("text", "driver-name", "runtime-name", "number")
_DECIDERS: dict[str, Decider] = {
    **dict.fromkeys(_CAPABILITY, decide_capability),
    **{f"cuda-209-{spelling}": decide_no_kernel for spelling in _SPELLINGS},
    **{f"cuda-200-{spelling}": decide_no_kernel for spelling in _SPELLINGS},
    "torch-device-kernel-image-invalid-init": decide_no_kernel,
    "tf-implicit-init": decide_no_kernel,
    "tf-blas-gemm": decide_gemm,
    "tf-told-minimum-capability": decide_minimum,
    "torch-unexpected-device-count-error": decide_count,
    "torch-blas-did-not-run": decide_blas,
    "torch-invalid-argument-11": decide_blas,
    "tf-gemv-launch": decide_gemm,
    "tf-cublas-handle": decide_gemm,
    "cublas-not-initialized": decide_gemm,
    **{f"cuda-100-{spelling}": decide_no_device for spelling in _SPELLINGS},
    "tf-cuinit-no-device": decide_no_device,
    "tf-jit-kernels": decide_jit,
    **{f"cuda-803-{spelling}": decide_803 for spelling in _SPELLINGS},
    "tf-cuinit-803": decide_803,
    **{f"cuda-34-{spelling}": decide_stub for spelling in _SPELLINGS},
    "tf-cuinit-stub": decide_stub,
    "host-told-gpu-unused": decide_gpu_unused,
    "triton-ptxas-gpu-name": decide_ptxas,
    "cuda-lib-cudart": decide_foreign_library,
    "cuda-lib-cublas": decide_foreign_library,
    "tf-legacy-import-cudart": decide_foreign_library,
    "xformers-built-for": decide_build_of_companion,
    "xformers-cannot-load": decide_build_of_companion,
    "pip-no-version-list": decide_pip_list,
    "pip-no-version-bare": decide_pip_list,
    "pip-no-matching": decide_pip_list,
    "pip-no-version-none": decide_pip_none,
    "pip-conflict": decide_conflict,
    "ort-provider-not-available": decide_shared_folder,
    "ort-available-cpu-only": decide_shared_folder,
}
