"""What TensorFlow's own log lines tell, from 1.x to today.

    Created TensorFlow device (/job:…/device:GPU:0 with 7007 MB memory) -> physical GPU
        (device: 0, name: GeForce RTX 3070, …, compute capability: 8.6)
    libcuda reported version is: 450.142.0
    kernel version 384.90.0 does not match DSO version 384.111.0
    failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected
    Loaded runtime CuDNN library: 8.0.5 but source was compiled with: 8.1.0.

Source paths and time stamps changed four times, so only the messages are looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.model.snapshot import Gpu, Library
from fwdoctor.versions import ComputeCapability

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "TensorFlow log"
_MOST = 64
_DEVICE = re.compile(
    r"device: (?P<index>\d{1,3}), name: (?P<name>[^,\n]{1,80}?),? "
    r"(?:pci bus id: (?P<pci>[0-9a-fA-F:.]{4,20})[,;]? ?)?"
    r"(?:compute capability: (?P<cc>\d{1,2}\.\d))",
)
_FOUND = re.compile(
    r"Found device (?P<index>\d{1,3}) with properties:\s{1,4}"
    r"(?:pciBusID: (?P<pci>[0-9a-fA-F:.]{4,20})\s{1,4})?name: (?P<name>[^\n]{1,80}?)"
    r"\s{1,4}(?:computeCapability: (?P<cc>\d{1,2}\.\d)|major: (?P<major>\d{1,2})"
    r" minor: (?P<minor>\d))"
)
_EXECUTOR = re.compile(
    r"StreamExecutor device \((?P<index>\d{1,3})\): (?P<name>[^\n,]{1,80}), "
    r"Compute Capability (?P<cc>\d{1,2}\.\d)"
)
_PLUGGABLE = "PluggableDevice"
_LIBCUDA = re.compile(r"libcuda reported version is: (\d{3}[\d.]{1,10})")
_KERNEL = re.compile(r"kernel reported version is: (\d{3}[\d.]{1,10})")
_DSO = re.compile(
    r"kernel version (\d{3}[\d.]{1,10}) does not match DSO version (\d{3}[\d.]{1,10})"
)
_CUINIT = re.compile(
    r"failed call to cuInit: (?:UNKNOWN ERROR \((-?\d{1,4})\)|CUresult\((-?\d{1,4})\)"
    r"|(CUDA_ERROR_\w{3,40})|(UNKNOWN ERROR|INTERNAL))"
)
_CUDNN = re.compile(
    r"Loaded runtime CuDNN library: (\d[\d.]{0,10}?\d?)"
    r"(?: \([^)\n]{0,60}\))? but source was"
    r" compiled with:? (\d[\d.]{0,10}\d)"
)
# Names with the minor version in them: since CUDA 11 there is none to be read there.
_CUDART = re.compile(r"libcudart\.so\.((?:[89]|10)\.\d)\b|cudart64_((?:8|9|10)\d)\.dll")
_GPUS_SEEN = re.compile(
    r"PhysicalDevice\(name='/physical_device:GPU:\d|/device:GPU:\d{1,2} with \d"
    r"|Num GPUs Available: {1,3}[1-9]"
)
_NO_GPU_SEEN = re.compile(
    r"Num GPUs Available: {1,3}0\b|Skipping registering GPU devices"
    r"|list_physical_devices\(['\"]GPU['\"]\)[ \t]{0,4}(?:->|=|:|#)?[ \t\n]{0,4}\[\]"
    r"|\[PhysicalDevice\(name='/physical_device:CPU:0', device_type='CPU'\)\]"
)
_TOO_NEW = re.compile(
    r"CUDA kernel binaries compatible with compute capability (\d{1,2}\.\d)"
)
_VERSION = re.compile(
    r"(?<![\w.])v\d\.\d{1,2}\.\d-(?:rc\d-)?\d{1,6}-g[0-9a-f]{7,12}[ ,'\"]{1,4}"
    r"(\d\.\d{1,2}\.\d[\w.]{0,8})"
)
_NODE = re.compile(r"no NVIDIA GPU device is present: (/dev/nvidia\d) does not exist")
_SIGNS = (
    "device",
    "cuInit",
    "reported version",
    "DSO version",
    "CuDNN library",
    "cudart",
    "Num GPUs",
    "compute capability",
    "-g",
)


def parse(text: str) -> Facts | None:
    """The facts of TensorFlow's lines in a text."""
    if not any(sign in text for sign in _SIGNS):
        return None
    found = Collector(SOURCE, text)
    _read_gpus(found, text)
    _read_driver(found, text)
    _read_libraries(found, text)
    seen, unseen = _GPUS_SEEN.search(text), _NO_GPU_SEEN.search(text)
    if seen and _PLUGGABLE not in text:
        found.add("tensorflow_gpu", "true", seen.start())
    elif unseen and not seen:
        found.add("tensorflow_gpu", "false", unseen.start())
    if "-g" in text:
        found.add_match("tensorflow", _VERSION.search(text))
    return found.facts()


def _read_gpus(found: Collector, text: str) -> None:
    gpus: dict[int, Gpu] = {}
    for pattern in (_DEVICE, _FOUND, _EXECUTOR):
        for match in list(pattern.finditer(text))[:_MOST]:
            gpu = _gpu(match)
            gpus.setdefault(gpu.index, gpu)
    found.gpus.extend(gpus[index] for index in sorted(gpus))
    jit = _TOO_NEW.search(text)
    if jit and not gpus:
        capability = ComputeCapability.parse(jit[1])
        found.gpus.append(Gpu(index=0, compute_capability=capability))


def _gpu(match: re.Match[str]) -> Gpu:
    groups = match.groupdict()
    number = groups.get("cc") or f"{groups['major']}.{groups['minor']}"
    return Gpu(
        index=int(match["index"]),
        name=match["name"].strip(),
        pci_address=(groups.get("pci") or "").lower() or None,
        compute_capability=ComputeCapability.parse(number),
    )


def _read_driver(found: Collector, text: str) -> None:
    found.add("libcuda", _plain(_LIBCUDA.search(text)), 0)
    found.add("kernel_module", _plain(_KERNEL.search(text)), 0)
    dso = _DSO.search(text)
    if dso:
        found.add("kernel_module", _plain(dso), dso.start())
        found.add("libcuda", _plain(dso, 2), dso.start())
    failed = _CUINIT.search(text)
    if failed:
        code = next((group for group in failed.groups() if group), None)
        found.add("cuinit_code", code, failed.start())
    found.add_match("missing_node", _NODE.search(text))


def _plain(match: re.Match[str] | None, group: int = 1) -> str | None:
    """TensorFlow prints 450.66 as 450.66.0, and 470.182.03 as 470.182.3."""
    if match is None:
        return None
    text = match[group].rstrip(".")
    return text.removesuffix(".0") if text.count(".") == 2 else text


def _read_libraries(found: Collector, text: str) -> None:
    cudnn = _CUDNN.search(text)
    if cudnn:
        found.add("tensorflow_cudnn", cudnn[2], cudnn.start(2))
        found.libraries.append(Library(name="cudnn", path="", version=cudnn[1]))
    cudart = _CUDART.search(text)
    if cudart:
        digits = cudart[2] or ""
        version = cudart[1] or f"{digits[:-1]}.{digits[-1:]}"
        found.add("tensorflow_cuda", version, cudart.start())
        found.add("tensorflow_kind", "cuda", cudart.start())
