"""What a Linux machine's own tools print: lspci, lsmod, uname, os-release, mokutil.

01:00.0 VGA compatible controller: NVIDIA Corporation GA106 [GeForce RTX 3060] (rev a1)
        Kernel driver in use: nouveau
$ lsmod | grep nvidia          $ uname -r             $ mokutil --sb-state
nvidia  35319808  1            6.2.0-36-generic       SecureBoot enabled
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.os_names import parse_os
from fwdoctor.model.snapshot import Gpu, PciDevice

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE: Final = "Linux tools"
_MOST = 64
_PCI = re.compile(
    r"^[ \t]*(?:(?P<domain>[0-9a-f]{4}):)?(?P<address>[0-9a-f]{2}:[0-9a-f]{2}\.\d)[ \t]"
    r"(?:VGA compatible controller|3D controller|Display controller)[^:\n]{0,12}:[ \t]"
    r"(?P<vendor>NVIDIA|Advanced Micro Devices|Intel)(?P<rest>[^\n]{0,200})",
    re.MULTILINE,
)
_NAME = re.compile(r"\[((?:GeForce|Quadro|Tesla|TITAN|NVS|RTX|[A-Z]\d)[^\]\n]{0,60})\]")
_DEVICE_ID = re.compile(r"\[10de:([0-9a-f]{4})\]")
_BOUND = re.compile(
    r"(?:\n[ \t]+[^\n]{0,200}){0,12}?\n[ \t]+Kernel driver in use: (\w+)"
)
_VENDORS: dict[str, Literal["nvidia", "amd", "intel"]] = {
    "NVIDIA": "nvidia",
    "Advanced Micro Devices": "amd",
    "Intel": "intel",
}
_LSMOD = re.compile(
    r"\blsmod\b[^\n]{0,80}\n(?P<rows>(?:[a-z]\w{1,40}[ \t]+\d[^\n]*\n?)*)"
)
_MODULE = re.compile(r"^(\w+)[ \t]+\d", re.MULTILINE)
_UNAME = re.compile(
    r"\buname -r[^\n]{0,40}\n[ \t]*(?P<release>\d\.\d{1,2}\.\d{1,3}[\w.+-]{0,60})"
    r"|^Linux \S{1,64} (?P<full>\d\.\d{1,2}\.\d{1,3}[\w.+-]{0,60}) #",
    re.MULTILINE,
)
_RELEASE = re.compile(
    r"^(?:PRETTY_NAME=\"?|Description:[ \t]*)(?P<name>[A-Z][^\"\n]{2,60})", re.MULTILINE
)
_SECURE_BOOT = re.compile(r"SecureBoot (enabled|disabled)")
_NO_NODE = re.compile(r"cannot access '?(/dev/nvidia)[\w*-]{0,20}'?:")


def parse(text: str) -> Facts | None:
    """The facts of such output in a text."""
    found = Collector(SOURCE, text)
    if " controller" in text:
        _read_bus(found, text)
    if "lsmod" in text:
        _read_modules(found, text)
    if "Linux " in text or "uname" in text:
        kernel = _UNAME.search(text)
        if kernel:
            found.add("os", "linux", kernel.start())
            found.add("kernel", kernel["release"] or kernel["full"], kernel.start())
    if "PRETTY_NAME" in text or "Description:" in text:
        release = _RELEASE.search(text)
        if release:
            found.add_all(parse_os(release["name"]), release.start("name"))
    if "SecureBoot" in text:
        found.add_match("secure_boot", _SECURE_BOOT.search(text))
    if "cannot access" in text:
        missing = _NO_NODE.search(text)
        found.add("missing_node", f"{missing[1]}0" if missing else None)
    return found.facts()


def _read_bus(found: Collector, text: str) -> None:
    """The bus, where it shows an NVIDIA GPU: of others often some rows are left out."""
    devices: list[PciDevice] = []
    gpus: list[Gpu] = []
    for match in list(_PCI.finditer(text))[:_MOST]:
        address = f"{match['domain'] or '0000'}:{match['address']}"
        bound = _BOUND.match(text, match.end())
        device_id = _DEVICE_ID.search(match["rest"])
        vendor = _VENDORS[match["vendor"]]
        devices.append(
            PciDevice(
                address=address,
                vendor=vendor,
                device_id=device_id[1] if device_id else "",
                kind="gpu",
                kernel_driver=bound[1] if bound else None,
            )
        )
        name = _NAME.search(match["rest"]) if vendor == "nvidia" else None
        if name:
            gpus.append(Gpu(index=len(gpus), name=name[1], pci_address=address))
    if any(device.vendor == "nvidia" for device in devices):
        found.pci.extend(devices)
        found.gpus.extend(gpus)


def _read_modules(found: Collector, text: str) -> None:
    """The modules of the list; a filtered list without rows says there are none."""
    listed = _LSMOD.search(text)
    if listed is None:
        return
    names = [name for name in _MODULE.findall(listed["rows"]) if _is_driver(name)]
    is_filtered = "grep" in listed[0].split("\n", 1)[0]
    if names or is_filtered:
        found.add("modules", " ".join(names) or "none", listed.start())


def _is_driver(name: str) -> bool:
    return name.startswith(("nvidia", "nouveau", "nova_core"))
