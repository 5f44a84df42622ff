"""PyTorch Lightning's environment script: a tree of bullets.

* CUDA:
        - GPU:
                - Tesla T4
        - available:         True
        - version:           11.8
* Packages:
        - torch:             2.0.1
* System:
        - OS:                Linux
        - python:            3.10.11
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
    from fwdoctor.intake.facts import Facts

SOURCE = "Lightning"
_SIGN = re.compile(r"^[ \t]{0,8}[*\u2022-] CUDA:[ \t]*$", re.MULTILINE)
_LINE = re.compile(
    r"^(?P<indent>[ \t]*)[*\u2022-][ \t]+(?P<label>[^:\n]{1,60})(?P<colon>:?)"
    r"[ \t]*(?P<value>[^\n]{0,200})$",
    re.MULTILINE,
)
_SECTIONS = ("cuda", "lightning", "packages", "system")
_MOST = 600


def parse(text: str) -> Facts | None:
    """The facts of the tree in a text."""
    start = _SIGN.search(text) if "CUDA:" in text else None
    if start is None:
        return None
    found = Collector(SOURCE, text)
    section, in_gpus = "", False
    for match in list(_LINE.finditer(text, start.start()))[:_MOST]:
        label, value = match["label"].strip().lower(), match["value"].strip()
        if label in _SECTIONS and match["colon"] and not value:
            section, in_gpus = label, False
        elif section == "cuda" and label == "gpu":
            in_gpus = True
            _add_gpu(found, value)
        elif in_gpus and not match["colon"]:
            _add_gpu(found, match["label"].strip())
        else:
            in_gpus = False
            _read(found, section, label, value, match.start("value"))
    return found.facts()


def _add_gpu(found: Collector, name: str) -> None:
    if name and name.lower() not in ("none", "n/a"):
        found.gpus.append(Gpu(index=len(found.gpus), name=name))


def _read(found: Collector, section: str, label: str, value: str, offset: int) -> None:
    if section == "cuda" and label == "available":
        flag = {"true": "true", "false": "false"}.get(value.lower())
        found.add("torch_gpu", flag, offset)
    elif section == "cuda" and label == "version":
        found.add("torch_cuda", find_cuda_version(value), offset)
        found.add("torch_kind", "cpu" if value.lower() == "none" else "cuda", offset)
    elif section == "system":
        _read_system(found, label, value, offset)
    elif section in ("packages", "lightning"):
        version = find_framework_version(value)
        if label in ("torch", "pytorch_version", "pytorch"):
            found.add("torch", version, offset)
        elif version and re.fullmatch(r"[a-z][\w.-]{1,40}", label):
            found.add_packages([package(label, version)])


def _read_system(found: Collector, label: str, value: str, offset: int) -> None:
    if label == "python":
        found.add_all(parse_python(value), offset)
    elif label in ("os", "processor", "release"):
        words = f"kernel {value}" if label == "release" else value
        found.add_all(parse_os(words), offset)
