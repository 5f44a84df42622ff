"""Version numbers inside free text: what a field such as "11.2 / 8.1" names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.intake.facts import FactName

_EDGE = r"(?<![\w.])"
# 2.0.1+cu117, 1.12.0a0+2c916ef.nv22.3, 2.5.0.dev20210106, 1.0.1.post2
_FRAMEWORK = re.compile(
    r"(?<![\w.+])v?(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?"
    r"(?:\.?(?:a|b|rc)\d{1,3})?(?:\.post\d{1,2})?(?:\.?dev\d{0,10})?"
    r"(?:\+[A-Za-z0-9]{1,20}(?:\.[A-Za-z0-9]{1,20}){0,3})?)(?:-rc\d{1,3})?(?=$|[^\w])",
)
_PYTHON = re.compile(r"(?<![\w.])([23]\.\d{1,2}(?:\.\d{1,2})?)(?![\d])")
_DRIVER = re.compile(
    r"(?<![\w.+-])(\d{3}\.\d{1,3}(?:\.\d{1,3})?)(?![\w+-]|\.\d)", re.ASCII
)
_BRANCH = re.compile(
    r"(?<![\w.+-])(\d{3})(?:\.x+)?(?:-(?:open|server))?(?![\w.+-])", re.ASCII
)
_CUDA_NAMED = re.compile(
    r"cuda(?: toolkit| runtime| version)?[ :=_-]{0,3}v?(\d{1,2}(?:\.\d{1,2}){0,2})"
    r"(?!\d)",
    re.IGNORECASE,
)
_CUDNN_NAMED = re.compile(
    r"cudnn(?: version)?[ :=_-]{0,3}v?(\d(?:\.\d{1,2}){0,3})(?!\d)", re.IGNORECASE
)
_PAIR = re.compile(
    r"^\D{0,20}?(\d{1,2}(?:\.\d{1,4}){0,2})[^/,\n]{0,16}[/,][^\d/]{0,12}"
    r"(\d(?:\.\d{1,2}){0,3})(?!\d)"
)
_NUMBER = re.compile(_EDGE + r"v?(\d{1,2}(?:\.\d{1,4}){0,3})(?!\d)")


def find_framework_version(text: str) -> str | None:
    """A version of torch or TensorFlow with its label; the last after a git tag."""
    found = _FRAMEWORK.findall(text[:200])
    if not found:
        return None
    first: str = (
        found[-1] if text.lstrip().startswith(("v", "b'v", "('v")) else found[0]
    )
    return first


def find_python_version(text: str) -> str | None:
    """A Python version: "3.8.10 (default, …)" gives 3.8.10."""
    found = _PYTHON.search(text[:200])
    return found[1] if found else None


def find_driver_version(text: str) -> str | None:
    """An NVIDIA driver version, or a branch alone such as 390."""
    text = text[:200]
    if re.search(r"\b(?:other than|not|except|unlike)\b", text):
        return None
    found = _DRIVER.search(text) or _BRANCH.search(text)
    return found[1] if found else None


def find_cuda_version(text: str) -> str | None:
    """A CUDA version as written: "10.0.130", "11", "CUDA11.0"."""
    named = _CUDA_NAMED.search(text[:200])
    if named:
        return named[1]
    found = _NUMBER.search(text[:200])
    return found[1] if found and int(found[1].partition(".")[0]) < 20 else None


def find_cudnn_version(text: str) -> str | None:
    """A cuDNN version as written: "8.0.5.39", "8", "cuDNN8"."""
    named = _CUDNN_NAMED.search(text[:200])
    if named:
        return named[1]
    found = _NUMBER.search(text[:200])
    return found[1] if found and int(found[1].partition(".")[0]) < 12 else None


def split_cuda_cudnn(text: str) -> dict[FactName, str]:
    """The two numbers of a common field: "11.2 / 8.1", "CUDA11.0/ cuDNN8"."""
    text = text[:200]
    facts: dict[FactName, str] = {}
    cuda, cudnn = _CUDA_NAMED.search(text), _CUDNN_NAMED.search(text)
    if cuda:
        facts["cuda_name"] = cuda[1]
    if cudnn:
        facts["cudnn"] = cudnn[1]
    pair = _PAIR.match(text)
    if not facts and pair:
        return {"cuda_name": pair[1], "cudnn": pair[2]}
    if not facts:
        alone = find_cuda_version(text)
        return {"cuda_name": alone} if alone else {}
    return facts
