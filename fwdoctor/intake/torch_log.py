"""What PyTorch's own warnings and errors tell about GPU, driver and build.

NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with …
The current PyTorch install supports CUDA capabilities sm_50 sm_60 … sm_90.
Found GPU0 NVIDIA TITAN Xp which is of cuda capability 6.1.
The NVIDIA driver on your system is too old (found version 10010).
Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was …
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.model.snapshot import Gpu, Library
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "PyTorch message"
_MOST = 64
_NOT_COMPATIBLE = re.compile(r" with CUDA capability sm_(?P<sm>\d{2,3}) is not")
_NAME_BEFORE = re.compile(r"[A-Za-z][^\n:'\"(]{1,79}$")
_FOUND_GPU = re.compile(
    r"Found GPU ?(?P<index>\d{1,3}):? (?P<name>[^\n]{2,80}?) which is of"
    r" (?:cuda|compute) capability (?P<cc>\d{1,2}\.\d)"
)
_TARGETS = re.compile(
    r"supports CUDA capabilities ((?:(?:sm|compute)_\d{2,3}[af]?[\s,]{0,4}){1,40})"
)
_ARCH_LIST = re.compile(
    r"get_arch_list\(\)[^\[\n]{0,40}\n?[^\[\n]{0,10}\[((?:\s{0,4}'(?:sm|compute)_\d{2,3}[af]?'"
    r",?){1,40})"
)
_TARGET = re.compile(r"(?:sm|compute)_\d{2,3}[af]?")
_DRIVER_CODE = re.compile(r"system is too old \(found version (\d{4,5})\)")
_CODE = re.compile(
    r"(?:cudaGetDeviceCount\(\)\.? ?Error|cuda runtime error \(|CUDA failure|Error) ?"
    r"(80[0-7]|999|100|101|46|3|36|34|35)(?:\)|:| :) {0,2}(?=[a-zA-Z])",
    re.IGNORECASE,
)
_CUDNN = re.compile(
    r"compiled {1,2}against \((\d{1,2}), (\d{1,2}), "
    r"(\d{1,2})\) but found runtime version"
    r" \((\d{1,2}), (\d{1,2}), (\d{1,2})\)"
)
_CPU_BUILD = "Torch not compiled with CUDA enabled"
_DETECTED = re.compile(
    r"detected CUDA version \((\d{1,2}\.\d{1,2})\) mismatches the version that was used"
    r" to compile\s{1,4}PyTorch \((\d{1,2}\.\d{1,2})\)"
)
_SIGNS = (
    "CUDA capability",
    "cuda capability",
    "CUDA capabilities",
    "get_arch_list",
    "too old (found",
    "rror",
    "CUDA failure",
    "against (",
    "detected CUDA version",
    _CPU_BUILD,
)


def parse(text: str) -> Facts | None:
    """The facts of PyTorch's messages in a text."""
    if not any(sign in text for sign in _SIGNS):
        return None
    found = Collector(SOURCE, text)
    _read_gpus(found, text)
    targets = _TARGETS.search(text) or _ARCH_LIST.search(text)
    if targets:
        names = " ".join(_TARGET.findall(targets[1]))
        found.add("torch_archs", names, targets.start(1))
        found.add("torch_kind", "cuda", targets.start(1))
    _read_driver(found, text)
    _read_cudnn(found, text)
    _read_build(found, text)
    return found.facts()


def _read_gpus(found: Collector, text: str) -> None:
    names: dict[str, Gpu] = {}
    for match in list(_FOUND_GPU.finditer(text))[:_MOST]:
        capability = ComputeCapability.parse(match["cc"])
        name = match["name"].strip()
        names.setdefault(name, Gpu(index=0, name=name, compute_capability=capability))
    for match in list(_NOT_COMPATIBLE.finditer(text))[:_MOST]:
        capability = ComputeCapability.from_sm(match["sm"])
        before = _NAME_BEFORE.search(text[max(0, match.start() - 80) : match.start()])
        name = (
            before[0].strip().removeprefix("UserWarning").strip(" :") if before else ""
        )
        names.setdefault(name, Gpu(index=0, name=name, compute_capability=capability))
    for index, gpu in enumerate(names.values()):
        found.gpus.append(
            Gpu(index=index, name=gpu.name, compute_capability=gpu.compute_capability)
        )


def _read_driver(found: Collector, text: str) -> None:
    code = _DRIVER_CODE.search(text)
    if code:
        spoken = CudaVersion.from_code(int(code[1]))
        found.add("libcuda_cuda", str(spoken), code.start(1))
    failed = _CODE.search(text)
    if failed:
        found.add_match("cuinit_code", failed)


def _read_cudnn(found: Collector, text: str) -> None:
    match = _CUDNN.search(text)
    if match:
        numbers = match.groups()
        found.add("torch_cudnn", ".".join(numbers[:3]), match.start())
        loaded = ".".join(numbers[3:])
        found.libraries.append(Library(name="cudnn", path="", version=loaded))


def _read_build(found: Collector, text: str) -> None:
    detected = _DETECTED.search(text)
    if detected:
        found.add_match("nvcc", detected)
        found.add_match("torch_cuda", detected, 2)
        found.add("torch_kind", "cuda", detected.start(2))
    if _CPU_BUILD in text:
        found.add("torch_kind", "cpu", text.find(_CPU_BUILD))
