"""The table that plain `nvidia-smi` prints, narrow or wide, whole or in pieces.

| NVIDIA-SMI 535.54.03        Driver Version: 535.54.03    CUDA Version: 12.2     |
|   0  NVIDIA A100-SXM4-40GB  On  | 00000000:01:00.0 Off |                   On |
| N/A   32C    P0    45W / 400W   |   87MiB / 40960MiB   |   N/A       Default  |
|                                 |                      |              Enabled |
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from fwdoctor.intake.nvidia_smi_cells import (
    LINE_LIMIT,
    TEXT_LIMIT,
    SmiFacts,
    SmiProcess,
    compute_mode_cell,
    count_cell,
    cuda_cell,
    driver_cell,
    flag_cell,
    pci_cell,
    size_cell,
    text_cell,
)
from fwdoctor.model.snapshot import Gpu, MigInstance

# "Driver Version", "CUDA Version"; from R610 on "KMD Version", "CUDA UMD Version".
_COLON = r"\s?[:\uff1a]\s{0,9}"
_BANNER = re.compile(
    rf"NVIDIA-SMI\s{{1,60}}(\S{{1,20}})"
    rf"\s{{1,60}}(?:Driver|KMD) Version{_COLON}(\S{{1,20}})"
    rf"(?:\s{{1,60}}CUDA(?: UMD)? Version{_COLON}(\S{{1,20}}))?"
)
# The last word of a GPU's first cell: persistence, or the driver model on Windows.
_STATES = ("On", "Off", "N/A", "ERR!", "WDDM", "TCC", "MCDM")
_MEMORY = re.compile(r"(\d{1,9})MiB\s{0,20}/\s{0,20}(\d{1,9})MiB", re.ASCII)
_MODE = re.compile(
    r"(Default|Prohibited|E\. ?(?:Process|Thread)|Exclusive_(?:Process|Thread))$"
)
_MIG_WORDS = ("N/A", "Enabled", "Enabled*", "Disabled", "Disabled*")
_PROCESS_TYPES = ("C", "G", "C+G", "M", "M+C")
# "Unable to determine the device handle for GPU 0000:41:00.0: GPU is lost.", or with
# a number, "GPU1: 0000:41:00.0: Unknown Error".
_LOST = re.compile(
    r"Unable to determine the device handle for GPU ?(?:(\d{1,3}): )?"
    r"([0-9A-Fa-f:.]{7,20}): (GPU is lost)?"
)
_LOST_CODE, _UNKNOWN_CODE = 15, 999


def parse_banner(text: str) -> SmiFacts:
    """Driver and CUDA versions of the first table head, in either spelling."""
    found = _BANNER.search(text[:TEXT_LIMIT])
    if not found:
        return SmiFacts()
    return SmiFacts(
        smi_version=driver_cell(found[1]),
        driver_version=driver_cell(found[2]),
        cuda_driver_version=cuda_cell(found[3]),
    )


def parse_table(text: str) -> SmiFacts:
    """Everything the first table in `text` says; a second table is another machine."""
    text = text[:TEXT_LIMIT]
    first = _BANNER.search(text)
    second = _BANNER.search(text, first.end()) if first else None
    reader = _TableReader()
    for line in text[: second.start() if second else None].splitlines():
        start = line.find("|")
        if start >= 0 and len(line) <= LINE_LIMIT:
            reader.read(line[start + 1 :].rstrip().rstrip("|"))
    gpus = (*reader.gpus.values(), *_lost_gpus(text, reader.gpus))
    return replace(
        parse_banner(text), gpus=gpus or None, processes=tuple(reader.processes)
    )


def _lost_gpus(text: str, known: dict[int, Gpu]) -> list[Gpu]:
    """GPUs that only a message names, because their handle could not be had."""
    found: dict[str, Gpu] = {}
    addresses = {gpu.pci_address for gpu in known.values()}
    following = max(known, default=-1) + 1
    for match in _LOST.finditer(text):
        address = pci_cell(match[2])
        if address is None or address in addresses:
            continue
        found.setdefault(
            address,
            Gpu(
                index=int(match[1]) if match[1] else following + len(found),
                pci_address=address,
                error_code=_LOST_CODE if match[3] else _UNKNOWN_CODE,
            ),
        )
    return list(found.values())


@dataclass
class _TableReader:
    """Takes the table row by row; `last` is the GPU whose rows are being read."""

    gpus: dict[int, Gpu] = field(default_factory=dict)
    processes: list[SmiProcess] = field(default_factory=list)
    last: int | None = None
    part: str = "gpus"

    def read(self, row: str) -> None:
        words = row.split()
        title = " ".join(words[:2]).lower()
        if title.startswith(("mig devices", "processes")):
            self.part, self.last = title[:3], None
        elif "No MIG devices found" in row:
            self._no_instances()
        elif self.part == "pro":
            self._read_process(words)
        elif self.part == "mig":
            self._read_instance(row.split("|"))
        else:
            self._read_gpu([cell.strip() for cell in row.split("|")])

    def _read_gpu(self, cells: list[str]) -> None:
        if len(cells) < 2:
            return
        words = cells[0].split()
        is_named = len(words) > 2 and words[-1] in _STATES
        if is_named and count_cell(words[0]) is not None:
            self._start_gpu(words, cells)
        elif self.last is not None:
            self._continue_gpu(self.gpus[self.last], cells)

    def _start_gpu(self, words: list[str], cells: list[str]) -> None:
        index = int(words[0])
        self.last = None if index in self.gpus else index
        if self.last is None:
            return
        # N/A: no ECC on this card. On: the counter is hidden while MIG is enabled.
        ecc = cells[2] if len(cells) > 2 else ""
        errors = count_cell(ecc)
        self.gpus[index] = Gpu(
            index=index,
            name=text_cell(" ".join(words[1:-1])),
            pci_address=pci_cell(cells[1].partition(" ")[0]),
            persistence=flag_cell(words[-1]),
            ecc_enabled=True if errors is not None else flag_cell(ecc),
            ecc_uncorrected=errors,
            error_code=_UNKNOWN_CODE if words[1] == "ERR!" else None,
        )

    def _continue_gpu(self, gpu: Gpu, cells: list[str]) -> None:
        last = cells[2] if len(cells) > 2 else ""
        memory = _MEMORY.search(cells[1])
        mode = _MODE.search(last)
        if memory:
            gpu = replace(
                gpu,
                memory_used_bytes=size_cell(memory[1]),
                memory_bytes=size_cell(memory[2]),
            )
        if mode:
            gpu = replace(gpu, compute_mode=compute_mode_cell(mode[1]))
        elif not cells[0] and last in _MIG_WORDS:
            gpu = replace(gpu, mig_enabled=flag_cell(last))
        self.gpus[gpu.index] = gpu

    def _read_instance(self, cells: list[str]) -> None:
        numbers = [count_cell(word) for word in cells[0].split()]
        if len(numbers) != 4 or None in numbers or len(cells) < 2:
            return
        gpu = self.gpus.get(numbers[0] or 0)
        if gpu is None:
            return
        memory = _MEMORY.search(cells[1])
        part = MigInstance(memory_bytes=size_cell(memory[2]) if memory else None)
        parts = (*(gpu.mig_instances or ()), part)
        self.gpus[gpu.index] = replace(gpu, mig_instances=parts)

    def _no_instances(self) -> None:
        for index, gpu in self.gpus.items():
            if gpu.mig_enabled:
                self.gpus[index] = replace(gpu, mig_instances=())

    def _read_process(self, words: list[str]) -> None:
        # GPU [GI CI] PID Type Process-name [GPU-Memory]
        kind = next(
            (i for i in (2, 4) if words[i : i + 1] and words[i] in _PROCESS_TYPES), 0
        )
        gpu, pid = (
            (count_cell(words[i]) for i in (0, kind - 1)) if kind else (None, None)
        )
        if gpu is None or pid is None or len(words) < kind + 2:
            return
        size = size_cell(words[-1]) if words[-1].endswith("MiB") else None
        program = re.split(r"[/\\]", words[kind + 1])[-1]
        self.processes.append(
            SmiProcess(gpu_index=gpu, pid=pid, name=program, memory_bytes=size)
        )
