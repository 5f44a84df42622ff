"""Everything nvidia-smi prints, as facts: CSV, XML, `-q`, `-L`, the table.

Pure parsers that never raise: what they cannot read is unknown. The table comes last,
because its words change (R610 says «KMD Version») and its names are cut off.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fwdoctor.intake.nvidia_smi_cells import (
    LINE_LIMIT,
    TEXT_LIMIT,
    SmiFacts,
    SmiProcess,
    capability_cell,
    compute_mode_cell,
    count_cell,
    driver_cell,
    flag_cell,
    pci_cell,
    size_cell,
    text_cell,
    uuid_cell,
)
from fwdoctor.intake.nvidia_smi_query import parse_query, parse_xml
from fwdoctor.intake.nvidia_smi_table import parse_banner, parse_table
from fwdoctor.model.snapshot import Gpu, MigInstance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.versions import DriverVersion

__all__ = [
    "EXIT_MEANINGS",
    "QUERY_FIELDS",
    "SmiFacts",
    "SmiProcess",
    "find_error",
    "find_library_version",
    "parse_banner",
    "parse_csv",
    "parse_list",
    "parse_query",
    "parse_table",
    "parse_xml",
]

# What we ask for; every name is also understood in the header of a pasted CSV.
QUERY_FIELDS: Final = (
    "index",
    "name",
    "driver_version",
    "pci.bus_id",
    "memory.total",
    "memory.used",
    "compute_mode",
    "persistence_mode",
    "ecc.mode.current",
    "mig.mode.current",
    "uuid",
    "compute_cap",
)
# From the manual page of nvidia-smi, RETURN VALUE.
EXIT_MEANINGS: Final = {
    2: "an argument or flag is not valid",
    3: "the operation is not available on this GPU",
    4: "the user may not access the GPU",
    6: "a query found nothing",
    8: "an external power cable of the GPU is not attached",
    9: "the NVIDIA driver is not loaded",
    10: "the kernel found an interrupt problem with the GPU",
    12: "libnvidia-ml, the NVML library, was not found",
    13: "this libnvidia-ml lacks a function",
    14: "the infoROM of the GPU is damaged",
    15: "the GPU has fallen off the bus or cannot be reached",
}
_ERRORS = re.compile(
    r"NVIDIA-SMI has failed because .{1,200}"
    r"|NVIDIA-SMI couldn't find .{1,200}"
    r"|Failed to initialize NVML: .{1,80}"
    r"|Unable to determine the device handle .{1,120}"
    r"|No devices (?:were )?found"
    r"|Failed to properly shut down NVML: .{1,80}"
    r"|Unable to locate .{1,120}"
)
_LIBRARY_VERSION = re.compile(r"NVML library version: (\d{3}\.\d{1,3}(?:\.\d{1,3})?)")
# "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d2f7a34-…)"
_LISTED = re.compile(r"GPU (\d{1,3}): (.{1,120}?)(?: \(UUID: ([^)\s]{1,80})\))?\s*")
# "  MIG 3g.20gb     Device  0: (UUID: MIG-…)"
_LISTED_MIG = re.compile(r"\s*MIG (\S{1,24})\s{1,20}Device\s{1,9}\d{1,3}:.{0,120}")
_SUFFIX = re.compile(r"\s*\[[^\]]*\]$")


def find_error(text: str) -> str | None:
    """The first of nvidia-smi's own error messages in `text`."""
    found = _ERRORS.search(text[:TEXT_LIMIT])
    return found[0].strip() if found else None


def find_library_version(text: str) -> DriverVersion | None:
    """The version of libnvidia-ml told with «Driver/library version mismatch»."""
    found = _LIBRARY_VERSION.search(text[:TEXT_LIMIT])
    return driver_cell(found[1]) if found else None


def parse_csv(text: str, fields: Sequence[str] = QUERY_FIELDS) -> SmiFacts:
    """`--query-gpu=… --format=csv`; a header line names its own fields."""
    lines = [line for line in text[:TEXT_LIMIT].splitlines() if len(line) <= LINE_LIMIT]
    gpus: list[Gpu] = []
    driver = None
    for line in lines:
        cells = [cell.strip() for cell in line.split(",")]
        names = [_SUFFIX.sub("", cell).lower() for cell in cells]
        if set(names) <= _KNOWN_FIELDS:
            fields = names
        elif len(cells) == len(fields):
            values = dict(zip(fields, cells, strict=True))
            driver = driver or driver_cell(values.get("driver_version"))
            gpus.append(_csv_gpu(len(gpus), values))
    described = [gpu for gpu in gpus if gpu != Gpu(index=gpu.index)]
    return SmiFacts(
        driver_version=driver,
        gpus=tuple(described) or None,
    )


_KNOWN_FIELDS = frozenset(QUERY_FIELDS) | {
    *("gpu_name", "gpu_uuid", "gpu_bus_id", "memory.free", "count", "timestamp"),
    *("utilization.gpu", "utilization.memory", "temperature.gpu", "power.draw"),
    *("vbios_version", "pstate", "serial", "pci.device_id", "power.limit"),
}


def _csv_gpu(position: int, values: dict[str, str]) -> Gpu:
    index = count_cell(values.get("index"))
    return Gpu(
        index=position if index is None else index,
        name=text_cell(values.get("name") or values.get("gpu_name")),
        uuid=uuid_cell(values.get("uuid") or values.get("gpu_uuid")),
        pci_address=pci_cell(values.get("pci.bus_id") or values.get("gpu_bus_id")),
        compute_capability=capability_cell(values.get("compute_cap")),
        memory_bytes=size_cell(values.get("memory.total")),
        memory_used_bytes=size_cell(values.get("memory.used")),
        mig_enabled=flag_cell(values.get("mig.mode.current")),
        compute_mode=compute_mode_cell(values.get("compute_mode")),
        persistence=flag_cell(values.get("persistence_mode")),
        ecc_enabled=flag_cell(values.get("ecc.mode.current")),
    )


def parse_list(text: str) -> SmiFacts:
    """`nvidia-smi -L`: GPUs and, below each, its MIG instances."""
    gpus: dict[int, Gpu] = {}
    last: int | None = None
    for line in text[:TEXT_LIMIT].splitlines():
        if len(line) > LINE_LIMIT:
            continue
        listed = _LISTED.fullmatch(line.strip())
        part = _LISTED_MIG.fullmatch(line)
        if listed:
            last = int(listed[1])
            name, uuid = text_cell(listed[2]), uuid_cell(listed[3])
            gpus.setdefault(last, Gpu(index=last, name=name, uuid=uuid))
        elif part and last is not None:
            parts = (*(gpus[last].mig_instances or ()), MigInstance(name=part[1]))
            gpus[last] = replace(gpus[last], mig_enabled=True, mig_instances=parts)
    return SmiFacts(gpus=tuple(gpus.values()) or None)
