"""Environment variables as shells, Dockerfiles and Python set them, or print them.

export CUDA_VISIBLE_DEVICES=1    set TF_CPP_MIN_LOG_LEVEL=3    ENV CUDA_HOME=/opt/cuda
$env:CUDA_VISIBLE_DEVICES = "0"    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.probes.env_vars import is_allowed
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "variables"
_MOST = 200
_NAME = r"(?P<name>[A-Z][A-Z0-9_]{3,40})"
_SET = re.compile(
    r"^[ \t]*(?:[$#>%!][ \t]*)?(?P<word>(?:export|set|setx|ENV|declare -x)[ \t]+"
    r"|\$env:)?"
    rf"{_NAME}[ \t]?=[ \t]?(?P<value>[^\n]{{0,2000}})$",
    re.MULTILINE,
)
_SHOWN = re.compile(
    rf"echo[ \t]+\${{?{_NAME}}}?[ \t]*\n(?P<value>[/\d-][^\n]{{0,2000}})$", re.MULTILINE
)
_INLINE = re.compile(
    r"(?<![\w$])(?P<name>CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES|NVIDIA_DRIVER_CAPABILITIES"
    r"|LD_LIBRARY_PATH|CUDA_HOME|XLA_FLAGS|LD_PRELOAD)=(?P<value>\"[^\"\n]{0,400}\""
    r"|'[^'\n]{0,400}'|[^\s`,;]{0,400})"
)
_PYTHON = re.compile(
    r"environ(?:\[|\.setdefault\()[ ]?['\"](?P<name>[A-Z][A-Z0-9_]{3,40})['\"][ ]?"
    r"(?:\][ ]?=|,)[ ]?['\"](?P<value>[^'\"\n]{0,400})['\"]"
)
_LOADER = re.compile(r"; LD_LIBRARY_PATH: (?P<value>[^\s;]{1,2000})")
_QUOTES = "\"'"


def parse(text: str) -> Facts | None:
    """The allowed variables a text sets or shows; the last setting counts."""
    if "=" not in text and "LD_LIBRARY_PATH" not in text and "echo" not in text:
        return None
    found = Collector(SOURCE, text)
    for pattern in (_INLINE, _PYTHON, _SHOWN):
        for match in list(pattern.finditer(text))[:_MOST]:
            _add(found, match["name"], match["value"])
    for match in list(_SET.finditer(text))[:_MOST]:
        _add(found, match["name"], _value(match))
    loader = _LOADER.search(text)
    if loader and "LD_LIBRARY_PATH" not in found.env_vars:
        _add(found, "LD_LIBRARY_PATH", loader["value"])
    home = found.env_vars.get("CUDA_HOME")
    found.add("cuda_home", home)
    return found.facts()


def _value(match: re.Match[str]) -> str:
    """Before a command («A=1 python x.py») the value ends at the first blank."""
    value = match["value"].strip()
    is_quoted = value[:1] in _QUOTES
    return value if match["word"] or is_quoted else value.partition(" ")[0]


def _add(found: Collector, name: str, value: str) -> None:
    if is_allowed(name):
        plain = value.strip().strip("`").strip(_QUOTES).strip()
        found.env_vars[name] = redact(plain, home=None, user=None)
