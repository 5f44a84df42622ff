"""`jax.print_environment_info()`, and versions of ONNX Runtime named beside it.

jax:    0.4.31
jaxlib: 0.4.31
python: 3.12.5 (main, Aug 14 2024, 05:08:31) [Clang 18.1.8]
jax.devices (1 total, 1 local): [CudaDevice(id=0)]
platform: uname_result(system='Linux', release='5.15.0-118', machine='x86_64')
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.packages import package
from fwdoctor.intake.python_line import parse_python

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "jax or ONNX Runtime"
_VERSION = re.compile(
    r"^[ \t*-]*(?P<name>jax|jaxlib|numpy|onnxruntime(?:-gpu)?)(?: version)?[ \t]*[:=]+"
    r"[ \t]*v?(?P<version>\d[\w.+]{2,30})[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_INLINE = re.compile(
    r"(?<![\w./-])(?P<name>onnxruntime(?:-gpu)?|jax(?:lib)?)(?: version)?[ =]{1,2}v?"
    r"(?P<version>\d\.\d{1,3}\.\d{1,3})(?![\w.]*\d)",
    re.IGNORECASE,
)
_PYTHON = re.compile(r"^python:[ \t]*([^\n]{3,200})", re.MULTILINE)
_UNAME = re.compile(
    r"uname_result\(system='(?P<system>\w{3,20})'[^\n]{0,200}?release='(?P<release>[^']{1,80})'"
    r"[^\n]{0,200}?machine='(?P<machine>\w{3,20})'"
)


def parse(text: str) -> Facts | None:
    """The facts of such lines in a text."""
    lower = text.lower()
    if "jax" not in lower and "onnxruntime" not in lower:
        return None
    found = Collector(SOURCE, text)
    for pattern in (_VERSION, _INLINE):
        for match in list(pattern.finditer(text))[:40]:
            found.add_packages([package(match["name"], match["version"].rstrip("."))])
    if "jaxlib" in lower:
        python = _PYTHON.search(text)
        if python:
            found.add_all(parse_python(python[1]), python.start(1))
    uname = _UNAME.search(text) if "uname_result" in text else None
    if uname:
        system, release, machine = uname["system"], uname["release"], uname["machine"]
        words = f"{system} kernel {release} {machine}"
        found.add_all(parse_os(words), uname.start())
    return found.facts()
