"""Lists of installed packages: pip list, pip freeze, conda list, environment files.

A list is found by its command, its header, or several lines of its form in a row; one
line alone may be prose («I tried torch==1.13.1»), unless it is a whole line `a==1.2`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.packages import (
    package,
    parse_conda_line,
    parse_freeze_line,
    parse_table_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwdoctor.intake.facts import Facts
    from fwdoctor.model.snapshot import Package

PIP: Final = "pip"
CONDA: Final = "conda"
_MOST_LINES = 4_000
_LINE_LIMIT = 300
_PROMPT = r"^[ \t]*(?:\([\w.-]{1,40}\)[ \t]*)?(?:[^\n$#%>]{0,80}[$#%>][ \t]*|!|\$ ?)?"
_PIP_COMMAND = re.compile(
    _PROMPT
    + r"(?:\w[\w/.-]{0,60} -m )?(?:uv )?pip[\d.]{0,4}[ \t]+(?:list|freeze)\b[^\n]*$",
    re.MULTILINE,
)
_CONDA_COMMAND = re.compile(
    _PROMPT + r"(?:conda|mamba|micromamba)[ \t]+list\b[^\n]*$", re.MULTILINE
)
_PIP_HEAD = re.compile(
    r"^[ \t|]*Package[ \t|]+Version(?:[ \t|]+[^\n]{0,80})?$", re.MULTILINE
)
_CONDA_HEAD = re.compile(
    r"^# (?:Name|packages in environment)[^\n]{0,200}$", re.MULTILINE
)
_RULE = re.compile(r"[-\s|+]*")
_FREEZE_LINE = re.compile(
    r"^[ \t]*(?:[-*+][ \t]{1,3})?([A-Za-z0-9][\w.-]{0,60}(?:\[[^\]\n]{0,60}\])?==\d[^\s;,'\"]{0,60})[ \t]*$",
    re.MULTILINE,
)
_DIRECT_LINE = re.compile(
    r"^[ \t]*[A-Za-z0-9][\w.-]{0,60} @ (?:https?|file)://[^\s]{1,400}\.whl[^\s]{0,120}$",
    re.MULTILINE,
)
_BARE = re.compile(r"[ \t]*([a-z][a-z0-9]*(?:[-_][a-z0-9]+){0,6})[ \t]*")


def parse_pip(text: str) -> Facts | None:
    """Packages that pip or uv lists."""
    found = Collector(PIP, text)
    for pattern in (_PIP_COMMAND, _PIP_HEAD):
        for match in pattern.finditer(text):
            rows = _iter_rows(text, match.end())
            found.add_packages(_iter_packages(rows, _parse_pip_row))
    if "==" in text:
        for match in _FREEZE_LINE.finditer(text):
            known = parse_freeze_line(match[1])
            found.add_packages([known] if known else [])
    if " @ " in text:
        for match in _DIRECT_LINE.finditer(text):
            known = parse_freeze_line(match[0])
            found.add_packages([known] if known else [])
    return found.facts()


def parse_conda(text: str) -> Facts | None:
    """Packages that conda lists, those of pip among them."""
    found = Collector(CONDA, text)
    for pattern in (_CONDA_COMMAND, _CONDA_HEAD):
        for match in pattern.finditer(text):
            rows = _iter_rows(text, match.end())
            found.add_packages(_iter_packages(rows, parse_conda_line))
    if found.packages:
        found.add("manager", "conda")
    return found.facts()


def _iter_rows(text: str, start: int) -> Iterator[str]:
    """The lines after a command or header."""
    lines = text[start : start + _MOST_LINES * 100].split("\n", _MOST_LINES)
    for line in lines[1:]:
        yield line[:_LINE_LIMIT].replace("|", " ")


def _iter_packages(
    rows: Iterator[str], parse: Callable[[str], Package | None]
) -> Iterator[Package]:
    """Packages of consecutive lines, up to the first that is none."""
    has_begun = False
    for row in rows:
        if (
            row.startswith("#")
            or row.startswith("Package ")
            or _is_rule(row, has_begun)
        ):
            continue
        known = parse(row)
        if known is None:
            return
        has_begun = True
        yield known


def _is_rule(row: str, has_begun: bool) -> bool:
    """A line of dashes, or a blank one before the list; a fence around it."""
    if row.startswith("```"):
        return not has_begun
    return _RULE.fullmatch(row) is not None and (bool(row.strip()) or not has_begun)


def _parse_pip_row(row: str) -> Package | None:
    known = parse_freeze_line(row) or parse_table_line(row)
    bare = None if known else _BARE.fullmatch(row)
    return package(bare[1], "") if bare else known
