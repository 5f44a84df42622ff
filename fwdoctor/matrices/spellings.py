"""Versions and names as people and programs write them, brought to the data's form.

`v2.5.1`, `torch==2.5.1+cu124`, `cuda-12.8`, `cu128`, `V12.4.131`, cuDNN's `8902`,
Windows' `32.0.15.6109`, Debian's `560.35.03-1ubuntu1`. What is not understood stays as
it is: the look-up says that it is unknown.
"""

from __future__ import annotations

import re

FRAMEWORK_NAMES = {
    "pytorch": "torch",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "tf": "tensorflow",
}
_TOPICS = {"drivers": "driver", "gpus": "gpu", "pair": "pairs", **FRAMEWORK_NAMES}
_RELEASE = re.compile(r"(?:[A-Za-z][\w-]*)?\s*(?:===?|=)?\s*v?(?P<version>\d\S*)")
_CUDA = re.compile(
    r"(?:cuda|release|v)?[-_ ]*v?(?P<version>\d+(?:[.,]\d+)*)(?:, .*)?", re.IGNORECASE
)
_CUDA_VARIANT = re.compile(r"cu(?P<major>\d{1,2})(?P<minor>\d)", re.IGNORECASE)
_CUDNN = re.compile(
    r"(?:lib)?(?:cudnn)?(?:\.so)?[-_. ]*v?(?P<version>\d+(?:\.\d+)*)(?:[-+].*)?",
    re.IGNORECASE,
)
_DRIVER = re.compile(
    r"(?:[a-z-]+[- ])?v?(?P<version>\d{2,4}(?:\.\d{1,3}){0,2})(?:\.x|[-+~].*)?",
    re.IGNORECASE | re.ASCII,
)
_WINDOWS_DRIVER = re.compile(r"\d{2}\.\d{1,2}\.(\d{2})\.(\d{4})", re.ASCII)
_MARKS = re.compile(r"[™®©]|\((?:tm|r|c)\)", re.IGNORECASE)
_MEMORY = re.compile(r"(?<= )(\d{1,3}) ?GI?B?\b", re.IGNORECASE)
_MOBILE = re.compile(r"\b(?:mobile|notebook|laptop)(?: gpu)?\b", re.IGNORECASE)
_CAPABILITY = re.compile(
    r"(?:sm_?|compute_?|cc ?)(?P<major>\d{1,2})\.?(?P<minor>\d)[af]?"
    r"|(?P<dotted>\d{1,2}\.\d)",
    re.IGNORECASE | re.ASCII,
)
_PCI_ID = re.compile(r"(?:10de:|0x)(?P<device>[0-9a-f]{4})", re.IGNORECASE)


def topic_name(text: str) -> str:
    """A topic by one of its names: "pytorch", "gpus" → "torch", "gpu"."""
    plain = text.strip().lower()
    return _TOPICS.get(plain, plain)


def release_version(text: str) -> str:
    """The version of a release: "v2.5.1", "torch==2.5.1+cu124" → "2.5.1"."""
    plain = text.strip().partition("+")[0].removesuffix(".*")
    found = _RELEASE.fullmatch(plain)
    return found["version"] if found else plain


def cuda_version(text: str) -> str:
    """A toolkit's version: "cuda-12.8", "cu128", "V12.8.93" → "12.8", "12.8.93"."""
    plain = text.strip()
    variant = _CUDA_VARIANT.fullmatch(plain)
    if variant:
        return f"{variant['major']}.{variant['minor']}"
    found = _CUDA.fullmatch(plain)
    return found["version"].replace(",", ".") if found else plain


def cudnn_version(text: str) -> str:
    """A cuDNN version: "v9.1", "8902" → "9.1", "8.9"."""
    found = _CUDNN.fullmatch(text.strip())
    if found is None:
        return text.strip()
    return _cudnn_of_code(found["version"]) or found["version"]


def _cudnn_of_code(text: str) -> str | None:
    """8902 is 8.9.2; from 9 on two more digits stand for the minor: 90100 is 9.1.0."""
    if not text.isdigit() or len(text) not in (4, 5, 6):
        return None
    code = int(text)
    scale = 1000 if len(text) == 4 else 10_000
    return f"{code // scale}.{code % scale // 100}"


def driver_version(text: str) -> tuple[str, str | None]:
    """A driver's version, and its system where the form of the number tells it.

    "560.35.03-1ubuntu1" → "560.35.03"; "32.0.15.6109" → ("561.09", "windows").
    """
    plain = text.strip()
    windows = _WINDOWS_DRIVER.fullmatch(plain)
    if windows:
        digits = f"{windows[1]}{windows[2]}"[-5:]
        return f"{digits[:3]}.{digits[3:]}", "windows"
    found = _DRIVER.fullmatch(plain)
    return (found["version"] if found else plain), None


def gpu_name(text: str) -> str:
    """A GPU's name without trade marks; "80G" is "80GB", "mobile" is "Laptop GPU"."""
    plain = " ".join(_MARKS.sub("", text).split())
    return _MOBILE.sub("Laptop GPU", _MEMORY.sub(r"\1GB", plain))


def compute_capability(text: str) -> str | None:
    """The compute capability in "8.9", "sm_89" or "compute_120"."""
    found = _CAPABILITY.fullmatch(text.strip())
    if found is None:
        return None
    return found["dotted"] or f"{found['major']}.{found['minor']}"


def pci_device_id(text: str) -> str | None:
    """The device id in "10de:2684" or "0x2684", as `lspci -n` writes it."""
    found = _PCI_ID.fullmatch(text.strip())
    return found["device"] if found else None
