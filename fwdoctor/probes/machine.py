"""Puts the answers of all probes together into one Snapshot."""

from __future__ import annotations

import datetime as dt
import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fwdoctor.model.snapshot import Driver, Host, Snapshot
from fwdoctor.presence import has_nvidia_gpu
from fwdoctor.probes.runner import run_probes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from fwdoctor.model.snapshot import Environment, Gpu, LibCuda, NvidiaSmi
    from fwdoctor.probes.nvml import NvmlFacts
    from fwdoctor.probes.runner import Probe, Probed
    from fwdoctor.probes.source import Source

# Probes in the order they start: children first, so that they run while files are read.
PROBES = (
    "nvml.NvmlProbe",
    "libcuda.LibcudaProbe",
    "device_nodes.DeviceNodesProbe",
    "host.HostProbe",
    "pci.PciProbe",
    "driver_files.DriverFilesProbe",
    "container.ContainerProbe",
    "env_vars.EnvVarsProbe",
    "toolkit.ToolkitProbe",
    "libraries.LibrariesProbe",
    "kernel_log.KernelLogProbe",
    "environments_probe.EnvironmentsProbe",
)
# How long a leftover nvidia-smi may take where there is no GPU it could be waking.
LEFTOVER_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which Python environment to judge; both None: the active one."""

    path: str | None = None  # an interpreter, a venv or conda prefix
    cwd: str = "/"
    own_prefix: str | None = None  # of the Python that runs fwdoctor
    deep_timeout_s: float | None = None  # None: do not import the frameworks


def probe_machine(
    source: Source, target: Target, *, origin: Literal["live", "image"] = "live"
) -> Snapshot:
    """Probe everything; never raises for the state of the machine.

    Raises UsageError when `target` names no Python environment.
    """
    probes = [_make(name, target) for name in PROBES]
    answers = run_probes(probes, source)
    if not _nvml_answered(answers) and answers["nvml"].report.status != "timeout":
        # A driver that hangs under NVML would hang nvidia-smi just as long.
        answers |= run_probes([_last_resort(answers)], source)
    now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
    return assemble(answers, created_at=now, origin=origin)


def _make(name: str, target: Target) -> Probe:
    module_name, _, class_name = name.partition(".")
    module = importlib.import_module(f"fwdoctor.probes.{module_name}")
    make = getattr(module, class_name)
    probe: Probe = make(target) if module_name == "environments_probe" else make()
    return probe


def _last_resort(answers: Mapping[str, Probed]) -> Probe:
    """nvidia-smi: waited for as long as NVML, but not where there is no GPU."""
    from fwdoctor.probes.nvidia_smi import NvidiaSmiProbe

    known = assemble(answers, created_at=None, origin="live")
    if has_nvidia_gpu(known) is False:
        return NvidiaSmiProbe(timeout_s=LEFTOVER_TIMEOUT_S)
    return NvidiaSmiProbe()


def _nvml_answered(answers: Mapping[str, Probed]) -> bool:
    nvml = answers["nvml"].facts
    return nvml is not None and nvml.code == 0 and nvml.gpus is not None


def assemble(
    answers: Mapping[str, Probed],
    *,
    created_at: str | None,
    origin: Literal["live", "image"],
) -> Snapshot:
    """The snapshot these answers make; absent answers leave their facts unknown."""

    def facts(name: str) -> Any:
        return answers[name].facts if name in answers else None

    environments: tuple[Environment, ...] = facts("environments") or ()
    return Snapshot(
        created_at=created_at,
        origin=origin,
        host=facts("host") or Host(),
        driver=_driver(
            facts("driver-files") or Driver(),
            facts("nvml"),
            facts("libcuda"),
            facts("nvidia-smi"),
        ),
        pci=facts("pci"),
        gpus=_gpus(facts("nvml"), facts("nvidia-smi"), facts("libcuda")),
        device_nodes=facts("device-nodes"),
        xids=facts("kernel-log"),
        container=facts("container"),
        toolkits=facts("toolkit"),
        libraries=facts("libraries"),
        environments=environments,
        env_vars=facts("env-vars") or {},
        probes=tuple(answer.report for answer in answers.values()),
    )


def _gpus(
    nvml: NvmlFacts | None,
    smi: tuple[NvidiaSmi, tuple[Gpu, ...]] | None,
    libcuda: LibCuda | None,
) -> tuple[Gpu, ...] | None:
    """The GPUs as the best source that answered knows them.

    1. NVML, 2. nvidia-smi, 3. libcuda, which numbers only the visible ones: a container
    whose capabilities are `compute` has no other.
    """
    if nvml is not None and nvml.gpus is not None:
        return nvml.gpus
    if smi is not None and smi[1]:
        return smi[1]
    return (libcuda.gpus or None) if libcuda is not None else None


def _driver(
    files: Driver,
    nvml: NvmlFacts | None,
    libcuda: LibCuda | None,
    smi: tuple[NvidiaSmi, tuple[Gpu, ...]] | None,
) -> Driver:
    """The driver's version from the best source that answered.

    1. NVML, 2. the kernel module's own files, 3. nvidia-smi, 4. libcuda's file name.
    """
    nvidia_smi = smi[0] if smi else None
    named = (
        ("nvml", nvml.driver_version if nvml else None),
        ("kernel module", files.kernel_module),
        ("nvidia-smi", nvidia_smi.driver_version if nvidia_smi else None),
        ("libcuda", _own_version(libcuda)),
    )
    source, version = next((n for n in named if n[1] is not None), (None, None))
    spoken = (
        nvml.cuda_driver_version if nvml else None,
        nvidia_smi.cuda_driver_version if nvidia_smi else None,
    )
    return replace(
        files,
        version=version,
        version_source=source,
        cuda_driver_version=next((cuda for cuda in spoken if cuda), None),
        nvml_code=nvml.code if nvml else None,
        nvml_version=nvml.nvml_version if nvml else None,
        nvml_path=nvml.path if nvml else None,
        libcuda=libcuda,
        nvidia_smi=nvidia_smi,
    )


def _own_version(libcuda: LibCuda | None) -> Any:
    return libcuda.version if libcuda and libcuda.kind == "driver" else None
