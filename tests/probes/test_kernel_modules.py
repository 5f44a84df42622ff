"""Kernel modules: loaded, on disk, and versions inside module files."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import DriverPackage
from fwdoctor.probes import kernel_modules
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource

KERNEL = "6.8.0-45-generic"
DKMS = f"/lib/modules/{KERNEL}/updates/dkms"
NOTES = b"license=NVIDIA\0version=550.54.14\0vermagic=6.8.0\0"
PROPRIETARY = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.135  Fri Jan 10 20:00 2025\n"
    "GCC version:  gcc version 13.2.0 (Ubuntu 13.2.0-23ubuntu4)\n"
)
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build"
    "  (dvs-builder@U22)  Tue Sep 23 09:55:41 UTC 2025\n"
)
SHORT = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64 595.71.05"


def elf_module(notes: bytes, padding: int) -> bytes:
    """A 64-bit ELF file whose .modinfo section lies behind `padding` bytes."""
    names = b"\0.modinfo\0.shstrtab\0"
    notes_at = 64 + padding
    names_at = notes_at + len(notes)
    table_at = names_at + len(names)
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", header, 0x28, table_at)
    struct.pack_into("<HHH", header, 0x3A, 64, 3, 2)

    def section(name: int, at: int, size: int) -> bytes:
        return struct.pack("<I20xQQ24x", name, at, size)

    table = bytes(64) + section(1, notes_at, len(notes))
    table += section(10, names_at, len(names))
    return bytes(header) + b"x" * padding + notes + names + table


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [
        (PROPRIETARY, "550.135", "proprietary"),
        (OPEN, "580.95.05", "open"),
        (SHORT, "595.71.05", "open"),
        ("GCC version: 13.2.0\n", None, None),
        ("NVRM version: no number\nGCC version:  13.2.0 \n", None, "proprietary"),
    ],
)
def test_version_file(text: str, version: str | None, flavour: str | None) -> None:
    found = kernel_modules.parse_version_file(text)
    assert (str(found) if found else None) == version
    assert kernel_modules.parse_flavour(text) == flavour


def test_loaded_modules(make_source: MakeSource) -> None:
    text = (
        "nvidia_uvm 1 2 - Live 0x0 (POE)\next4 1 1\nnouveau 1 0\nnvidia 5 9\nnvme 1\n"
    )
    source = make_source({"/proc/modules": text})
    assert kernel_modules.read_loaded(source) == ("nouveau", "nvidia", "nvidia_uvm")


def test_loaded_modules_by_sys(make_source: MakeSource) -> None:
    assert kernel_modules.read_loaded(make_source()) is None
    source = make_source({"/sys/module/nvidia/version": "1", "/sys/module/ext4/x": ""})
    assert kernel_modules.read_loaded(source) == ("nvidia",)


@pytest.mark.parametrize("padding", [0, 3_000_000])
def test_version_in_an_elf_module(make_source: MakeSource, padding: int) -> None:
    source = make_source({f"{DKMS}/nvidia.ko": elf_module(NOTES, padding)})
    found = kernel_modules.read_on_disk(source, KERNEL, ())
    assert found == (DriverVersion.parse("550.54.14"),)


@pytest.mark.parametrize(
    "path",
    [
        "updates/dkms/nvidia-current.ko",
        "extra/nvidia/nvidia.ko",
        "kernel/nvidia-550srv-open/nvidia.ko",
        "kernel/drivers/video/nvidia-tesla-470.ko",
    ],
)
def test_places_and_names(make_source: MakeSource, path: str) -> None:
    source = make_source({f"/lib/modules/{KERNEL}/{path}": elf_module(NOTES, 9)})
    assert kernel_modules.read_on_disk(source, KERNEL, ()) is not None
    assert kernel_modules.has_module(source, KERNEL)


def test_a_compressed_module_takes_the_version_dkms_installed(
    make_source: MakeSource,
) -> None:
    source = make_source({f"{DKMS}/nvidia.ko.zst": b"\x28\xb5\x2f\xfd"})
    assert kernel_modules.read_on_disk(source, KERNEL, ()) is None
    built = DriverPackage(
        name="nvidia", version="550.54.14", manager="dkms", kernel=KERNEL
    )
    found = kernel_modules.read_on_disk(source, KERNEL, (built,))
    assert found == (DriverVersion.parse("550.54.14"),)


def test_no_module_for_this_kernel(make_source: MakeSource) -> None:
    files: dict[str, str | bytes] = {
        f"{DKMS}/nvidia-uvm.ko": b"",
        f"{DKMS}/nvidia-drm.ko": b"",
        "/lib/modules/6.8.0-40-generic/updates/dkms/nvidia.ko": elf_module(NOTES, 0),
    }
    assert kernel_modules.read_on_disk(make_source(files), KERNEL, ()) == ()


def test_a_container_has_no_modules_to_speak_of(make_source: MakeSource) -> None:
    assert kernel_modules.read_on_disk(make_source(), KERNEL, ()) is None


def test_a_damaged_module_has_no_version(make_source: MakeSource) -> None:
    module = elf_module(b"license=x\0", 0)
    source = make_source({f"{DKMS}/nvidia.ko": module[:-70]})
    assert kernel_modules.read_on_disk(source, KERNEL, ()) is None


@given(content=st.binary(max_size=300), header=st.binary(min_size=64, max_size=64))
def test_any_module_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bytes
) -> None:
    from fwdoctor.probes.source import Source

    kernel_modules.parse_module_version(content)
    kernel_modules.parse_section_table(header)
    list(kernel_modules.parse_sections(content))
    root = tmp_path_factory.mktemp("root")
    folder = root / DKMS.lstrip("/")
    folder.mkdir(parents=True)
    head = b"\x7fELF\x02\x01" + header[6:0x3A] + struct.pack("<H", 64) + header[0x3C:]
    (folder / "nvidia.ko").write_bytes(head + content)
    kernel_modules.read_on_disk(Source(root=str(root)), KERNEL, ())


@given(text=st.text())
def test_any_text(text: str) -> None:
    kernel_modules.parse_version_file(f"NVRM version: {text}")
    kernel_modules.parse_flavour(text)
    kernel_modules.parse_modules(text)
    kernel_modules.find_version(text)
