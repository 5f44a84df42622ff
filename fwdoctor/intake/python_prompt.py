"""Answers of a Python prompt, or of `python -c`, about frameworks and GPU.

>>> torch.__version__        $ python -c "import torch; print(torch.version.cuda)"
'1.9.0+cu111'                11.1
>>> torch.cuda.get_device_capability()
(8, 6)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.gpu_names import find_vendors
from fwdoctor.model.snapshot import Gpu
from fwdoctor.versions import ComputeCapability

if TYPE_CHECKING:
    from fwdoctor.intake.facts import FactName, Facts

SOURCE = "Python prompt"
# What may stand between the question and its answer: brackets, quotes, a new line.
_ANSWER = r"[\"')\]; \t]{0,8}(?:\n[ \t]{0,8}(?:Out\[\d{1,4}\]:[ ])?)['\"(]{0,2}"
_VERSION = r"(?P<value>\d{1,2}\.\d{1,2}[\w.+]{0,40})"
_PATTERNS: tuple[tuple[FactName, re.Pattern[str]], ...] = (
    ("torch", re.compile(rf"torch\.__version__{_ANSWER}{_VERSION}")),
    ("torch_cuda", re.compile(rf"torch\.version\.cuda{_ANSWER}{_VERSION}")),
    ("tensorflow", re.compile(rf"(?:tf|tensorflow)\.__version__{_ANSWER}{_VERSION}")),
)
_NO_CUDA = re.compile(rf"torch\.version\.cuda{_ANSWER}(?:None|>>>)")
_IS_BUILT = re.compile(rf"is_built_with_cuda\(\){_ANSWER}(?P<value>True|False)")
_TF_GPU = re.compile(
    rf"is_gpu_available\([^()\n]{{0,60}}\){_ANSWER}(?P<value>True|False)"
)
_CUDNN = re.compile(rf"cudnn\.version\(\){_ANSWER}(?P<value>\d{{4,5}})\b")
_NAME = re.compile(
    rf"get_device_name\([\w ]{{0,10}}\){_ANSWER}(?P<value>[A-Za-z][^'\"\n]{{2,60}})"
)
_CAPABILITY = re.compile(
    rf"get_device_capability\([\w ]{{0,10}}\){_ANSWER}(?P<value>\d{{1,2}}, ?\d)\)"
)


def parse(text: str) -> Facts | None:
    """The facts of questions and answers in a text."""
    if not any(sign in text for sign in ("__version__", "torch.", "tf.")):
        return None
    found = Collector(SOURCE, text)
    for name, pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            found.add(name, match["value"].rstrip("."), match.start("value"))
    if "torch_cuda" in found.values:
        found.add("torch_kind", "cuda")
    elif no_cuda := _NO_CUDA.search(text):
        found.add("torch_kind", "cpu", no_cuda.start())
    built, usable = _IS_BUILT.search(text), _TF_GPU.search(text)
    if built:
        kind = "cuda" if built["value"] == "True" else "cpu"
        found.add("tensorflow_kind", kind, built.start())
    if usable:
        found.add("tensorflow_gpu", usable["value"].lower(), usable.start())
    _read_cudnn(found, text)
    _read_gpu(found, text)
    return found.facts()


def _read_cudnn(found: Collector, text: str) -> None:
    """8005 is 8.0.5, 90100 is 9.1.0."""
    match = _CUDNN.search(text)
    if match:
        code = int(match["value"])
        base = 1000 if code < 10_000 else 10_000
        version = f"{code // base}.{code % base // 100}.{code % 100}"
        found.add("torch_cudnn", version, match.start())


def _read_gpu(found: Collector, text: str) -> None:
    name, capability = _NAME.search(text), _CAPABILITY.search(text)
    if name and find_vendors(name["value"]):
        found.vendors.extend(find_vendors(name["value"]))
    elif name or capability:
        number = (
            capability["value"].replace(" ", "").replace(",", ".") if capability else ""
        )
        found.gpus.append(
            Gpu(
                index=0,
                name=name["value"].strip() if name else None,
                compute_capability=ComputeCapability.parse(number) if number else None,
            )
        )
