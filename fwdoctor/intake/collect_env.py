"""PyTorch's `collect_env` in its four generations, and vLLM's version of it.

PyTorch version: 1.3.0                       PyTorch version              : 2.6.0+cu124
CUDA used to build PyTorch: 10.1.243         Is CUDA available            : True
OS: Debian GNU/Linux 9.11 (stretch)          GPU models and configuration : GPU 0: …
[pip3] torch==1.2.0                          [conda] pytorch 1.3.0 py3.7_cuda10.1_0

«None» is an answer: built without CUDA. «Could not collect» for the build's CUDA is
the same answer of a machine that has CUDA things. «N/A»: torch did not import.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.gpu_names import find_gpus, find_vendors
from fwdoctor.intake.labelled import LabelTable
from fwdoctor.intake.numbers import (
    find_driver_version,
    find_framework_version,
)
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.packages import parse_conda_line, parse_freeze_line
from fwdoctor.intake.python_line import parse_python
from fwdoctor.model.snapshot import Gpu, Library

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts
    from fwdoctor.intake.labelled import Field

SOURCE = "collect_env"
# Words that no other format has; one of them is enough.
_SIGNS = (
    "cuda used to build pytorch",
    "is cuda available",
    "gpu models and configuration",
    "versions of relevant libraries",
    "collecting environment information",
    "is debug build",
)
_LABELS = LabelTable(
    (
        *("PyTorch version", "CUDA used to build PyTorch", "Is CUDA available", "OS"),
        *("ROCM used to build PyTorch", "GCC version", "Libc version", "CMake version"),
        *("Python version", "Python platform", "CUDA runtime version", "cuDNN version"),
        *("Nvidia driver version", "GPU models and configuration", "Is XPU available"),
        *("HIP runtime version", "Model name", "Architecture"),
    ),
    keeps_none=True,
)
# Values that mean «not established», in the field's own words.
_UNKNOWN = ("could not collect", "n/a", "no cuda", "not found")
_GPU_LINE = re.compile(
    r"^[ \t]*(?:GPU models and configuration[ \t]*:?[ \t]*)?GPU (\d{1,3})[ \t]*:[ \t]*"
    r"([^\n]{1,160})",
    re.MULTILINE | re.IGNORECASE,
)
_UUID = re.compile(r"[ \t]*\(UUID:.*")
_PIP = re.compile(r"^[ \t]*\[pip3?\][ \t]*([^\n]{1,200})", re.MULTILINE)
_CONDA = re.compile(r"^[ \t]*\[conda\][ \t]*([^\n]{1,200})", re.MULTILINE)
_CUDNN_FILE = re.compile(
    r"(?:[A-Za-z]:\\|/)[^\n]{0,200}?cudnn[A-Za-z_]{0,24}(?:\.so\.|64_)(\d{1,2}(?:\.\d{1,3}){0,3})[^\n]{0,20}"
)
_GCC = re.compile(r"(?<!\d)(\d{1,2}\.\d{1,2}\.\d{1,2})(?!\d)")
_UBUNTU_BUILD = re.compile(r"ubuntu\d{0,2}~(\d{2}\.\d{2})")  # 9.4.0-1ubuntu1~20.04.1


def parse(text: str) -> Facts | None:
    """The facts of the first collect_env report in a text."""
    lower = text.lower()
    starts = [at for sign in _SIGNS if (at := lower.find(sign)) >= 0]
    if not starts:
        return None
    found = Collector(SOURCE, text)
    start = lower.rfind("pytorch version", 0, min(starts))
    start = max(0, start if start >= 0 else min(starts) - 1)
    fields = {field.label: field for field in _iter_fields(text, start)}
    _read_torch(found, fields)
    _read_host(found, fields)
    _read_driver(found, fields)
    _read_gpus(found, text)
    _read_packages(found, text)
    return found.facts()


def _iter_fields(text: str, start: int) -> list[Field]:
    """The fields from `start` on, the first of each label last, so that it counts."""
    line = text.rfind("\n", 0, start) + 1
    shifted = [
        field._replace(offset=field.offset + line)
        for field in _LABELS.iter_fields(text[line:])
    ]
    return shifted[::-1]


def _known(fields: dict[str, Field], label: str) -> Field | None:
    field = fields.get(label)
    if field is None or field.value.lower().startswith(_UNKNOWN):
        return None
    return field


def _read_torch(found: Collector, fields: dict[str, Field]) -> None:
    torch = _known(fields, "pytorch version")
    if torch:
        found.add("torch", find_framework_version(torch.value), torch.offset)
    available = fields.get("is cuda available")
    if available and available.value.lower() in ("yes", "true", "1"):
        found.add("torch_gpu", "true", available.offset)
    elif available and available.value.lower() in ("no", "false", "0"):
        found.add("torch_gpu", "false", available.offset)
    _read_build(found, fields)


def _read_build(found: Collector, fields: dict[str, Field]) -> None:
    rocm = _known(fields, "rocm used to build pytorch")
    built = fields.get("cuda used to build pytorch")
    if rocm and rocm.value[:1].isdigit():
        found.add("torch_kind", "rocm", rocm.offset)
    if built is None:
        return
    if built.value[:1].isdigit():
        found.add("torch_cuda", built.value.split()[0], built.offset)
        found.add("torch_kind", "cuda", built.offset)
    elif built.value.lower() == "none" and "torch_kind" not in found.values:
        found.add("torch_kind", "cpu", built.offset)
    elif built.value.lower() == "could not collect":
        found.add("torch_build_unknown", "true", built.offset)


def _read_host(found: Collector, fields: dict[str, Field]) -> None:
    libc, gcc = _known(fields, "libc version"), _known(fields, "gcc version")
    if libc:  # before the platform, which names the glibc Python was built for
        found.add_all(parse_os(f"linux {libc.value}"), libc.offset)
    for label in ("os", "python platform"):
        field = _known(fields, label)
        if field:
            found.add_all(parse_os(field.value), field.offset)
    if gcc:
        found.add_match("gcc", _GCC.search(gcc.value))
        release = _UBUNTU_BUILD.search(gcc.value)
        if release:
            found.add_all({"os": "linux", "distribution": f"Ubuntu {release[1]}"})
    python = _known(fields, "python version")
    if python:
        found.add_all(parse_python(python.value), python.offset)
    architecture = _known(fields, "architecture")
    if architecture:
        found.add_all(parse_os(architecture.value), architecture.offset)


def _read_driver(found: Collector, fields: dict[str, Field]) -> None:
    driver = _known(fields, "nvidia driver version")
    if driver:
        found.add("driver", find_driver_version(driver.value), driver.offset)
    runtime = _known(fields, "cuda runtime version")
    if runtime and runtime.value[:1].isdigit():
        found.add("nvcc", runtime.value.split()[0], runtime.offset)
    for match in _CUDNN_FILE.finditer(found.text):
        found.libraries.append(
            Library(name="cudnn", path=match[0].strip(), version=match[1])
        )
    cudnn = _known(fields, "cudnn version")
    if cudnn and cudnn.value[:1].isdigit():
        found.add("cudnn", cudnn.value.split()[0], cudnn.offset)


def _read_gpus(found: Collector, text: str) -> None:
    names: dict[int, str] = {}
    for match in _GPU_LINE.finditer(text):
        name = _UUID.sub("", match[2]).strip()
        if not name.lower().startswith(_UNKNOWN):
            names.setdefault(int(match[1]), name)
    for index, name in sorted(names.items()):
        if find_vendors(name) and not find_gpus(name, is_field=True):
            found.vendors.extend(find_vendors(name))
        else:
            found.gpus.append(Gpu(index=index, name=name))


def _read_packages(found: Collector, text: str) -> None:
    for match in _PIP.finditer(text):
        package = parse_freeze_line(match[1])
        found.add_packages([package] if package else [])
    for match in _CONDA.finditer(text):
        package = parse_conda_line(match[1])
        found.add_packages([package] if package else [])
