"""Which C library a Linux root has, and for which machine; from its files alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fwdoctor.probes.source import Source

_GLIBC_FOLDERS = (
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)
_GLIBC_NAME = re.compile(r"libc-(2\.\d+)\.so")
# GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.
_GLIBC_BANNER = re.compile(rb"GNU C Library .{0,120}? version (2\.\d+)")
_MUSL_NAME = re.compile(r"ld-musl-(\w+)\.so\.1")
_MUSL_VERSION = re.compile(rb"\0(1\.\d{1,2}\.\d{1,2})\0")
_MACHINES = {62: "x86_64", 183: "aarch64", 3: "i686", 40: "armv7l", 21: "ppc64le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Libc:
    """A C library: its kind, version and the machine it was built for."""

    kind: Literal["glibc", "musl"] | None = None
    version: str | None = None
    machine: str | None = None


def read_libc(source: Source) -> Libc:
    """The C library of the examined root."""
    if source.is_live_root:
        running = parse_confstr(_confstr())
        if running.kind is not None:
            return running
    return _find_glibc(source) or _find_musl(source) or Libc()


def _confstr() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):  # not glibc, or not POSIX
        return ""


def parse_confstr(text: str) -> Libc:
    """Read the C library's own answer, `glibc 2.36`."""
    name, _, version = text.partition(" ")
    if name != "glibc":
        return Libc()
    return Libc(kind="glibc", version=version.strip() or None)


def _find_glibc(source: Source) -> Libc | None:
    for folder in _GLIBC_FOLDERS:
        path = f"{folder}/libc.so.6"
        try:
            content = source.read_bytes(path)
            name = source.resolve(path).rpartition("/")[2]
        except (OSError, ValueError):
            continue
        version = parse_glibc(content, name)
        if version is not None:
            return Libc(kind="glibc", version=version, machine=parse_machine(content))
    return None


def _find_musl(source: Source) -> Libc | None:
    for name in source.list_dir("/lib"):
        found = _MUSL_NAME.fullmatch(name)
        if found is None:
            continue
        try:
            content = source.read_bytes(f"/lib/{name}")
        except (OSError, ValueError):
            content = b""
        return Libc(kind="musl", version=parse_musl(content), machine=found[1])
    return None


def parse_glibc(content: bytes, file_name: str) -> str | None:
    """The version of a libc.so.6, by its file name or the banner inside it."""
    named = _GLIBC_NAME.fullmatch(file_name)
    if named is not None:
        return named[1]
    banner = _GLIBC_BANNER.search(content)
    return banner[1].decode("ascii") if banner else None


def parse_musl(content: bytes) -> str | None:
    """The version string inside a musl loader, e.g. 1.2.5."""
    found = _MUSL_VERSION.search(content)
    return found[1].decode("ascii") if found else None


def parse_machine(content: bytes) -> str | None:
    """The machine an ELF file was built for, from its header (little endian only)."""
    if content[:4] != b"\x7fELF" or len(content) < 20 or content[5] != 1:
        return None
    return _MACHINES.get(int.from_bytes(content[18:20], "little"))
