"""Facts that known messages establish: what their captures say of GPU, driver, build.

The catalogue names facts in its own words ("driver.cuda_code"); here each becomes a
fact of the paste. What a message *means* is the rules' business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector, Fact
from fwdoctor.model.snapshot import Gpu, Library, XidEvent
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fwdoctor.intake.catalogue import MessageMatch
    from fwdoctor.intake.facts import FactName, Facts

SOURCE = "log"
_SAME: dict[str, FactName] = {
    "driver.version": "driver",
    "driver.cuda_version": "driver_cuda",
    "driver.kernel_version": "kernel_module",
    "driver.libcuda_version": "libcuda",
    "glibc.version": "libc_version",
    "host.is_jetson": "is_tegra",
    "host.is_wsl": "is_wsl",
    "host.kernel": "kernel",
    "host.l4t_version": "tegra_release",
    "python.version": "python",
    "tensorflow.version": "tensorflow",
    "toolkit.version": "nvcc",
    "torch.arch_list": "torch_archs",
    "torch.cuda_version": "torch_cuda",
    "torch.gpu_available": "torch_gpu",
    "torch.version": "torch",
}
_MOST_GPUS = 64
_GIBIBYTE = 1024**3
_MEBIBYTE = 1024**2


def read_messages(matches: Iterable[MessageMatch]) -> Facts | None:
    """The facts that the messages of one text establish together."""
    found = Collector(SOURCE, "")
    gpus: dict[int, Gpu] = {}
    for match in matches:
        captures = dict(match.captures)
        for name, value in captures.items():
            _add(found, name, value, match.line)
        _add_init_code(found, match, captures)
        _add_gpu(gpus, captures)
        _add_cudnn(found, match.id, captures)
        _add_xid(found, match, captures)
    found.gpus = [gpu for _, gpu in sorted(gpus.items())]
    return found.facts()


def _add(found: Collector, name: str, value: str, line: int) -> None:
    same = _SAME.get(name)
    if same == "torch_gpu" and value == "false":
        found.values["torch_gpu"] = Fact(value, line)  # the failing of two answers
    elif same is not None:
        _keep(found, same, value, line)
    elif name == "driver.cuda_code" and value.isdigit():
        _keep(found, "driver_cuda", str(CudaVersion.from_code(int(value))), line)
    elif name == "env.cuda_visible_devices":
        found.env_vars.setdefault("CUDA_VISIBLE_DEVICES", value)
    elif name == "tensorflow.gpu_count":
        _keep(found, "tensorflow_gpu", "false" if value == "0" else "true", line)


def _keep(found: Collector, name: FactName, value: str, line: int) -> None:
    if value.strip():
        found.values.setdefault(name, Fact(value.strip(), line))


def _add_init_code(
    found: Collector, match: MessageMatch, captures: Mapping[str, str]
) -> None:
    """The answer of cuInit; the same number elsewhere is not one of it."""
    if not match.id.startswith("tf-cuinit"):
        return
    code = captures.get("error.code", "")
    if code.lstrip("-").isdigit():
        _keep(found, "cuinit_code", code, match.line)


def _add_gpu(gpus: dict[int, Gpu], captures: Mapping[str, str]) -> None:
    name, capability = captures.get("gpu.name"), _capability(captures)
    if name is None:
        return
    index = captures.get("gpu.index", "")
    number = int(index) if index.isdigit() else _place_of(name, gpus)
    if number not in gpus and len(gpus) < _MOST_GPUS:
        gpus[number] = Gpu(index=number, name=name, compute_capability=capability)


def _place_of(name: str, gpus: dict[int, Gpu]) -> int:
    """A message without an index may be about a GPU already named."""
    known = (index for index, gpu in gpus.items() if gpu.name == name)
    return next(known, len(gpus))


def _capability(captures: Mapping[str, str]) -> ComputeCapability | None:
    readers: tuple[tuple[str, Callable[[str], ComputeCapability]], ...] = (
        ("gpu.compute_capability", ComputeCapability.parse),
        ("gpu.sm", ComputeCapability.from_sm),
    )
    for name, read in readers:
        try:
            return read(captures[name])
        except (KeyError, ValueError):
            continue
    return None


_DIGITS = re.compile(r"\d+")


def _add_cudnn(found: Collector, message: str, captures: Mapping[str, str]) -> None:
    """Both cuDNN versions, written as "(8, 7, 0)", "8.1.0" or 8904."""
    framework = "torch" if message.startswith("torch") else "tensorflow"
    built, loaded = captures.get("cudnn.built"), captures.get("cudnn.loaded")
    if built and not message.startswith("jax"):
        name: FactName = "torch_cudnn" if framework == "torch" else "tensorflow_cudnn"
        _keep(found, name, _dotted(built), 0)
    if loaded and not found.libraries:
        version = _dotted(loaded)
        found.libraries.append(Library(name="cudnn", path="", version=version))


def _dotted(text: str) -> str:
    numbers = _DIGITS.findall(text)
    if len(numbers) == 1 and len(numbers[0]) in (4, 5):
        code = int(numbers[0])
        base = 1000 if code < 90000 else 10000
        return f"{code // base}.{code % base // 100}.{code % 100}"
    return ".".join(numbers[:4])


def _add_xid(
    found: Collector, match: MessageMatch, captures: Mapping[str, str]
) -> None:
    code = captures.get("xid.code", "")
    if not code.isdigit():
        return
    address = captures.get("gpu.pci_bus_id")
    event = XidEvent(code=int(code), pci_address=address, text=match.text)
    if event not in found.xids:
        found.xids.append(event)
