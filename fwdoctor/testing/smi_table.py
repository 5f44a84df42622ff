"""What a fake nvidia-smi says of each GPU, and its table.

Three shapes of the table exist: narrow, wide, and wide with the words that R610 brought
(«KMD Version», «CUDA UMD Version» for «Driver Version», «CUDA Version»).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.testing.tree import pci_address, uuid

if TYPE_CHECKING:
    from fwdoctor.testing.scenario import Scenario

# Seen in tables of 610.43.02 and 610.57.04; 595 still has the old words.
RENAMED_FROM_BRANCH = 610
WIDE_FROM_BRANCH = 530
MODES = ("Default", "Exclusive_Thread", "Prohibited", "Exclusive_Process")
SHORT_MODES = ("Default", "E. Thread", "Prohibited", "E. Process")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Widths of the three columns, padding and head of one kind of table."""

    columns: tuple[int, int, int]
    head: str
    titles: tuple[tuple[str, str, str], ...]


_OLD_HEAD = " NVIDIA-SMI {driver:<12} Driver Version: {driver:<12} CUDA Version: {cuda}"
_WIDE_HEAD = (
    " NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} CUDA Version: {cuda}"
)
_NEW_HEAD = (
    " NVIDIA-SMI {driver:<22} KMD Version: {driver:<13} CUDA UMD Version: {cuda}"
)
_NARROW_TITLES = (
    (
        " GPU  Name        Persistence-M",
        " Bus-Id        Disp.A ",
        " Volatile Uncorr. ECC ",
    ),
    (
        " Fan  Temp  Perf  Pwr:Usage/Cap",
        "         Memory-Usage ",
        " GPU-Util  Compute M. ",
    ),
    ("", "", "MIG M. "),
)
_WIDE_TITLES = (
    (
        " GPU  Name                 Persistence-M ",
        " Bus-Id          Disp.A ",
        " Volatile Uncorr. ECC ",
    ),
    (
        " Fan  Temp   Perf          Pwr:Usage/Cap ",
        "           Memory-Usage ",
        " GPU-Util  Compute M. ",
    ),
    ("", "", "MIG M. "),
)


def cuda_text(scenario: Scenario) -> str:
    """The newest CUDA the user-mode driver speaks, as the table prints it."""
    code = scenario.number("cu_cuda", scenario.number("cuda"))
    if "libcuda" in scenario.words("file.without") or not code:
        return "N/A"
    return f"{code // 1000}.{code % 1000 // 10}"


def gpu_fields(scenario: Scenario, gpu: int) -> dict[str, str]:
    """What `--query-gpu` knows of a GPU, by field name."""
    total = scenario.get(f"gpu.{gpu}.memory_mib")
    used = scenario.number(f"gpu.{gpu}.memory_used_mib")
    reserved = scenario.number(f"gpu.{gpu}.memory_reserved_mib")
    name = scenario.get(f"gpu.{gpu}.name") or ""
    return {
        "index": str(gpu),
        "count": str(scenario.gpu_count),
        "name": name,
        "gpu_name": name,
        "uuid": uuid(scenario, gpu),
        "gpu_uuid": uuid(scenario, gpu),
        "driver_version": scenario.get("driver") or "[N/A]",
        "compute_cap": scenario.get(f"gpu.{gpu}.cc") or "[N/A]",
        "memory.total": f"{total} MiB" if total else "[N/A]",
        "memory.used": f"{used} MiB" if total else "[N/A]",
        "memory.free": f"{int(total) - used - reserved} MiB" if total else "[N/A]",
        "pci.bus_id": f"0000{pci_address(scenario, gpu).upper()}",
        "pci.device_id": f"0x{scenario.number(f'gpu.{gpu}.pci_device_id'):08X}",
        "compute_mode": MODES[scenario.number(f"gpu.{gpu}.compute_mode")],
        "persistence_mode": _enabled(scenario.get(f"gpu.{gpu}.persistence") or "0"),
        "mig.mode.current": _enabled(scenario.get(f"gpu.{gpu}.mig")),
        "ecc.mode.current": _enabled(scenario.get(f"gpu.{gpu}.ecc")),
        "temperature.gpu": scenario.get(f"gpu.{gpu}.temperature") or "35",
        "utilization.gpu": f"{scenario.number(f'gpu.{gpu}.utilization')} %",
    }


def _enabled(flag: str | None) -> str:
    return {"1": "Enabled", "0": "Disabled"}.get(flag or "", "[N/A]")


def render_table(scenario: Scenario) -> str:
    """What `nvidia-smi` without arguments prints."""
    shape = _shape(scenario)
    width = sum(shape.columns) + 2
    driver = scenario.get("driver") or "N/A"
    head = shape.head.format(driver=driver, cuda=cuda_text(scenario))
    lines = [
        "Sat Nov 21 10:00:00 2026",
        f"+{'-' * width}+",
        f"|{head:<{width}}|",
        _rule(shape, "-", "+"),
        *(_row(shape, titles) for titles in shape.titles),
        _rule(shape, "=", "|"),
    ]
    for gpu in range(scenario.gpu_count):
        lines += [_row(shape, cells) for cells in _cells(scenario, gpu, shape)]
        lines.append(_rule(shape, "-", "+"))
    return "\n".join(lines) + "\n"


def _shape(scenario: Scenario) -> _Shape:
    found = re.match(r"\d+", scenario.get("driver") or "")
    branch = int(found[0]) if found else RENAMED_FROM_BRANCH
    if branch < WIDE_FROM_BRANCH:
        return _Shape(columns=(31, 22, 22), head=_OLD_HEAD, titles=_NARROW_TITLES)
    head = _NEW_HEAD if branch >= RENAMED_FROM_BRANCH else _WIDE_HEAD
    return _Shape(columns=(41, 24, 22), head=head, titles=_WIDE_TITLES)


def _rule(shape: _Shape, stroke: str, end: str) -> str:
    return end + "+".join(stroke * width for width in shape.columns) + end


def _row(shape: _Shape, cells: tuple[str, str, str]) -> str:
    left, middle, right = shape.columns
    return f"|{cells[0]:<{left}}|{cells[1]:>{middle}}|{cells[2]:>{right}}|"


def _cells(
    scenario: Scenario, gpu: int, shape: _Shape
) -> tuple[tuple[str, str, str], ...]:
    fields = gpu_fields(scenario, gpu)
    key = f"gpu.{gpu}"
    room = shape.columns[0] - 11
    state = "On" if scenario.is_set(f"{key}.persistence") else "Off"
    name = f"  {gpu}  {fields['name']}"[:room]
    ecc = str(scenario.number(f"{key}.ecc_uncorrected"))
    used, total = (
        fields[f"memory.{part}"].replace(" ", "") for part in ("used", "total")
    )
    busy = f"{scenario.number(f'{key}.utilization')}%"
    mode = SHORT_MODES[scenario.number(f"{key}.compute_mode")]
    mig = fields["mig.mode.current"].strip("[]")
    return (
        (
            f" {name:<{room}}{state:>{shape.columns[0] - room - 2}} ",
            f"{fields['pci.bus_id']} Off ",
            f"{ecc if scenario.is_set(f'{key}.ecc') else 'N/A'} ",
        ),
        (
            " N/A   35C    P0    70W / 700W",
            f"{used:>8} / {total:>10} ",
            f"{busy:>7} {mode:>12} ",
        ),
        ("", "", f"{mig} "),
    )
