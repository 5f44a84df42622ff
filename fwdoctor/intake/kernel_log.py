"""Kernel logs and module versions: dmesg, /proc/driver/nvidia/version, modinfo, dpkg.

NVRM: Xid (PCI:0000:01:00): 79, pid=1234, GPU has fallen off the bus.
NVRM: API mismatch: the client has the version 535.54.03, but
NVRM: this kernel module has the version 535.86.05.
NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 16:14:05 UTC 2021
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.probes.kernel_log import parse_xids

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "kernel log"
_NUMBER = r"(\d{3}\.\d{1,3}(?:\.\d{1,3})?)"
_MISMATCH = re.compile(
    rf"API mismatch: the client[^\n]{{0,60}}? has the version {_NUMBER}"
    rf".{{0,160}}?this kernel module has the version {_NUMBER}",
    re.DOTALL,
)
_MODULE = re.compile(
    rf"Kernel Module(?:[ \t]{{1,4}}for x86_64)?[ \t]{{1,8}}{_NUMBER}(?=\s|$)"
)
_OPEN = re.compile(
    rf"Open Kernel Module[^\n\d]{{0,40}}?(?:x86_64)?[^\n\d]{{0,20}}{_NUMBER}"
)
_MODINFO = re.compile(
    rf"nvidia(?:-current)?\.ko[^\n]{{0,20}}\n"
    rf"(?:[^\n]{{0,80}}\n){{0,3}}?version:[ \t]{{1,12}}{_NUMBER}"
)
_DPKG = re.compile(
    rf"^[ \t]*ii[ \t]+nvidia-(?:driver|dkms|kernel-common|utils)-\d{{3}}(?:-server"
    rf"|-open)*"
    rf"[ \t]+{_NUMBER}",
    re.MULTILINE,
)


def parse(text: str) -> Facts | None:
    """The facts of such lines in a text."""
    found = Collector(SOURCE, text)
    mismatch = _MISMATCH.search(text) if "API mismatch" in text else None
    if mismatch:
        found.add_match("libcuda", mismatch)
        found.add_match("kernel_module", mismatch, 2)
    if "Kernel Module" in text:
        found.add_match("kernel_module", _OPEN.search(text) or _MODULE.search(text))
    if ".ko" in text:
        found.add_match("driver", _MODINFO.search(text))
    if "ii " in text:
        found.add_match("driver", _DPKG.search(text))
    if "NVRM: Xid" in text:
        found.xids.extend(parse_xids(text))
    return found.facts()
