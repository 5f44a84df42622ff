"""pip list, freeze and show, uv pip list, requirement files, poetry and pixi lists.

Package           Version            torch==2.0.1+cu117         Name: torch
----------------- -------            numpy @ file:///…          Version: 2.0.1
torch             2.0.1
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.packages import (
    normalise_name,
    package,
    parse_freeze_line,
    parse_table_line,
)
from fwdoctor.model.snapshot import Package

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "pip list"
MOST_PACKAGES = 2_000
_COMMAND = re.compile(
    r"^[^\n]{0,120}?\b(?P<tool>uv pip|pip3?(?:\.\d+)?|poetry|pixi)[ \t]+"
    r"(?:list|freeze|show)\b[^\n]{0,120}$",
    re.MULTILINE,
)
_HEADER = re.compile(r"^[ \t]*Package[ \t]+Version\b[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"[ \t]*-{3,}[ \t-]*")
_FREEZE = re.compile(
    r"^[ \t]*(?:[-*+][ \t]+)?(?=[A-Za-z0-9][^\n]{0,100}(?:==| @ ))[^\n]{3,400}$",
    re.MULTILINE,
)
_SHOW = re.compile(
    r"^[ \t]*Name: (?P<name>[\w.-]{1,60})\n[ \t]*Version: (?P<version>[\w.+!-]{1,60})$",
    re.MULTILINE,
)
# A name alone in a list that was shortened by hand: «onnxruntime-gpu».
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,30}(?:[-_][A-Za-z0-9]{1,30}){0,5}")
_LISTED_BARE = re.compile(
    r"torch.*|tensorflow.*|tf-nightly.*|onnxruntime.*|cupy.*|jax.*|nvidia-.*|keras"
)


def parse(text: str) -> Facts | None:
    """Every package that such lists in a text name."""
    found = Collector(SOURCE, text)
    if "==" in text or " @ " in text:
        for match in list(_FREEZE.finditer(text))[:MOST_PACKAGES]:
            item = parse_freeze_line(match[0].strip().lstrip("-*+ "))
            found.add_packages([item] if item else [])
    for match in list(_SHOW.finditer(text))[:100]:
        found.add_packages([package(match["name"], match["version"])])
    _read_lists(found, text)
    return found.facts()


def _read_lists(found: Collector, text: str) -> None:
    for match in list(_HEADER.finditer(text))[:20]:
        found.add_packages(_table(text, match.end(), is_strict=False))
    for match in list(_COMMAND.finditer(text))[:20]:
        tool = match["tool"]
        found.add("manager", "uv" if tool == "uv pip" else tool.rstrip("0123456789."))
        found.add_packages(_table(text, match.end(), is_strict=True))


def _table(text: str, start: int, *, is_strict: bool) -> list[Package]:
    """The packages of the lines below, up to the first that is none."""
    packages: list[Package] = []
    for line in text[start + 1 : start + 1 + 100 * MOST_PACKAGES].split("\n"):
        if _RULE.fullmatch(line) or _HEADER.fullmatch(line):
            continue
        if line.strip() == "```" and not packages:
            continue
        item = parse_freeze_line(line) or _row(line)
        if item is None and packages and not is_strict and line.strip():
            continue
        if item is None:
            break
        packages.append(item)
    return packages[:MOST_PACKAGES]


def _row(line: str) -> Package | None:
    item = parse_table_line(line)
    if item is not None:
        return item if len(line.split()) <= 6 else None
    bare = line.strip()
    name = normalise_name(bare)
    if _BARE.fullmatch(bare) and _LISTED_BARE.fullmatch(name):
        return Package(name=name, version="")
    return None
