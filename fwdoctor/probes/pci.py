"""GPUs and NVSwitches on the PCI bus, seen without any driver, from /sys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import PciDevice
from fwdoctor.probes.runner import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwdoctor.probes.source import Source

BUS = "/sys/bus/pci/devices"
Vendor = Literal["nvidia", "amd", "intel", "other"]
Kind = Literal["gpu", "nvswitch", "other"]

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NUMBER = re.compile(r"\s*0x([0-9a-f]{4,8})\s*", re.IGNORECASE)
_VENDORS: dict[str, Vendor] = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
_DISPLAY = "03"
_BRIDGE = "0680"
_ACCELERATOR = "12"  # newer AMD Instinct cards
_CLASSES = (_DISPLAY, _BRIDGE, _ACCELERATOR)


class PciProbe:
    """Display devices, accelerators and NVSwitches."""

    name = "pci"

    def start(self, source: Source) -> Callable[[], tuple[PciDevice, ...]]:
        """Nothing runs; the files are read in `finish`."""
        return lambda: read_devices(source)


def read_devices(source: Source) -> tuple[PciDevice, ...]:
    """The devices worth knowing; raises ProbeError when there is no PCI bus."""
    names = source.list_dir(BUS)
    if not names:
        raise ProbeError("absent", f"no PCI devices in {BUS}")
    addresses = [name for name in names if _ADDRESS.fullmatch(name)]
    found = (_read_device(source, address) for address in addresses)
    devices = tuple(device for device in found if device is not None)
    if addresses and not devices and not _is_any_readable(source, addresses):
        raise ProbeError("denied", f"what the devices in {BUS} are cannot be read")
    return devices


def _is_any_readable(source: Source, addresses: Sequence[str]) -> bool:
    """Whether any device tells its class: a sandbox may list them and no more."""
    return any(source.find_text(f"{BUS}/{address}/class") for address in addresses)


def _read_device(source: Source, address: str) -> PciDevice | None:
    folder = f"{BUS}/{address}"
    pci_class = parse_number(source.find_text(f"{folder}/class") or "")
    if not pci_class or not pci_class.startswith(_CLASSES):
        return None
    vendor_id = parse_number(source.find_text(f"{folder}/vendor") or "") or ""
    device_id = parse_number(source.find_text(f"{folder}/device") or "")
    vendor = _VENDORS.get(vendor_id, "other")
    kind = parse_kind(vendor, pci_class)
    if kind is None or device_id is None:
        return None
    driver = source.read_link(f"{folder}/driver")
    return PciDevice(
        address=address,
        vendor=vendor,
        device_id=device_id,
        kind=kind,
        kernel_driver=driver.rpartition("/")[2] or None if driver else None,
    )


def parse_number(text: str) -> str | None:
    """The digits in a /sys file such as `0x10de` or `0x030200`, lower case."""
    found = _NUMBER.fullmatch(text)
    return found[1].lower() if found else None


def parse_kind(vendor: Vendor, pci_class: str) -> Kind | None:
    """What a device is by its vendor and class; None when it is of no interest.

    A display device of another vendor is a management or virtual adapter: `other`.
    """
    if pci_class.startswith(_DISPLAY):
        return "other" if vendor == "other" else "gpu"
    if pci_class.startswith(_BRIDGE):
        return "nvswitch" if vendor == "nvidia" else None
    return "gpu" if vendor == "amd" and pci_class.startswith(_ACCELERATOR) else None
