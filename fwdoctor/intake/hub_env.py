"""`transformers env`, `diffusers-cli env` and `accelerate env`.

- `transformers` version: 4.27.4
- Platform: Linux-5.4.0-144-generic-x86_64-with-glibc2.31
- PyTorch version (GPU?): 1.12.1+cu116 (False)
- Tensorflow version (GPU?): not installed (NA)
- Accelerator: NVIDIA GeForce RTX 3090, 24576 MiB
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.gpu_names import find_gpus, find_vendors
from fwdoctor.intake.numbers import find_framework_version
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.packages import package
from fwdoctor.intake.python_line import parse_python

if TYPE_CHECKING:
    from fwdoctor.intake.facts import FactName, Facts

SOURCE = "transformers env"
_SIGN = "(GPU?)"
_FRAMEWORK = re.compile(
    r"(?P<name>PyTorch|Tensorflow) version \(GPU\?\)[ \t]*:[ \t]*"
    r"(?P<value>[^\n]{1,100})",
    re.IGNORECASE,
)
_FLAG = re.compile(r"\((True|False)\)", re.IGNORECASE)
_FIELD = re.compile(
    r"^[ \t]*[-*][ \t]+(?P<label>Platform|Python version|Accelerator|GPU type"
    r"|CUDA device|Numpy version|xFormers version|PyTorch XPU available)[ \t]*:[ \t]*"
    r"(?P<value>[^\n]{1,200})",
    re.MULTILINE | re.IGNORECASE,
)


def parse(text: str) -> Facts | None:
    """The facts of such a list in a text."""
    if _SIGN not in text:
        return None
    found = Collector(SOURCE, text)
    for match in list(_FRAMEWORK.finditer(text))[:10]:
        is_torch = match["name"].lower() == "pytorch"
        name: FactName = "torch" if is_torch else "tensorflow"
        found.add(name, find_framework_version(match["value"]), match.start("value"))
        flag = _FLAG.search(match["value"])
        usable: FactName = "torch_gpu" if is_torch else "tensorflow_gpu"
        if flag:
            found.add(usable, flag[1].lower(), match.start("value"))
    for match in list(_FIELD.finditer(text))[:40]:
        _read(found, match["label"].lower(), match["value"].strip(), match.start())
    return found.facts()


def _read(found: Collector, label: str, value: str, offset: int) -> None:
    if label == "platform":
        found.add_all(parse_os(value), offset)
    elif label == "python version":
        found.add_all(parse_python(value), offset)
    elif label in ("numpy version", "xformers version"):
        version = find_framework_version(value)
        name = label.partition(" ")[0]
        found.add_packages([package(name, version)] if version else [])
    elif label in ("accelerator", "gpu type", "cuda device") and not found.gpus:
        found.gpus.extend(find_gpus(value, is_field=True))
        found.vendors.extend(find_vendors(value))
