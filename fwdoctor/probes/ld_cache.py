"""What the dynamic loader searches after everything else: ld.so.cache and ld.so.conf.

Only 64-bit entries are given: a 32-bit driver library beside the real one is common and
no Python of ours can load it.
"""

from __future__ import annotations

import struct
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwdoctor.probes.source import Source

CACHE_PATH = "/etc/ld.so.cache"
CONF_PATH = "/etc/ld.so.conf"
# Folders glibc searches without being told, multiarch (Debian, Ubuntu) first.
DEFAULT_FOLDERS = (
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)
MUSL_PATH_FILES = ("/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path")
MAX_CONF_FILES = 200

# glibc, sysdeps/generic/dl-cache.h: the old header and entries, then the new ones.
_OLD_MAGIC = b"ld.so-1.7.0"
_OLD_HEADER = struct.Struct("<12sI")
_OLD_ENTRY_SIZE = 12
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_NEW_HEADER_SIZE = 48
_NEW_ENTRY = struct.Struct("<iIIIQ")  # flags, soname, path, OS version, hwcap
_ELF_LIBC6 = 3
_TYPE_MASK = 0xFF
# i386 and generic, x32, ARM hard float, ARM soft float
_NARROW_ABIS = frozenset({0x00, 0x08, 0x09, 0x0B})


def read_ld_cache(source: Source) -> Mapping[str, tuple[str, ...]]:
    """Soname → paths in the loader's order; empty when there is no readable cache."""
    try:
        data = source.read_bytes(CACHE_PATH)
    except (OSError, ValueError):
        return {}
    return parse_ld_cache(data)


def parse_ld_cache(data: bytes) -> dict[str, tuple[str, ...]]:
    """The 64-bit entries of an ld.so.cache; damaged parts are left out."""
    found: dict[str, list[str]] = {}
    start = _find_new_format(data)
    if start is None:
        return {}
    for soname, path in _iter_entries(data[start:]):
        paths = found.setdefault(soname, [])
        if path not in paths:
            paths.append(path)
    return {soname: tuple(paths) for soname, paths in found.items()}


def _find_new_format(data: bytes) -> int | None:
    """Where the new format begins: at once, or behind the old one's entries."""
    if data.startswith(_NEW_MAGIC):
        return 0
    if not data.startswith(_OLD_MAGIC) or len(data) < _OLD_HEADER.size:
        return None
    _, count = _OLD_HEADER.unpack_from(data)
    end = _OLD_HEADER.size + count * _OLD_ENTRY_SIZE
    aligned = (end + 7) & ~7
    return aligned if data.startswith(_NEW_MAGIC, aligned) else None


def _iter_entries(data: bytes) -> Iterator[tuple[str, str]]:
    (claimed,) = struct.unpack_from("<I", data.ljust(24, b"\0"), len(_NEW_MAGIC))
    fitting = max(len(data) - _NEW_HEADER_SIZE, 0) // _NEW_ENTRY.size
    end = _NEW_HEADER_SIZE + min(claimed, fitting) * _NEW_ENTRY.size
    for flags, key, value, _, _ in _NEW_ENTRY.iter_unpack(data[_NEW_HEADER_SIZE:end]):
        abi = flags >> 8 & _TYPE_MASK
        if flags & _TYPE_MASK != _ELF_LIBC6 or abi in _NARROW_ABIS:
            continue
        soname, path = _text_at(data, key), _text_at(data, value)
        if soname and path.startswith("/"):
            yield soname, path


def _text_at(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset, offset + 4096)
    return data[offset:end].decode("utf-8", "replace") if end > offset else ""


def loader_folders(source: Source) -> tuple[str, ...]:
    """Folders the loader knows from its configuration, those built in last.

    ld.so.conf and its includes on glibc, the path file on musl; only existing folders.
    """
    wanted = dict.fromkeys(_iter_conf_folders(source))
    for path in MUSL_PATH_FILES:
        wanted.update(dict.fromkeys(_musl_folders(source.find_text(path) or "")))
    wanted.update(dict.fromkeys(DEFAULT_FOLDERS))
    return tuple(folder for folder in wanted if source.is_dir(folder))


def _musl_folders(text: str) -> list[str]:
    parts = text.replace("\n", ":").split(":")
    return [part.strip() for part in parts if part.strip().startswith("/")]


def _iter_conf_folders(
    source: Source, path: str = CONF_PATH, seen: set[str] | None = None
) -> Iterator[str]:
    """Folders named in a configuration file, its includes read in place."""
    seen = set() if seen is None else seen
    if path in seen or len(seen) >= MAX_CONF_FILES:
        return
    seen.add(path)
    for line in (source.find_text(path) or "").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                for included in _expand(source, pattern):
                    yield from _iter_conf_folders(source, included, seen)
        elif words and words[0].startswith("/"):
            yield words[0].partition("=")[0].rstrip("/") or "/"


def _expand(source: Source, pattern: str) -> list[str]:
    """Files an `include` line means; a relative one starts at /etc."""
    folder, _, name = pattern.rpartition("/")
    folder = folder if pattern.startswith("/") else f"/etc/{folder}".rstrip("/")
    return [f"{folder}/{n}" for n in source.list_dir(folder) if fnmatchcase(n, name)]
