"""NVML, the driver's management library, asked through nvidia-ml-py in a child.

The best source there is: it needs no CUDA and ignores CUDA_VISIBLE_DEVICES. A library
that is absent or refuses to start is a fact (`code`), not a failure of the probe.
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from fwdoctor.model.snapshot import Gpu, MigInstance
from fwdoctor.probes.native import (
    NATIVE_TIMEOUT_S,
    capability_of,
    cuda_version_of,
    driver_version_of,
    file_version,
    find_flag,
    find_number,
    find_records,
    find_text,
    finish_native,
    path_below,
    start_native,
)
from fwdoctor.probes.runner import ProbeError
from fwdoctor.versions import CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwdoctor.probes.source import Source

ComputeMode = Literal["default", "exclusive-thread", "prohibited", "exclusive-process"]
FabricState = Literal["not-supported", "not-started", "in-progress", "completed"]
# The order of NVML's enumerations.
COMPUTE_MODES: Final[tuple[ComputeMode, ...]] = (
    "default",
    "exclusive-thread",
    "prohibited",
    "exclusive-process",
)
FABRIC_STATES: Final[tuple[FabricState, ...]] = (
    "not-supported",
    "not-started",
    "in-progress",
    "completed",
)
# "12.550.54.15": a CUDA major in front of the driver version.
_NVML_VERSION = re.compile(r"(?:\d{1,2}\.)?(\d{3,4}\.\d+(?:\.\d+)?)")
_MIG_PROFILE = re.compile(r"(?:\d+c\.)?\d+g\.\d+gb(?:[+-][\w.]+)*")
_UNKNOWN_CODE = 999
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlFacts:
    """What NVML said; `code` is its answer to nvmlInit, 0 for success."""

    code: int
    driver_version: DriverVersion | None = None
    cuda_driver_version: CudaVersion | None = None
    nvml_version: DriverVersion | None = None  # the library's own
    path: str | None = None
    gpus: tuple[Gpu, ...] | None = None  # None: it did not say
    notes: tuple[str, ...] = ()  # the loader's words, how the library was opened


class NvmlProbe:
    """Facts: NvmlFacts."""

    name = "nvml"

    def __init__(self, *, timeout_s: float = NATIVE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def start(self, source: Source) -> Callable[[], NvmlFacts]:
        """Start the child; the returned function waits for its answer."""
        folder = find_pynvml()
        if folder is None:
            raise ProbeError(
                "error", "NVML was not asked: nvidia-ml-py is not installed here"
            )
        child = start_native(source, "nvml_child.py", folder, timeout_s=self._timeout_s)

        def finish() -> NvmlFacts:
            facts = facts_of(finish_native(child))
            return replace(facts, path=path_below(source, facts.path))

        return finish


def find_pynvml() -> str | None:
    """The folder nvidia-ml-py's module lies in, without importing it."""
    spec = importlib.util.find_spec("pynvml")
    if spec is None or spec.origin is None:
        return None
    folder = os.path.dirname(spec.origin)
    return os.path.dirname(folder) if spec.submodule_search_locations else folder


def facts_of(answer: Mapping[str, object]) -> NvmlFacts:
    """The child's answer as typed facts; nonsense in a field leaves it unknown."""
    code = find_number(answer, "code")
    path = find_text(answer, "path")
    notes = answer.get("notes")
    gpus = None
    if isinstance(answer.get("gpus"), list):
        gpus = tuple(map(_gpu, find_records(answer, "gpus")))
    return NvmlFacts(
        code=_UNKNOWN_CODE if code is None else code,
        driver_version=driver_version_of(find_text(answer, "driver_version")),
        cuda_driver_version=cuda_version_of(find_number(answer, "cuda")),
        nvml_version=_nvml_version(answer) or file_version(path, "libnvidia-ml.so"),
        path=path,
        gpus=gpus,
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def _nvml_version(answer: Mapping[str, object]) -> DriverVersion | None:
    found = _NVML_VERSION.fullmatch(find_text(answer, "nvml_version") or "")
    return driver_version_of(found[1]) if found else None


def _gpu(answer: Mapping[str, object]) -> Gpu:
    return Gpu(
        index=find_number(answer, "index") or 0,
        name=find_text(answer, "name"),
        uuid=find_text(answer, "uuid"),
        pci_address=find_text(answer, "pci_address"),
        pci_device_id=find_text(answer, "pci_device_id"),
        compute_capability=capability_of(find_text(answer, "compute_capability")),
        memory_bytes=find_number(answer, "memory_bytes"),
        memory_used_bytes=find_number(answer, "memory_used_bytes"),
        mig_enabled=find_flag(answer, "mig_enabled"),
        mig_instances=_mig_instances(answer),
        compute_mode=_item(COMPUTE_MODES, find_number(answer, "compute_mode")),
        persistence=find_flag(answer, "persistence"),
        ecc_enabled=find_flag(answer, "ecc_enabled"),
        ecc_uncorrected=find_number(answer, "ecc_uncorrected"),
        retired_pages=find_number(answer, "retired_pages"),
        retirement_pending=find_flag(answer, "retirement_pending"),
        remapped_rows=find_number(answer, "remapped_rows"),
        remapping_pending=find_flag(answer, "remapping_pending"),
        remapping_failed=find_flag(answer, "remapping_failed"),
        fabric_state=_item(FABRIC_STATES, find_number(answer, "fabric_state")),
        fabric_status=find_number(answer, "fabric_status"),
        error_code=find_number(answer, "error_code"),
    )


def _mig_instances(answer: Mapping[str, object]) -> tuple[MigInstance, ...] | None:
    if not isinstance(answer.get("mig_instances"), list):
        return None
    return tuple(
        MigInstance(
            name=mig_profile(find_text(record, "name")),
            memory_bytes=find_number(record, "memory_bytes"),
        )
        for record in find_records(answer, "mig_instances")
    )


def mig_profile(name: str | None) -> str | None:
    """«1g.5gb» of «NVIDIA A100-SXM4-40GB MIG 1g.5gb»; any other name as it is."""
    found = _MIG_PROFILE.search(name or "")
    return found[0] if found else name


def _item(values: tuple[_T, ...], index: int | None) -> _T | None:
    known = index is not None and 0 <= index < len(values)
    return values[index] if known and index is not None else None
