"""conda info: what conda detected of the machine, as its virtual packages.

virtual packages : __cuda=11.4=0
                   __glibc=2.31=0
platform : linux-64
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fwdoctor.intake.facts import Collector

if TYPE_CHECKING:
    from fwdoctor.intake.facts import FactName, Facts

SOURCE = "conda info"
_VIRTUAL = re.compile(
    r"__(?P<name>cuda|glibc|linux|osx|win)==?(?P<version>\d{1,4}(?:\.\d{1,4}){0,3})"
)
_PLATFORM = re.compile(
    r"^[ \t]{0,40}platform[ \t]*:[ \t]*(?P<os>linux|osx|win)-(?P<machine>\w{2,10})"
    r"[ \t]*$",
    re.MULTILINE,
)
_OS: Final = {"linux": "linux", "osx": "macos", "win": "windows"}
_MACHINES: Final = {"64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
_FACTS: dict[str, FactName] = {"cuda": "driver_cuda", "glibc": "libc_version"}


def parse(text: str) -> Facts | None:
    """The facts of such a report in a text."""
    if "virtual packages" not in text:
        return None
    found = Collector(SOURCE, text)
    found.add("manager", "conda", text.find("virtual packages"))
    for match in _VIRTUAL.finditer(text, text.find("virtual packages")):
        name = _FACTS.get(match["name"])
        if name is not None:
            found.add_match(name, match, "version")
        elif match["name"] == "linux":
            found.add_match("kernel", match, "version")
    platform = _PLATFORM.search(text)
    if platform:
        found.add("os", _OS[platform["os"]], platform.start())
        machine = _MACHINES.get(platform["machine"])
        found.add("machine", machine, platform.start())
    return found.facts()
