"""A Python version with what stands behind it: who built it, for how many bits.

"3.8.10 (default, Mar 15 2022, 12:22:08) [GCC 9.4.0]", "3.6.10 |Anaconda, Inc.| …",
"3.10.4 | packaged by conda-forge | (main, …) [MSC v.1916 64 bit (AMD64)]"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.numbers import find_python_version

if TYPE_CHECKING:
    from fwdoctor.intake.facts import FactName

_CONDA = re.compile(
    r"anaconda|conda-forge|continuum|miniconda|\(conda\)", re.IGNORECASE
)
_BITS = re.compile(r"(32|64)[ -]?bit")
_MSC = re.compile(r"\bMSC v\.\d|\bon win32\b|\(AMD64\)")


def parse_python(text: str) -> dict[FactName, str]:
    """Version, manager, bits and operating system of a Python, as far as told."""
    facts: dict[FactName, str] = {}
    version = find_python_version(text)
    if version is None:
        return facts
    facts["python"] = version
    if _CONDA.search(text):
        facts["manager"] = "conda"
    bits = _BITS.search(text)
    if bits:
        facts["bits"] = bits[1]
    if _MSC.search(text):
        facts["os"] = "windows"
    return facts
