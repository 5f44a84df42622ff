"""A pasted nvidia-smi output, in whichever of its forms, as facts.

The parsing itself is nvidia_smi.py's; here the outputs are found in a longer text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.nvidia_smi import (
    find_error,
    find_library_version,
    parse_csv,
    parse_list,
    parse_query,
    parse_table,
    parse_xml,
)

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts
    from fwdoctor.intake.nvidia_smi import SmiFacts

SOURCE = "nvidia-smi"
# NVML's code for its words, in nvidia-smi's «Failed to initialize NVML: …».
_NVML_WORDS = (
    ("driver/library version mismatch", 18),
    ("driver not loaded", 9),
    ("driver is not loaded", 9),
    ("insufficient permissions", 4),
    ("no permission", 4),
    ("library not found", 12),
    ("unknown error", 999),
    ("gpu is lost", 15),
    ("not supported", 3),
    ("gpu access blocked", 17),
)
_NVML = re.compile(r"failed to initialize NVML:[ \t]{0,4}([^\n]{1,80})", re.IGNORECASE)
_OWN_WORDS = (
    ("NVIDIA-SMI has failed because", 9),
    ("NVIDIA-SMI couldn't find", 12),
    ("No devices were found", None),
)
_CSV_HEADER = re.compile(
    r"^[ \t]*(?=[^\n]{0,400}\b(?:driver_version|name|compute_cap|memory\.total)\b)"
    r"[a-z_.]{2,40}(?: ?\[[\w%]{1,8}\])?(?:, ?[a-z_.]{2,40}"
    r"(?: ?\[[\w%]{1,8}\])?)+[ \t]*$",
    re.MULTILINE,
)


def parse(text: str) -> Facts | None:
    """What the nvidia-smi output in a text says."""
    found = Collector(SOURCE, text)
    for facts in _outputs(text):
        _add(found, facts)
    _add_error(found, text)
    return found.facts()


def _outputs(text: str) -> list[SmiFacts]:
    """Every output that is there, the most reliable kind first."""
    outputs: list[SmiFacts] = []
    header = _CSV_HEADER.search(text) if "," in text else None
    if header:
        outputs.append(parse_csv(_block(text, header.start()), ()))
    if "<nvidia_smi_log" in text:
        outputs.append(parse_xml(text))
    if "Attached GPUs" in text:
        outputs.append(parse_query(text))
    if "(UUID: " in text:
        outputs.append(parse_list(text))
    if "NVIDIA-SMI" in text or "MiB" in text:
        outputs.append(parse_table(text))
    return outputs


def _block(text: str, start: int) -> str:
    """The lines from `start` to the next blank one."""
    end = text.find("\n\n", start)
    return text[start : end if end >= 0 else None]


def _add(found: Collector, facts: SmiFacts) -> None:
    text = found.text
    if facts.driver_version:
        version = str(facts.driver_version)
        found.add("driver", version, max(0, text.find(version)))
    if facts.smi_version:
        found.add("smi_version", str(facts.smi_version))
    if facts.cuda_driver_version:
        found.add("driver_cuda", str(facts.cuda_driver_version))
    if facts.gpus and not found.gpus:
        found.gpus.extend(facts.gpus)


def _add_error(found: Collector, text: str) -> None:
    match = _NVML.search(text) if "NVML" in text else None
    if match:
        words = match[1].lower()
        code = next((code for known, code in _NVML_WORDS if known in words), None)
        found.add("nvml_code", None if code is None else str(code), match.start())
        found.add("smi_error", match[0], match.start())
        version = find_library_version(text)
        found.add("nvml_version", str(version) if version else None, match.start())
    for words, code in _OWN_WORDS:
        at = text.find(words)
        if at >= 0:
            found.add("smi_error", find_error(text), at)
            found.add("nvml_code", None if code is None else str(code), at)
