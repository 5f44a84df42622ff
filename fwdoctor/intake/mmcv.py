"""The environment tables of detectron2 and of mmcv's family, and mmcv's as a dict.

sys.platform            linux          {'sys.platform': 'linux', 'CUDA available': True,
PyTorch                 1.5.0 @/opt     'GPU 0,1': 'GeForce GTX 1060', 'CUDA_HOME': …,
GPU 0,1                 GeForce GTX     'PyTorch': '1.11.0+cu113', 'MMCV': '1.5.0'}
PyTorch built with:
  - CUDA Runtime 10.2
  - NVCC architecture flags: -gencode;arch=compute_37,code=sm_37;…
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.numbers import find_cuda_version, find_framework_version
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.packages import package
from fwdoctor.intake.python_line import parse_python
from fwdoctor.model.snapshot import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.intake.facts import Facts

SOURCE = "mmcv or detectron2"
_SIGNS = ("sys.platform", "PyTorch built with", "PyTorch compiling details")
_FIELD = re.compile(
    r"(?:^[ \t|]{0,8}|['\"])(?P<label>sys\.platform|Python|CUDA available"
    r"|GPU available|GPU \d[\d,]{0,40}|CUDA_HOME|NVCC|CUDA compiler|GCC|PyTorch"
    r"|TorchVision|torchvision|numpy|MMCV|mmcv|MMDetection|detectron2|Pillow)['\"]?"
    r"(?:[ \t]*:[ \t]*|[ \t]{2,60})['\"]?(?P<value>[^\n'\"{}]{1,200})",
    re.MULTILINE,
)
_RUNTIME = re.compile(r"CUDA Runtime (\d{1,2}\.\d{1,2})")
_CUDNN = re.compile(r"CuDNN (\d(?:\.\d{1,2}){0,2})")
_FLAGS = re.compile(r"NVCC architecture flags:[ \t]{0,4}(?P<flags>[^\n]{1,1500})")
_TARGET = re.compile(r"code=((?:sm|compute)_\d{2,3}[af]?)")
_NOTHING = ("", "none", "not found", "n/a")
_INDEX = re.compile(r"\d{1,2}")
_DECORATION = re.compile(r"[ \t]*(?:\(arch=[\d.,]{1,20}\)|@.*)")


def parse(text: str) -> Facts | None:
    """The facts of the table or dict in a text."""
    if not any(sign in text for sign in _SIGNS):
        return None
    found = Collector(SOURCE, text)
    for match in list(_FIELD.finditer(text))[:200]:
        label, value = match["label"], _DECORATION.sub("", match["value"]).strip()
        if label.startswith("GPU ") and label[4].isdigit():
            _add_gpus(found, label, value)
        elif label in _READERS and value.lower() not in _NOTHING:
            _READERS[label](found, value, match.start("value"))
    _read_build(found, text)
    return found.facts()


def _read_build(found: Collector, text: str) -> None:
    runtime = _RUNTIME.search(text)
    if runtime:
        found.add_match("torch_cuda", runtime)
        found.add("torch_kind", "cuda", runtime.start())
        found.add_match("torch_cudnn", _CUDNN.search(text, runtime.end()))
    flags = _FLAGS.search(text)
    if flags:
        found.add(
            "torch_archs", " ".join(_TARGET.findall(flags["flags"])), flags.start()
        )


def _add_gpus(found: Collector, label: str, value: str) -> None:
    """«GPU 0,1,2» is three of a kind."""
    for index in _INDEX.findall(label)[:64]:
        found.gpus.append(Gpu(index=int(index), name=value))
    found.gpus.sort(key=lambda gpu: gpu.index)


def _flag(found: Collector, value: str, offset: int) -> None:
    flag = {"true": "true", "false": "false"}.get(
        value.split(maxsplit=1)[0].lower().strip(",")
    )
    found.add("torch_gpu", flag, offset)


def _listed(name: str) -> Callable[[Collector, str, int], None]:
    def read(found: Collector, value: str, offset: int) -> None:
        del offset
        version = find_framework_version(value)
        found.add_packages([package(name, version)] if version else [])

    return read


def _compiler(found: Collector, value: str, offset: int) -> None:
    found.add("nvcc", find_cuda_version(value.rpartition("V")[2]), offset)


def _home(found: Collector, value: str, offset: int) -> None:
    found.add("cuda_home", value if "/" in value or "\\" in value else None, offset)


_READERS: dict[str, Callable[[Collector, str, int], None]] = {
    "sys.platform": lambda found, value, offset: found.add_all(
        parse_os({"win32": "Windows"}.get(value, value)), offset
    ),
    "Python": lambda found, value, offset: found.add_all(parse_python(value), offset),
    "PyTorch": lambda found, value, offset: found.add(
        "torch", find_framework_version(value), offset
    ),
    "CUDA available": _flag,
    "GPU available": _flag,
    "CUDA_HOME": _home,
    "NVCC": _compiler,
    "TorchVision": _listed("torchvision"),
    "torchvision": _listed("torchvision"),
    "numpy": _listed("numpy"),
    "MMCV": _listed("mmcv"),
    "mmcv": _listed("mmcv"),
    "detectron2": _listed("detectron2"),
}
