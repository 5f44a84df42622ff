"""NVIDIA's kernel modules: what is loaded, and what is on disk for the running kernel.

Versions are read from the files themselves; `modinfo` is never run.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Literal

from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.model.snapshot import DriverPackage
    from fwdoctor.probes.source import Source

Flavour = Literal["open", "proprietary"]

# NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.135  Fri Jan 10 20:00:00 UTC 2025
# NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.77  Release Build  (…
_NVRM = re.compile(
    r"^NVRM version:[^\n]*?[ \t](\d{2,4}\.\d{1,3}(?:\.\d{1,3})?)(?=\s|$)", re.MULTILINE
)
_LOADED = re.compile(r"(nvidia|nouveau|nova_core)\w*")
# nvidia.ko.zst, and Debian's names such as nvidia-current.ko, nvidia-tesla-470.ko
_FILE = re.compile(
    r"nvidia(?:-current|-legacy-\d+xx|-tesla(?:-\d+)?)?(?:-open)?\.ko(?:\.(?:xz|zst|gz))?"
)
_FOLDERS = (
    "updates/dkms",
    "updates",
    "extra",
    "extra/nvidia",
    "weak-updates/nvidia",
    "kernel/drivers/video",
    "kernel/drivers/video/nvidia",
    "misc",
)
_MODULE_VERSION = re.compile(rb"\0version=([0-9.]{3,20})\0")
_SMALL_BYTES = 1 << 20
_HEADER_BYTES = 64
_SECTION_BYTES = 64
_MAX_SECTIONS = 2000
_MAX_NOTES_BYTES = 1 << 20


def parse_version_file(text: str) -> DriverVersion | None:
    """The version in /proc/driver/nvidia/version (samples above)."""
    found = _NVRM.search(text)
    return DriverVersion.parse(found[1]) if found else None


def parse_flavour(text: str) -> Flavour | None:
    """Open or proprietary, by the first line of /proc/driver/nvidia/version."""
    if "NVRM version:" not in text:
        return None
    return "open" if "Open Kernel Module" in text else "proprietary"


def find_version(text: str | None) -> DriverVersion | None:
    """The driver version that is all of the text, or None."""
    try:
        return DriverVersion.parse(text or "")
    except ValueError:
        return None


def read_loaded(source: Source) -> tuple[str, ...] | None:
    """Loaded modules of NVIDIA's driver and of its rivals for the GPU."""
    text = source.find_text("/proc/modules")
    if text is not None:
        return parse_modules(text)
    names = source.list_dir("/sys/module")
    return tuple(name for name in names if _LOADED.fullmatch(name)) if names else None


def parse_modules(text: str) -> tuple[str, ...]:
    """The names in /proc/modules: `nvidia_uvm 1921024 2 - Live 0x0000 (POE)`."""
    names = {line.partition(" ")[0] for line in text.splitlines()}
    return tuple(sorted(name for name in names if _LOADED.fullmatch(name)))


def read_on_disk(
    source: Source, kernel: str, packages: Iterable[DriverPackage]
) -> tuple[DriverVersion, ...] | None:
    """Versions of the modules installed for a kernel.

    None when that cannot be said: no modules of that kernel here (a container), or a
    compressed module whose version nothing else tells.
    """
    folder = f"/lib/modules/{kernel}"
    if not source.is_dir(folder):
        return None
    paths = list(_iter_modules(source, folder))
    found = {_read_version(source, path) for path in paths}
    known = {version for version in found if version is not None}
    if None in found:
        built = (p for p in packages if p.kernel == kernel and p.state == "installed")
        known |= {v for p in built if (v := find_version(p.version)) is not None}
    return tuple(sorted(known)) if known or not paths else None


def _iter_modules(source: Source, folder: str) -> Iterator[str]:
    for place in (*_FOLDERS, *_prebuilt_folders(source, folder)):
        for name in source.list_dir(f"{folder}/{place}"):
            if _FILE.fullmatch(name):
                yield f"{folder}/{place}/{name}"


def _prebuilt_folders(source: Source, folder: str) -> list[str]:
    """Ubuntu's signed modules: kernel/nvidia-550, kernel/nvidia-550srv-open."""
    names = source.list_dir(f"{folder}/kernel")
    return [f"kernel/{name}" for name in names if name.startswith("nvidia-")]


def has_module(source: Source, kernel: str) -> bool:
    """Whether a module file lies in the folders of a kernel."""
    return any(True for _ in _iter_modules(source, f"/lib/modules/{kernel}"))


def _read_version(source: Source, path: str) -> DriverVersion | None:
    if not path.endswith(".ko"):
        return None
    try:
        content = source.read_bytes(path, _SMALL_BYTES)
        found = parse_module_version(content)
        return found or parse_module_version(_read_notes(source, path, content))
    except (OSError, ValueError, struct.error):
        return None


def parse_module_version(content: bytes) -> DriverVersion | None:
    """The version among a module's notes: `version=550.54.14` between zero bytes."""
    found = _MODULE_VERSION.search(content)
    return find_version(found[1].decode("ascii")) if found else None


def _read_notes(source: Source, path: str, start: bytes) -> bytes:
    """The .modinfo section of an ELF file of any size; b"" when there is none."""
    table = parse_section_table(start[:_HEADER_BYTES])
    if table is None:
        return b""
    offset, count, names_index = table
    with open(source.real_path(path), "rb") as stream:
        stream.seek(offset)
        sections = list(parse_sections(stream.read(count * _SECTION_BYTES)))
        if names_index >= len(sections):
            return b""
        _, names_at, names_bytes = sections[names_index]
        stream.seek(names_at)
        names = stream.read(min(names_bytes, _MAX_NOTES_BYTES))
        for name_at, at, size in sections:
            if names.startswith(b".modinfo\0", name_at):
                stream.seek(at)
                return b"\0" + stream.read(min(size, _MAX_NOTES_BYTES))
    return b""


def parse_section_table(header: bytes) -> tuple[int, int, int] | None:
    """Offset, count and name index of a 64-bit little-endian ELF section table."""
    if len(header) < _HEADER_BYTES or header[:6] != b"\x7fELF\x02\x01":
        return None
    (offset,) = struct.unpack_from("<Q", header, 0x28)
    size, count, names_index = struct.unpack_from("<HHH", header, 0x3A)
    if size != _SECTION_BYTES or offset >= 1 << 40:
        return None
    return offset, min(count, _MAX_SECTIONS), names_index


def parse_sections(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Name offset, file offset and size of each section."""
    for at in range(0, len(table) - _SECTION_BYTES + 1, _SECTION_BYTES):
        (name_at,) = struct.unpack_from("<I", table, at)
        offset, size = struct.unpack_from("<QQ", table, at + 0x18)
        if offset < 1 << 40:
            yield name_at, offset, size
