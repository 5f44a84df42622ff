"""Lines by which programs on top of PyTorch introduce themselves and their machine.

Ultralytics YOLOv8.2.15 Python-3.10.9 torch-2.1.0 CUDA:0 (NVIDIA RTX 3090, 24268MiB)
xFormers was built for: PyTorch 2.1.2+cu121 with CUDA 1201 (you have 2.1.2+cpu)
CUDA SETUP: PyTorch settings found: CUDA_VERSION=117, Highest Compute Capability: 8.6.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.numbers import find_python_version
from fwdoctor.model.snapshot import Gpu
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "banner"
_MEBIBYTE = 1024 * 1024
_YOLO = re.compile(
    r"(?:Ultralytics|YOLO)[^\n]{0,60}?\bPython-(?P<python>[23]\.\d{1,2}(?:\.\d{1,2})?)"
    r"[ \t]+torch-(?P<torch>\d[\w.+]{2,40})"
    r"(?:[ \t]+(?P<device>CUDA:\d{1,2}|CPU|MPS)(?:[ \t]*\((?P<name>[^,()\n]{1,60}"
    r"(?:\([^()\n]{0,10}\)[^,()\n]{0,30})?)(?:,[ \t]*(?P<mib>\d{3,7})MiB)?)?)?"
)
_MORE_GPUS = re.compile(
    r"[\n\t ]{1,60}CUDA:(\d{1,2}) \(([^,()\n]{1,60}),[ \t]*(\d{3,7})MiB\)"
)
_XFORMERS = re.compile(
    r"was built for:\s{0,20}PyTorch (?P<built>\S{3,40}) with CUDA (?P<cuda>\d{3,5}"
    r"|None)"
    r" \(you have (?P<torch>[^\s()]{3,40})\)"
)
_XFORMERS_PYTHON = re.compile(
    r"Python\s{1,4}[23]\.\d{1,2}[\d.]{0,4} \(you have ([23]\.\d{1,2}(?:\.\d{1,2})?)\)"
)
_SETTINGS = re.compile(
    r"settings found: CUDA_VERSION=(\d{2,3}), Highest Compute Capability: (\d{1,2}\.\d)"
)
_DETECTED = re.compile(r"CUDA SETUP: Detected CUDA version (\d{2,3})")
_HIGHEST = re.compile(r"ompute capability among GPUs detected: (\d{1,2}\.\d)")


def parse(text: str) -> Facts | None:
    """The facts of such lines in a text."""
    found = Collector(SOURCE, text)
    if "torch-" in text and "Python-" in text:
        _read_yolo(found, text)
    if "(you have" in text:
        _read_xformers(found, text)
    if "CUDA SETUP" in text or "CUDA_SETUP" in text:
        _read_bitsandbytes(found, text)
    return found.facts()


def _read_yolo(found: Collector, text: str) -> None:
    match = _YOLO.search(text)
    if match is None:
        return
    found.add_match("python", match, "python")
    found.add("torch", match["torch"].rstrip("."), match.start("torch"))
    device = match["device"] or ""
    if device.startswith("CUDA") and match["name"]:
        found.add("torch_gpu", "true", match.start("device"))
        found.add("torch_kind", "cuda", match.start("device"))
        _add_gpu(found, match["name"], match["mib"])
        for other in list(_MORE_GPUS.finditer(text, match.end()))[:16]:
            _add_gpu(found, other[2], other[3])
    elif device == "CPU":
        found.add("torch_gpu", "false", match.start("device"))


def _add_gpu(found: Collector, name: str, mib: str | None) -> None:
    size = int(mib) * _MEBIBYTE if mib else None
    index = len(found.gpus)
    found.gpus.append(Gpu(index=index, name=name.strip(), memory_bytes=size))


def _read_xformers(found: Collector, text: str) -> None:
    match = _XFORMERS.search(text)
    if match:
        found.add_match("torch", match, "torch")
    python = _XFORMERS_PYTHON.search(text)
    if python:
        found.add("python", find_python_version(python[1]), python.start(1))


def _read_bitsandbytes(found: Collector, text: str) -> None:
    settings = _SETTINGS.search(text)
    detected = settings or _DETECTED.search(text)
    if detected:
        digits = detected[1]
        cuda = CudaVersion(int(digits[:-1]), int(digits[-1]))
        found.add(
            "torch_cuda" if settings else "cuda_name", str(cuda), detected.start()
        )
        if settings:
            found.add("torch_kind", "cuda", settings.start())
    highest = _HIGHEST.search(text)
    number = settings[2] if settings else highest[1] if highest else None
    if number:
        capability = ComputeCapability.parse(number)
        found.gpus.append(Gpu(index=0, compute_capability=capability))
