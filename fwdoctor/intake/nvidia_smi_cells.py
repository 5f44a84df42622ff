"""What nvidia-smi's outputs have in common: the record they become, and their cells.

A cell that says N/A, ERR! or «[Not Supported]» is an unknown value, never an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from fwdoctor.model.snapshot import Gpu
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

ComputeMode = Literal["default", "exclusive-thread", "prohibited", "exclusive-process"]
FabricState = Literal["not-supported", "not-started", "in-progress", "completed"]
MEBIBYTE: Final = 1024 * 1024
TEXT_LIMIT: Final = 4_000_000
LINE_LIMIT: Final = 400
# "Default", "E. Process" in the table, "Exclusive_Process" elsewhere.
_COMPUTE_MODES: dict[str, ComputeMode] = {
    "default": "default",
    "ethread": "exclusive-thread",
    "exclusivethread": "exclusive-thread",
    "prohibited": "prohibited",
    "eprocess": "exclusive-process",
    "exclusiveprocess": "exclusive-process",
}
_FABRIC_STATES: dict[str, FabricState] = {
    "notsupported": "not-supported",
    "notstarted": "not-started",
    "inprogress": "in-progress",
    "completed": "completed",
}
_FLAGS = {"enabled": True, "on": True, "yes": True}
_FLAGS |= {"disabled": False, "off": False, "no": False}
_PCI = re.compile(
    r"(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.(\d)", re.ASCII
)
_SIZE = re.compile(r"(\d{1,12})\s*(?:MiB|MB)?", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
# "N/A", "[N/A]", "ERR!", "[Not Supported]", "[Unknown Error]", "[GPU is lost]"
_UNKNOWN = re.compile(r"$|N/A$|ERR!|Not Supported$|\[", re.IGNORECASE)
_LETTERS = re.compile(r"[^a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmiProcess:
    """A process that holds GPU memory; only the program's name is kept."""

    gpu_index: int
    pid: int
    name: str
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmiFacts:
    """What one nvidia-smi output says; None where it does not say."""

    smi_version: DriverVersion | None = None  # of the program, hence the user mode
    driver_version: DriverVersion | None = None
    cuda_driver_version: CudaVersion | None = None
    gpus: tuple[Gpu, ...] | None = None
    processes: tuple[SmiProcess, ...] = ()


def driver_cell(text: str | None) -> DriverVersion | None:
    """A driver version."""
    try:
        return DriverVersion.parse(text or "")
    except ValueError:
        return None


def cuda_cell(text: str | None) -> CudaVersion | None:
    """A CUDA version."""
    try:
        return CudaVersion.parse(text or "")
    except ValueError:
        return None


def capability_cell(text: str | None) -> ComputeCapability | None:
    """A compute capability."""
    try:
        return ComputeCapability.parse(text or "")
    except ValueError:
        return None


def text_cell(text: str | None) -> str | None:
    """Any words but those for «unknown»."""
    stripped = (text or "").strip()
    return None if _UNKNOWN.match(stripped) else stripped


def size_cell(text: str | None) -> int | None:
    """Bytes of a size in MiB, with or without the unit."""
    found = _SIZE.fullmatch((text or "").strip())
    return int(found[1]) * MEBIBYTE if found else None


def count_cell(text: str | None) -> int | None:
    """A whole number."""
    stripped = (text or "").strip()
    return int(stripped) if _COUNT.fullmatch(stripped) else None


def flag_cell(text: str | None) -> bool | None:
    """Enabled, On, Yes or their opposites; a star marks a change after a restart."""
    return _FLAGS.get((text or "").strip().rstrip("*").lower())


def compute_mode_cell(text: str | None) -> ComputeMode | None:
    """A compute mode in any of its spellings."""
    return _COMPUTE_MODES.get(_LETTERS.sub("", (text or "").lower()))


def fabric_cell(text: str | None) -> FabricState | None:
    """The state of the NVSwitch fabric."""
    return _FABRIC_STATES.get(_LETTERS.sub("", (text or "").lower()))


def pci_cell(text: str | None) -> str | None:
    """A bus address as Linux writes it: 0000:01:00.0."""
    found = _PCI.fullmatch((text or "").strip())
    if not found:
        return None
    domain = (found[1] or "0000").lower()
    short = domain[-4:] if not domain[:-4].strip("0") else domain
    return f"{short}:{found[2]}:{found[3]}.{found[4]}".lower()


def uuid_cell(text: str | None) -> str | None:
    """A UUID of which only kind and last four digits are left."""
    stripped = (text or "").strip()
    kind, dash, rest = stripped.partition("-")
    if kind not in ("GPU", "MIG") or not dash or len(rest) < 4:
        return None
    return f"{kind}-\u2026{stripped[-4:]}"
