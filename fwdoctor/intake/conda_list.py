"""conda list, mamba list, and exported environment files.

# packages in environment at /opt/conda:          name: base
# Name      Version   Build              Channel   channels: [pytorch, defaults]
pytorch     1.9.0     py3.8_cpu_0        pytorch   dependencies:
cudatoolkit 11.3.1    h2bc3f7f_2                     - pytorch=1.9.0=py3.8_cpu_0
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.packages import parse_conda_line, parse_freeze_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.intake.facts import Facts
    from fwdoctor.model.snapshot import Package

SOURCE = "conda list"
MOST_LINES = 3_000
_COMMAND = re.compile(
    r"^[^\n]{0,120}?\b(conda|mamba|micromamba)[ \t]+list\b[^\n]{0,120}$", re.MULTILINE
)
_HEADER = re.compile(
    r"^[ \t]*#[ \t]*(?:packages in environment at\b"
    r"|Name[ \t]+Version[ \t]+Build)[^\n]*$",
    re.MULTILINE,
)
_EXPORT = re.compile(r"^[ \t]*dependencies:[ \t]*$", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*- [ \t]*['\"]?(?P<text>[^\n'\"#]{1,200})", re.MULTILINE)
_ROW = re.compile(
    r"^[ \t]{0,8}[a-z0-9_][\w.-]{0,60}[ \t]{1,60}\d[\w.!+]{0,40}[ \t]{1,60}"
    r"(?:[\w.]{0,40}_\d{1,4}|<pip>)(?:[ \t]{1,60}\[[\w,-]{1,40}\])?"
    r"(?:[ \t]{1,60}[\w./:-]{1,60})?[ \t]*$",
    re.MULTILINE,
)
# What conda is about to install: pytorch  pytorch/linux-64::pytorch-1.10.0-py3.8_cpu_0
_PLANNED = re.compile(
    r"(?P<channel>[\w.-]{2,40})/(?:noarch|linux|win|osx)[\w-]{0,12}::"
    r"(?P<name>[a-z0-9_][\w.-]{0,60}?)-(?P<version>\d[\w.!+]{0,40})-(?P<build>[\w.]{1,60})"
)


def parse(text: str) -> Facts | None:
    """Every package that conda's lists in a text name."""
    found = Collector(SOURCE, text)
    for match in list(_COMMAND.finditer(text))[:20]:
        found.add("manager", match[1].removeprefix("micro"), match.start(1))
        found.add_packages(_rows(text, match.end(), ends_early=True))
    for match in list(_HEADER.finditer(text))[:20]:
        found.add("manager", "conda", match.start())
        found.add_packages(_rows(text, match.end(), ends_early=False))
    export = _EXPORT.search(text)
    if export:
        found.add("manager", "conda", export.start())
        found.add_packages(_exported(text, export.end()))
    if "::" in text:
        found.add_packages(_planned(text))
    if not found.packages:
        _read_loose_rows(found, text)
    for package in found.packages:
        if package.name == "python" and package.installer == "conda":
            found.add("python", package.version)
    return found.facts()


def _rows(text: str, start: int, *, ends_early: bool) -> Iterator[Package]:
    for line in text[start + 1 :].split("\n", MOST_LINES)[:MOST_LINES]:
        item = None if line.lstrip().startswith("#") else parse_conda_line(line)
        if item is not None and len(line) < 300:
            yield item
        elif line.strip(" \t#`-") and (ends_early or not line.lstrip().startswith("#")):
            return


def _exported(text: str, start: int) -> Iterator[Package]:
    for match in list(_ITEM.finditer(text, start))[:MOST_LINES]:
        item = parse_freeze_line(match["text"])
        if item is None and "=" in match["text"]:
            item = parse_conda_line(match["text"])
        if item is not None:
            yield item


def _planned(text: str) -> Iterator[Package]:
    """The packages of «The following NEW packages will be INSTALLED»."""
    for match in list(_PLANNED.finditer(text))[:MOST_LINES]:
        row = f"{match['name']} {match['version']} {match['build']} {match['channel']}"
        item = parse_conda_line(row)
        if item is not None:
            yield item


def _read_loose_rows(found: Collector, text: str) -> None:
    """Rows cut out of a list: they are told by their build string."""
    if "_" not in text:
        return
    rows = [parse_conda_line(m[0]) for m in list(_ROW.finditer(text))[:MOST_LINES]]
    found.add_packages(row for row in rows if row is not None)
    if found.packages:
        found.add("manager", "conda")
