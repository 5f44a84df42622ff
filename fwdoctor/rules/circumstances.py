"""What the facts of a report say for or against each cause.

A message often stands for several causes: «no CUDA-capable device is detected» has
five. The facts beside it decide: a report from WSL, a container that was given no
GPU, a variable that hides the devices. Each function below answers for one cause:

    CERTAIN    the facts show it, and with it nothing else would matter
    SHOWN      the facts show it
    FITTING    the facts make it the likelier one
    OPEN       the facts say nothing
    EXCLUDED   the facts speak against it

They choose between the causes that a message names, and are never asked alone.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.rules.report_facts import (
    NO_DEVICES,
    built_cudas,
    containers_without_gpu,
    free_memory_share,
    gpu_counts,
    has_cpu_build,
    has_windows_gpu_end,
    is_gpu_seen,
    is_in_container,
    is_without_nvidia,
    unserved,
    visible_devices,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.rules.heard import Heard


class Support(IntEnum):
    """How far the facts speak for a cause."""

    EXCLUDED = -1
    OPEN = 0
    FITTING = 1
    SHOWN = 2
    CERTAIN = 5


_LITTLE_MEMORY = 0.05  # share of a GPU's memory below which libraries cannot start


def support(cause: str, heard: Heard) -> Support:
    """How far the facts of this report speak for a cause."""
    ask = _ASKED.get(cause)
    return ask(heard) if ask is not None else Support.OPEN


def _driver_missing(heard: Heard) -> Support:
    snapshot = heard.snapshot
    if snapshot.driver.version is not None:
        return Support.EXCLUDED
    host = snapshot.host
    if host.is_tegra or host.is_wsl or is_in_container(snapshot):
        return Support.EXCLUDED  # theirs comes with the system, or from the host
    return Support.EXCLUDED if is_gpu_seen(snapshot) else Support.OPEN


def _driver_not_loaded(heard: Heard) -> Support:
    if heard.names_cause("driver-not-loaded"):
        return Support.SHOWN
    return Support.EXCLUDED if is_gpu_seen(heard.snapshot) else Support.OPEN


def _driver_library_mismatch(heard: Heard) -> Support:
    named = heard.names_cause("driver-library-mismatch")
    return Support.SHOWN if named else Support.OPEN


def _driver_too_old(heard: Heard) -> Support:
    """Whatever of the report was built for CUDA, against the report's driver."""
    snapshot = heard.snapshot
    verdicts = [
        compat.driver_runs(
            cuda,
            heard.matrices,
            driver=snapshot.driver.version,
            driver_cuda=presence.driver_cuda(snapshot),
            os_name=presence.driver_os(snapshot),
        ).ok
        for cuda in built_cudas(snapshot)
    ]
    if False in verdicts:
        return Support.SHOWN
    return Support.EXCLUDED if verdicts and all(verdicts) else Support.OPEN


def _container_no_gpu(heard: Heard) -> Support:
    if containers_without_gpu(heard.snapshot):
        return Support.SHOWN
    if not is_in_container(heard.snapshot):
        known = heard.snapshot.host.os is not None or heard.snapshot.host.is_wsl
        return Support.EXCLUDED if known else Support.OPEN
    return Support.OPEN if is_gpu_seen(heard.snapshot) else Support.FITTING


def _visible_devices(heard: Heard) -> Support:
    value = visible_devices(heard.snapshot)
    if value is None:
        return Support.OPEN
    if value.strip().lower() in NO_DEVICES:
        return Support.CERTAIN
    count = gpu_counts(heard.snapshot)
    numbers = [int(part) for part in value.split(",") if part.strip().isdigit()]
    if numbers and count is not None and max(numbers) < count:
        return Support.EXCLUDED
    return Support.SHOWN if numbers and max(numbers) > 0 else Support.OPEN


def _wsl_specific(heard: Heard) -> Support:
    host = heard.snapshot.host
    if host.is_wsl:
        return Support.FITTING
    return Support.EXCLUDED if host.os is not None else Support.OPEN


def _gpu_too_new(heard: Heard) -> Support:
    return _arch(heard, too_old=False)


def _gpu_too_old(heard: Heard) -> Support:
    return _arch(heard, too_old=True)


def _arch(heard: Heard, *, too_old: bool) -> Support:
    kinds = unserved(heard.snapshot, heard.matrices)
    if kinds is None:
        return Support.OPEN
    return Support.SHOWN if too_old in kinds else Support.EXCLUDED


def _cpu_only_build(heard: Heard) -> Support:
    is_cpu = has_cpu_build(heard.snapshot)
    if is_cpu is None or has_windows_gpu_end(heard.snapshot, heard.matrices):
        return Support.OPEN  # of such a release there is no other build to install
    return Support.SHOWN if is_cpu else Support.EXCLUDED


def _no_wheel_for_platform(heard: Heard) -> Support:
    snapshot = heard.snapshot
    if has_windows_gpu_end(snapshot, heard.matrices):
        return Support.SHOWN
    return Support.FITTING if snapshot.host.is_tegra else Support.OPEN


def _gpu_memory(heard: Heard) -> Support:
    if heard.names_cause("gpu-memory"):
        return Support.SHOWN
    share = free_memory_share(heard)
    if share is None:
        return Support.OPEN
    return Support.SHOWN if share < _LITTLE_MEMORY else Support.EXCLUDED


def _hardware_fault(heard: Heard) -> Support:
    return Support.SHOWN if heard.names_cause("hardware-fault") else Support.OPEN


def _forward_compat(heard: Heard) -> Support:
    """A driver that speaks a newer CUDA than its branch: by a compat library."""
    driver = heard.snapshot.driver
    if driver.version is None or driver.cuda_driver_version is None:
        return Support.OPEN
    os_name = presence.driver_os(heard.snapshot)
    own = compat.driver_speaks(driver.version, heard.matrices, os_name=os_name)
    is_lifted = own is not None and driver.cuda_driver_version > own
    return Support.SHOWN if is_lifted else Support.OPEN


def _mig_config(heard: Heard) -> Support:
    gpus = heard.snapshot.gpus or ()
    if any(gpu.mig_enabled or "MIG" in (gpu.name or "") for gpu in gpus):
        return Support.SHOWN
    return Support.SHOWN if heard.names_cause("mig-config") else Support.OPEN


def _not_an_install_problem(heard: Heard) -> Support:
    is_foreign = is_without_nvidia(heard.snapshot)
    return Support.SHOWN if is_foreign else Support.OPEN


def _healthy(heard: Heard) -> Support:
    return Support.SHOWN if is_gpu_seen(heard.snapshot) else Support.OPEN


_ASKED: dict[str, Callable[[Heard], Support]] = {
    "driver-missing": _driver_missing,
    "driver-not-loaded": _driver_not_loaded,
    "driver-library-mismatch": _driver_library_mismatch,
    "driver-too-old": _driver_too_old,
    "container-no-gpu": _container_no_gpu,
    "visible-devices": _visible_devices,
    "wsl-specific": _wsl_specific,
    "gpu-arch-too-new": _gpu_too_new,
    "gpu-arch-too-old": _gpu_too_old,
    "cpu-only-build": _cpu_only_build,
    "no-wheel-for-platform": _no_wheel_for_platform,
    "gpu-memory": _gpu_memory,
    "hardware-fault": _hardware_fault,
    "forward-compat": _forward_compat,
    "mig-config": _mig_config,
    "not-an-install-problem": _not_an_install_problem,
    "healthy": _healthy,
}
