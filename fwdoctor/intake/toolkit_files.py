"""The toolkit's and cuDNN's own words for their versions.

Cuda compilation tools, release 10.1, V10.1.243            nvcc --version
CUDA Version 10.1.243                                      cat version.txt
#define CUDNN_MAJOR 7                                      cudnn_version.h
libcudnn.so.8 -> libcudnn.so.8.0.5                         ls -l
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.model.snapshot import Library

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "toolkit"
_NVCC = re.compile(
    r"Cuda compilation tools,? release (\d{1,2}\.\d{1,2})(?:,? V(\d{1,2}"
    r"(?:\.\d{1,4}){2}))?"
)
_VERSION_FILE = re.compile(
    r"^[ \t]*CUDA Version (\d{1,2}\.\d{1,2}\.\d{1,4})[ \t]*$", re.MULTILINE
)
_JSON = re.compile(
    r"\"cuda\"[ ]?:[ ]?\{\s{0,8}\"name\"[^}]{0,80}\"version\"[ ]?:[ ]?\""
    r"(\d{1,2}\.[\d.]{1,8})\""
)
_MACRO = re.compile(r"#define[ \t]+CUDNN_(MAJOR|MINOR|PATCHLEVEL)[ \t]+(\d{1,2})\b")
_LINK = re.compile(
    r"(?P<path>(?:/[\w.+-]{1,60}){0,8}/?libcudnn\.so\.(?P<version>\d\.\d{1,2}\.\d{1,2}))"
)


def parse(text: str) -> Facts | None:
    """The facts of such lines in a text."""
    found = Collector(SOURCE, text)
    if "ompilation tools" in text:
        nvcc = _NVCC.search(text)
        found.add_match("nvcc", nvcc, 2 if nvcc and nvcc[2] else 1)
    if "CUDA Version " in text:
        found.add_match("nvcc", _VERSION_FILE.search(text))
    if '"cuda"' in text:
        found.add_match("nvcc", _JSON.search(text))
    if "CUDNN_MAJOR" in text:
        numbers = dict(_MACRO.findall(text))
        parts = [numbers.get(key) for key in ("MAJOR", "MINOR", "PATCHLEVEL")]
        known = [part for part in parts if part]
        found.add("cudnn", ".".join(known), text.find("CUDNN_MAJOR"))
    link = _LINK.search(text) if "libcudnn.so." in text else None
    if link:
        found.libraries.append(
            Library(name="cudnn", path=link["path"], version=link["version"])
        )
    return found.facts()
