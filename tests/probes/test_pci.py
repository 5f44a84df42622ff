"""The PCI probe on small /sys trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import PciDevice
from fwdoctor.probes import pci
from fwdoctor.probes.pci import PciProbe
from fwdoctor.probes.runner import ProbeError

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource


def _device(
    address: str, vendor: str, device: str, pci_class: str, driver: str | None = None
) -> dict[str, str]:
    folder = f"{pci.BUS}/{address}"
    files = {
        f"{folder}/vendor": f"0x{vendor}\n",
        f"{folder}/device": f"0x{device}\n",
        f"{folder}/class": f"0x{pci_class}\n",
    }
    if driver:
        files[f"{folder}/driver"] = f"-> ../../../bus/pci/drivers/{driver}"
    return files


def test_a_gpu_bound_to_nouveau(make_source: MakeSource) -> None:
    source = make_source(_device("0000:01:00.0", "10de", "2684", "030000", "nouveau"))
    assert PciProbe().start(source)() == (
        PciDevice(
            address="0000:01:00.0",
            vendor="nvidia",
            device_id="2684",
            kind="gpu",
            kernel_driver="nouveau",
        ),
    )


@pytest.mark.parametrize(
    ("vendor", "pci_class", "expected"),
    [
        ("10de", "030200", ("nvidia", "gpu")),
        ("10de", "068000", ("nvidia", "nvswitch")),
        ("1002", "038000", ("amd", "gpu")),
        ("1002", "120000", ("amd", "gpu")),
        ("8086", "030000", ("intel", "gpu")),
        ("1a03", "030000", ("other", "other")),
        ("10de", "040300", None),
        ("8086", "068000", None),
        ("8086", "120000", None),
        ("8086", "020000", None),
    ],
)
def test_kinds(
    make_source: MakeSource,
    vendor: str,
    pci_class: str,
    expected: tuple[str, str] | None,
) -> None:
    found = PciProbe().start(
        make_source(_device("0000:c1:00.0", vendor, "1af1", pci_class))
    )()
    if expected is None:
        assert found == ()
    else:
        assert [(device.vendor, device.kind) for device in found] == [expected]
        assert found[0].kernel_driver is None


def test_no_bus(make_source: MakeSource) -> None:
    with pytest.raises(ProbeError) as caught:
        PciProbe().start(make_source())()
    assert caught.value.status == "absent"


def test_odd_trees(make_source: MakeSource) -> None:
    files: dict[str, str | bytes] = {
        f"{pci.BUS}/not-an-address/class": "0x030000",
        f"{pci.BUS}/0000:01:00.0/class": b"\xff\x00",
        f"{pci.BUS}/0000:02:00.0/class": "0x030000",
        f"{pci.BUS}/0000:03:00.0/class/folder": "",
    }
    assert PciProbe().start(make_source(files))() == ()


@given(text=st.text())
def test_numbers_are_digits_or_none(text: str) -> None:
    number = pci.parse_number(text)
    assert number is None or int(number, 16) >= 0


def test_devices_that_hide_what_they_are_are_unknown(make_source: MakeSource) -> None:
    source = make_source({f"{pci.BUS}/0000:01:00.0/uevent": "DRIVER=nvidia\n"})
    with pytest.raises(ProbeError, match="cannot be read"):
        PciProbe().start(source)()
