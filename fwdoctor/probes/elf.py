"""Loader facts of one ELF object: what it needs and where it says to look.

The objects that matter here are 64-bit little-endian, and reading them with `struct`
takes a tenth of a millisecond; pyelftools (30 ms to import, 1 to 20 ms an object) reads
the rest and is the tests' second opinion.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.probes.source import Source

MAX_HEADERS = 512
MAX_OFFSET = 1 << 40
MAX_DYNAMIC_BYTES = 1_048_576
MAX_TEXT_BYTES = 1_048_576
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_DT_FLAGS_1, _DF_1_NODEFLIB = 0x6FFFFFFB, 0x800


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """Dynamic-section facts of a shared object or program."""

    path: str
    machine: int
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    has_no_default_path: bool = False  # linked with -z nodefaultlib


class NotElfError(ValueError):
    """The file is no ELF object the loader would take; the text says why."""


def read_elf(source: Source, path: str) -> ElfFacts:
    """Facts of the object at `path`; raises OSError, or NotElfError for garbage."""
    with open_object(source, path) as stream:
        ident = stream.read(64)
        if len(ident) < 52:
            raise NotElfError("file too short")
        if ident[:4] != b"\x7fELF":
            raise NotElfError("invalid ELF header")
        try:
            if ident[4:6] == b"\x02\x01":
                return read_plain(stream, path)
            return _read_unusual(stream, path)
        except (struct.error, ValueError, OverflowError) as error:
            raise NotElfError(f"damaged ELF object: {error}") from error


def open_object(source: Source, path: str) -> IO[bytes]:
    """The file, opened; a pipe or device is refused, it could block for ever."""
    real = source.real_path(path)
    if not stat.S_ISREG(os.stat(real).st_mode):
        raise NotElfError("not a regular file")
    return open(real, "rb")


def read_plain(stream: IO[bytes], path: str) -> ElfFacts:
    """A 64-bit little-endian object."""
    head = _read_at(stream, 0, 64)
    machine = struct.unpack_from("<H", head, 18)[0]
    offset = struct.unpack_from("<Q", head, 32)[0]
    size, count = struct.unpack_from("<HH", head, 54)
    segments = list(_iter_segments(stream, offset, size, min(count, MAX_HEADERS)))
    dynamic = next((s for s in segments if s[0] == _PT_DYNAMIC), None)
    if dynamic is None:
        return ElfFacts(path=path, machine=machine)
    raw = _read_at(stream, dynamic[1], min(dynamic[3], MAX_DYNAMIC_BYTES))
    tags = list(_iter_tags(raw))
    return _facts_of(stream, path, machine, segments, tags)


def _read_at(stream: IO[bytes], offset: int, size: int) -> bytes:
    if not 0 <= offset < MAX_OFFSET:
        return b""  # a damaged header
    stream.seek(offset)
    return stream.read(size)


def _iter_segments(
    stream: IO[bytes], offset: int, size: int, count: int
) -> Iterator[tuple[int, int, int, int]]:
    """Type, file offset, address and file size of each program header."""
    if size < 56:
        return
    raw = _read_at(stream, offset, size * count)
    for at in range(0, len(raw) - 55, size):
        kind, _flags, begin, address, _physical, length = struct.unpack_from(
            "<IIQQQQ", raw, at
        )
        yield kind, begin, address, length


def _iter_tags(raw: bytes) -> Iterator[tuple[int, int]]:
    for tag, value in struct.iter_unpack("<QQ", raw[: len(raw) // 16 * 16]):
        if tag == 0:
            return
        yield tag, value


def _facts_of(
    stream: IO[bytes],
    path: str,
    machine: int,
    segments: list[tuple[int, int, int, int]],
    tags: list[tuple[int, int]],
) -> ElfFacts:
    first = dict(reversed(tags))
    table = _file_offset(segments, first.get(_DT_STRTAB, 0))

    def text_of(tag: int) -> str | None:
        return _text_at(stream, table + first[tag]) if tag in first else None

    needed = [_text_at(stream, table + v) for tag, v in tags if tag == _DT_NEEDED]
    runpath = text_of(_DT_RUNPATH)
    # The loader ignores RPATH where there is a RUNPATH.
    rpath = None if runpath is not None else text_of(_DT_RPATH)
    return ElfFacts(
        path=path,
        machine=machine,
        soname=text_of(_DT_SONAME),
        needed=tuple(needed),
        rpath=_split_path(rpath),
        runpath=_split_path(runpath),
        has_no_default_path=bool(first.get(_DT_FLAGS_1, 0) & _DF_1_NODEFLIB),
    )


def _file_offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, begin, size in segments:
        if kind == _PT_LOAD and begin <= address < begin + size:
            return offset + address - begin
    raise NotElfError("its string table is outside the file")


def _text_at(stream: IO[bytes], offset: int) -> str:
    """NUL-terminated text; some run paths are tens of kilobytes long."""
    text = _read_at(stream, offset, 512)
    while text and b"\0" not in text and len(text) < MAX_TEXT_BYTES:
        more = stream.read(65_536)
        if not more:
            break
        text += more
    return text.partition(b"\0")[0].decode("utf-8", "replace")


def _split_path(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(":"))) if text else ()


def _read_unusual(stream: IO[bytes], path: str) -> ElfFacts:
    """A 32-bit or big-endian object, through pyelftools."""
    try:
        from elftools.common.exceptions import ELFError  # slow, rarely needed
        from elftools.elf.dynamic import DynamicSegment
        from elftools.elf.elffile import ELFFile
    except ImportError as error:  # as in rescue.py, which has no dependencies
        raise NotElfError("not a 64-bit object, and pyelftools is absent") from error

    try:
        elf = ELFFile(stream)
        tags = [
            tag
            for segment in elf.iter_segments()
            if isinstance(segment, DynamicSegment)
            for tag in segment.iter_tags()
        ]
        machine = _machine_number(stream, is_little=elf.little_endian)
    except (ELFError, LookupError, AttributeError, TypeError, OSError) as error:
        raise NotElfError(f"damaged ELF object: {error}") from error

    def texts_of(kind: str) -> tuple[str, ...]:
        name = kind.removeprefix("DT_").lower()  # pyelftools' attribute for the text
        return tuple(getattr(t, name) for t in tags if t.entry.d_tag == kind)

    runpath = "".join(texts_of("DT_RUNPATH")[:1])
    rpath = "" if runpath else "".join(texts_of("DT_RPATH")[:1])
    return ElfFacts(
        path=path,
        machine=machine,
        soname=next(iter(texts_of("DT_SONAME")), None),
        needed=texts_of("DT_NEEDED"),
        rpath=_split_path(rpath),
        runpath=_split_path(runpath),
    )


def _machine_number(stream: IO[bytes], *, is_little: bool) -> int:
    raw = _read_at(stream, 18, 2)
    return int.from_bytes(raw, "little" if is_little else "big")


def find_section(stream: IO[bytes], name: bytes) -> tuple[int, int] | None:
    """File offset and size of a named section of a 64-bit little-endian object."""
    head = _read_at(stream, 0, 64)
    if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
        return None
    offset = struct.unpack_from("<Q", head, 40)[0]
    size, count, names_index = struct.unpack_from("<HHH", head, 58)
    if size < 64 or not 0 < count <= MAX_HEADERS or names_index >= count:
        return None
    raw = _read_at(stream, offset, size * count)
    if len(raw) < size * count:
        return None
    rows = [struct.unpack_from("<IIQQQQ", raw, at * size) for at in range(count)]
    names = _read_at(stream, rows[names_index][4], min(rows[names_index][5], 65_536))
    for row in rows:
        if names[row[0] :].partition(b"\0")[0] == name:
            return row[4], row[5]
    return None
