"""What pip and uv print while they install: what was offered, what was taken.

ERROR: Could not find a version that satisfies … (from versions: 2.2.0, 2.2.1, …)
Downloading torch-2.0.1-cp311-cp311-manylinux1_x86_64.whl (619.9 MB)
Requirement already satisfied: torch in /usr/lib/python3/dist-packages (1.13.1)
Successfully installed numpy-1.26.4 torch-2.0.1+cu118
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.packages import find_wheel, package, wheel_version
from fwdoctor.model.snapshot import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.intake.facts import Facts
    from fwdoctor.model.snapshot import Package

SOURCE = "pip output"
_MOST = 300
_OFFERED = re.compile(
    r"requirement (?P<requirement>[A-Za-z][^\s(]{0,100})[^\n(]{0,120}"
    r"(?:\(from [\w./ -]{1,120}(?:\(line \d{1,5}\))?\) ?)?"
    r"\(from versions:[ \t]{0,4}(?P<versions>[^)]{0,6000})\)?"
)
_VERSION = re.compile(r"\d[\w.+!]{0,40}")
_INSTALLED = re.compile(
    r"^[ \t]*Successfully installed (?P<names>[^\n]{1,6000})", re.MULTILINE
)
_NAME_VERSION = re.compile(
    r"(?P<name>[A-Za-z][\w.-]{0,60}?)-(?P<version>\d[\w.+!]{0,40})"
)
_SATISFIED = re.compile(
    r"Requirement already satisfied: (?P<name>[A-Za-z][\w.-]{0,60})[^\n(]{0,300}"
    r"\((?:from [^)]{1,200}\) \()?(?P<version>\d[\w.+!]{0,40})\)"
)
_WHEEL_LINE = re.compile(
    r"^[^\n]{0,60}\b(?:Downloading|Using cached|Collecting|Processing|Installing)\b"
    r"[^\n]{0,300}?\.whl",
    re.MULTILINE,
)
_PLUS = re.compile(
    r"^ \+ (?P<name>[\w.-]{1,60})==(?P<version>[\w.+!]{1,40})", re.MULTILINE
)
_INTERPRETER = re.compile(r"cp(\d)(\d{1,2})")
# What `pip inspect` and `pip debug` say of the interpreter.
_ENVIRONMENT = re.compile(
    r"['\"](?P<name>platform_machine|platform_system|python_full_version)['\"]:"
    r" ['\"](?P<value>[\w.+-]{1,40})['\"]"
)
_PLATFORMS = (
    ("win", "windows"),
    ("macosx", "macos"),
    ("manylinux", "linux"),
    ("linux", "linux"),
)


def parse(text: str) -> Facts | None:
    """The facts of pip's output in a text."""
    found = Collector(SOURCE, text)
    if "from versions" in text:
        found.commands.extend(_iter_offers(text))
    if "Successfully installed" in text:
        for match in list(_INSTALLED.finditer(text))[:20]:
            found.add_packages(_installed(match["names"]))
    if "already satisfied" in text:
        for match in list(_SATISFIED.finditer(text))[:_MOST]:
            found.add_packages([package(match["name"], match["version"], "pip")])
    if " + " in text:
        for match in list(_PLUS.finditer(text))[:_MOST]:
            found.add("manager", "uv", match.start())
            found.add_packages([package(match["name"], match["version"], "uv")])
    _read_environment(found, text)
    if ".whl" in text:
        for match in list(_WHEEL_LINE.finditer(text))[:_MOST]:
            _read_wheel(found, match)
    return found.facts()


def _read_environment(found: Collector, text: str) -> None:
    """The markers of an interpreter, as pip prints them."""
    if "platform_machine" not in text:
        return
    for match in list(_ENVIRONMENT.finditer(text))[:9]:
        if match["name"] == "python_full_version":
            found.add("python", match["value"], match.start())
        else:
            found.add_all(parse_os(match["value"]), match.start())


def _iter_offers(text: str) -> Iterator[Command]:
    for match in list(_OFFERED.finditer(text))[:20]:
        yield Command(
            tool="pip",
            action="offered",
            requirements=(match["requirement"].strip("'\""),),
            offered=tuple(_VERSION.findall(match["versions"]))[:400],
            line=text.count("\n", 0, match.start()) + 1,
        )


def _installed(names: str) -> Iterator[Package]:
    for word in names.split():
        match = _NAME_VERSION.fullmatch(word)
        if match:
            yield package(match["name"], match["version"], "pip")


def _read_wheel(found: Collector, match: re.Match[str]) -> None:
    """A wheel that pip chose was made for this interpreter and platform."""
    wheel = find_wheel(match[0])
    if wheel is None:
        return
    name = wheel["name"].lower()
    if "Collecting" not in match[0]:
        found.add_packages([package(name, wheel_version(wheel), "pip")])
    interpreter = _INTERPRETER.match(wheel["python"])
    if interpreter and "abi3" not in wheel["abi"]:
        found.add("python", f"{interpreter[1]}.{interpreter[2]}", match.start())
    for prefix, system in _PLATFORMS:
        if wheel["platform"].startswith(prefix):
            found.add("os", system, match.start())
            machine = "aarch64" if "aarch64" in wheel["platform"] else "x86_64"
            if system == "linux":
                found.add("machine", machine, match.start())
            return
