"""The facts in whatever nvidia-smi printed into a text, in any of its forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fwdoctor.intake import nvidia_smi
from fwdoctor.intake.facts import Collector
from fwdoctor.intake.nvidia_smi_cells import SmiFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.intake.facts import Facts
    from fwdoctor.model.snapshot import Gpu

SOURCE: Final = "nvidia-smi"
# The literal that a form cannot be without, and its reader; the most exact first.
_FORMS: tuple[tuple[str, Callable[[str], SmiFacts]], ...] = (
    ("<nvidia_smi_log", nvidia_smi.parse_xml),
    ("Attached GPUs", nvidia_smi.parse_query),
    ("UUID: GPU-", nvidia_smi.parse_list),
    ("NVIDIA-SMI", nvidia_smi.parse_table),
)
_CSV_HEAD = re.compile(
    r"^[ \t]*(?:index|name|gpu_name|uuid|count|timestamp|driver_version|pci\.bus_id"
    r"|memory\.total(?: \[MiB\])?|compute_cap)(?:,[^\n]{0,300})?$",
    re.MULTILINE,
)
_CSV_LINES = 70
# NVML's answers behind nvidia-smi's words (nvml.h, nvmlReturn_t).
_ANSWERS: tuple[tuple[str, int], ...] = (
    ("library version mismatch", 18),
    ("couldn't communicate", 9),
    ("Driver Not Loaded", 9),
    ("Insufficient Permissions", 4),
    ("couldn't find libnvidia-ml", 12),
    ("NVML: Unknown Error", 999),
    ("GPU access blocked", 17),
)
_NO_DEVICES = ("No devices were found", "No devices found")


def parse(text: str) -> Facts | None:
    """Driver, CUDA driver version, GPUs and errors; None where it printed nothing."""
    found = Collector(SOURCE, text)
    read = [reader(text) for literal, reader in _FORMS if literal in text]
    head = _CSV_HEAD.search(text)
    if head:
        rows = text[head.start() :].split("\n", _CSV_LINES)[:_CSV_LINES]
        read.append(nvidia_smi.parse_csv("\n".join(rows)))
    for facts in read:
        _read_versions(found, facts, text)
        if not found.gpus:
            found.gpus.extend(_named(facts.gpus))
    _read_error(found, text)
    return found.facts()


def _read_versions(found: Collector, facts: SmiFacts, text: str) -> None:
    at = max(0, text.find("NVIDIA-SMI"))
    for name, value in (
        ("driver", facts.driver_version),
        ("driver_cuda", facts.cuda_driver_version),
        ("smi_version", facts.smi_version),
    ):
        found.add(name, str(value) if value else None, at)  # type: ignore[arg-type]  # the three names above


def _named(gpus: tuple[Gpu, ...] | None) -> tuple[Gpu, ...]:
    """GPUs that say anything; a row of dashes does not."""
    return tuple(gpu for gpu in gpus or () if gpu.name or gpu.uuid or gpu.error_code)


def _read_error(found: Collector, text: str) -> None:
    error = nvidia_smi.find_error(text)
    if error is None and "NVML" in text:
        error = next((words for words, _ in _ANSWERS if words in text), None)
    if error is None:
        return
    at = text.find(error)
    found.add("smi_error", error, at)
    if error in _NO_DEVICES:
        found.add("no_gpu", "true", at)
    code = next((code for words, code in _ANSWERS if words in error), None)
    found.add("nvml_code", str(code) if code is not None else None, at)
    library = nvidia_smi.find_library_version(text)
    found.add("nvml_version", str(library) if library else None, at)
