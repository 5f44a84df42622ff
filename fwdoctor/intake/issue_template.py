"""Fields of issue forms, in bullets, headings or plain lines.

TensorFlow's three generations («CUDA/cuDNN version:», «### GPU model and memory»),
PyTorch's old bullets («How you installed PyTorch»), and the like of other projects.
What people write into them is free text; a CUDA version there has no known origin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.gpu_names import find_count, find_gpus, find_vendors
from fwdoctor.intake.labelled import LabelTable
from fwdoctor.intake.numbers import (
    find_cuda_version,
    find_cudnn_version,
    find_driver_version,
    find_framework_version,
    split_cuda_cudnn,
)
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.packages import package
from fwdoctor.intake.python_line import parse_python

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.intake.facts import FactName, Facts
    from fwdoctor.intake.labelled import Field

SOURCE = "issue form"
_TENSORFLOW_PACKAGE = re.compile(
    r"\b(tf-nightly(?:-gpu)?|nvidia-tensorflow|tensorflow-(?:gpu|cpu|macos|rocm"
    r"|directml(?:-plugin)?|aarch64|intel))\b",
    re.IGNORECASE,
)
_TRUE, _FALSE = ("true", "yes"), ("false", "no")


def _torch(found: Collector, field: Field) -> None:
    found.add("torch", find_framework_version(field.value), field.offset)


def _tensorflow(found: Collector, field: Field) -> None:
    found.add("tensorflow", find_framework_version(field.value), field.offset)
    named = _TENSORFLOW_PACKAGE.search(field.value)
    if named:
        found.add("tensorflow_package", named[1].lower(), field.offset)


def _os(found: Collector, field: Field) -> None:
    found.add_all(parse_os(field.value), field.offset)


def _libc(found: Collector, field: Field) -> None:
    number = field.value.rpartition("-")[2].strip()
    found.add_all(parse_os(f"linux glibc {number}"), field.offset)


def _python(found: Collector, field: Field) -> None:
    found.add_all(parse_python(field.value), field.offset)


def _gpu(found: Collector, field: Field) -> None:
    if found.gpus:
        return
    found.gpus.extend(find_gpus(field.value, is_field=True))
    found.vendors.extend(find_vendors(field.value))
    count = find_count(field.value)
    if count and not found.gpus:
        found.add("gpu_count", str(count), field.offset)


def _driver(found: Collector, field: Field) -> None:
    found.add("driver", find_driver_version(field.value), field.offset)


def _driver_cuda(found: Collector, field: Field) -> None:
    found.add("driver_cuda", find_cuda_version(field.value), field.offset)


def _cuda(found: Collector, field: Field) -> None:
    found.add_all(split_cuda_cudnn(field.value), field.offset)


def _cudnn(found: Collector, field: Field) -> None:
    found.add("cudnn", find_cudnn_version(field.value), field.offset)


def _nvcc(found: Collector, field: Field) -> None:
    found.add("nvcc", find_cuda_version(field.value), field.offset)


def _torch_cuda(found: Collector, field: Field) -> None:
    version = find_cuda_version(field.value)
    found.add("torch_cuda", version, field.offset)
    if version:
        found.add("torch_kind", "cuda", field.offset)
    elif field.value.lower() == "none":
        found.add("torch_kind", "cpu", field.offset)


def _flag(name: FactName) -> Callable[[Collector, Field], None]:
    def read(found: Collector, field: Field) -> None:
        word = field.value.lower().strip(".")
        if word.startswith(_TRUE):
            found.add(name, "true", field.offset)
        elif word.startswith(_FALSE):
            found.add(name, "false", field.offset)

    return read


def _tensorflow_built(found: Collector, field: Field) -> None:
    kind = {"true": "cuda", "false": "cpu"}.get(field.value.lower())
    found.add("tensorflow_kind", kind, field.offset)


_MANAGER = re.compile(r"\b(conda|mamba|pip|uv|poetry|pixi)\b", re.IGNORECASE)


def _manager(found: Collector, field: Field) -> None:
    """One that is named; a form's own list of choices names several."""
    named = {word.lower() for word in _MANAGER.findall(field.value)}
    if len(named) == 1:
        found.add("manager", named.pop(), field.offset)


def _package(name: str) -> Callable[[Collector, Field], None]:
    def read(found: Collector, field: Field) -> None:
        version = find_framework_version(field.value)
        if version:
            found.add_packages([package(name, version)])

    return read


_READERS: dict[str, Callable[[Collector, Field], None]] = {
    "pytorch version": _torch,
    "torch version": _torch,
    "torch.__version__": _torch,
    "torch": _torch,
    "pytorch": _torch,
    "tensorflow version": _tensorflow,
    "tf version": _tensorflow,
    "tf.__version__": _tensorflow,
    "tf.version.version": _tensorflow,
    "tensorflow": _tensorflow,
    "tensorflow-gpu version": _tensorflow,
    "os platform and distribution": _os,
    "os platform & distribution": _os,
    "platform and distribution": _os,
    "operating system": _os,
    "operating system / platform": _os,
    "os version": _os,
    "os": _os,
    "platform": _os,
    "linux distribution": _os,
    "distribution": _os,
    "distro": _os,
    "system": _os,
    "host os": _os,
    "how you installed pytorch": _manager,
    "tensorflow installed from": _manager,
    "installed from": _manager,
    "package manager": _manager,
    "libc": _libc,
    "glibc": _libc,
    "glibc version": _libc,
    "kernel": lambda found, field: _os(
        found, field._replace(value=f"kernel {field.value}")
    ),
    "kernel version": lambda found, field: _os(
        found, field._replace(value=f"kernel {field.value}")
    ),
    "python version": _python,
    "python": _python,
    "gpu model and memory": _gpu,
    "gpu models and configuration": _gpu,
    "gpu model": _gpu,
    "gpu type": _gpu,
    "gpu name": _gpu,
    "gpu(s)": _gpu,
    "gpus": _gpu,
    "gpu": _gpu,
    "graphics card": _gpu,
    "video card": _gpu,
    "nvidia gpu": _gpu,
    "hardware": _gpu,
    "device": _gpu,
    "device name": _gpu,
    "nvidia driver version": _driver,
    "nvidia driver": _driver,
    "gpu driver version": _driver,
    "gpu driver": _driver,
    "graphics driver": _driver,
    "driver version": _driver,
    "drivers": _driver,
    "driver": _driver,
    "cuda version (nvidia-smi)": _driver_cuda,
    "nvidia-smi cuda version": _driver_cuda,
    "cuda driver version": _driver_cuda,
    "cuda/cudnn version": _cuda,
    "cuda / cudnn version": _cuda,
    "cuda/cudnn": _cuda,
    "cuda and cudnn version": _cuda,
    "cuda & cudnn version": _cuda,
    "cuda version": _cuda,
    "cuda": _cuda,
    "cuda toolkit version": _nvcc,
    "cuda toolkit": _nvcc,
    "cuda runtime version": _nvcc,
    "nvcc version": _nvcc,
    "nvcc": _nvcc,
    "cudnn version": _cudnn,
    "cudnn": _cudnn,
    "torch.version.cuda": _torch_cuda,
    "torch cuda version": _torch_cuda,
    "pytorch cuda version": _torch_cuda,
    "torch.cuda.is_available()": _flag("torch_gpu"),
    "torch.cuda.is_available": _flag("torch_gpu"),
    "cuda available": _flag("torch_gpu"),
    "is cuda available": _flag("torch_gpu"),
    "tf.test.is_gpu_available()": _flag("tensorflow_gpu"),
    "tf.test.is_built_with_cuda()": _tensorflow_built,
    "built with cuda": _tensorflow_built,
    # the same in Chinese: system, graphics card, its model, driver, version
    "\u7cfb\u7edf": _os,
    "\u64cd\u4f5c\u7cfb\u7edf": _os,
    "\u7cfb\u7edf\u7248\u672c": _os,
    "\u663e\u5361": _gpu,
    "\u663e\u5361\u578b\u53f7": _gpu,
    "\u9a71\u52a8": _driver,
    "\u9a71\u52a8\u7248\u672c": _driver,
    "\u663e\u5361\u9a71\u52a8": _driver,
    "cuda\u7248\u672c": _cuda,
    "cudnn\u7248\u672c": _cudnn,
    "python\u7248\u672c": _python,
    "torch\u7248\u672c": _torch,
    "pytorch\u7248\u672c": _torch,
    "tensorflow\u7248\u672c": _tensorflow,
    "torchvision version": _package("torchvision"),
    "torchvision": _package("torchvision"),
    "numpy version": _package("numpy"),
    "onnxruntime-gpu version": _package("onnxruntime-gpu"),
    "keras version": _package("keras"),
    "xformers version": _package("xformers"),
    "transformers version": _package("transformers"),
}
# Labels that are common words: without a colon or a heading they begin sentences.
_NEEDS_COLON = frozenset(
    {
        *("torch", "pytorch", "tensorflow", "os", "platform", "system", "python"),
        *("gpu", "gpus", "hardware", "device", "driver", "drivers", "cuda", "cudnn"),
        *("kernel", "distribution", "distro", "glibc", "torchvision", "device name"),
        *("nvidia driver", "nvidia gpu", "graphics card", "cuda toolkit"),
    }
)
# Whose values are words; all others begin with a number, or are part of a sentence.
_OF_WORDS = (_os, _gpu, _tensorflow_built, _manager)
# Labels whose «none» and «no» are answers of a program.
_ANSWERED = frozenset(
    label
    for label in _READERS
    if label.startswith(("torch.", "tf.")) or label.endswith("available")
)
_TABLE = LabelTable(_READERS.keys() - _ANSWERED)
_ANSWERS = LabelTable(_ANSWERED, keeps_none=True)
_VERSION = re.compile(r"[^\s,;]{0,12}\d")


def parse(text: str) -> Facts | None:
    """What the fields of a form say."""
    found = Collector(SOURCE, text)
    for field in (*_TABLE.iter_fields(text), *_ANSWERS.iter_fields(text)):
        if _is_field(field):
            _READERS[field.label](found, field)
    return found.facts()


def _is_field(field: Field) -> bool:
    """Whether this is a field, and no sentence that begins with its label."""
    if field.has_colon or field.is_heading or field.label in _ANSWERED:
        return True
    if field.label in _NEEDS_COLON:
        return False
    return _READERS[field.label] in _OF_WORDS or _VERSION.match(field.value) is not None
