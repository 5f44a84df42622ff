"""Which GPUs a library holds code for, read from its CUDA fat binaries.

The layout is the one `cuobjdump` understands: a header with magic number and size, then
entries, each with its kind (PTX or machine code) and architecture number. A library of
another project that was linked in (cuDNN, MAGMA) brings fat binaries of its own, so the
result is the most frequent set of a framework's own kernels, not the union.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAGIC = struct.pack("<I", 0xBA55ED50)
_HEADER = struct.Struct("<IHHQ")  # magic, version, header size, size of the entries
_ENTRY = struct.Struct("<HHIQ")  # kind, version, header size, size of the payload
_ARCH_OFFSET = 28
_PTX, _MACHINE_CODE = 1, 2
_ENTRY_HEADER_MAX = 4096
_FAT_BINARY_MAX = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FatBinaryCode:
    """Architectures of one fat binary: machine code and PTX, as 80 for 8.0."""

    machine_code: frozenset[int]
    ptx: frozenset[int]


def iter_fat_binaries(pieces: Iterable[bytes]) -> Iterator[FatBinaryCode]:
    """Yield the code of every fat binary in a stream of pieces without overlap."""
    buffer = b""
    for piece in pieces:
        buffer += piece
        start = 0
        while (start := buffer.find(_MAGIC, start)) >= 0:
            end = _end_of(buffer, start)
            if end is None:
                start += len(_MAGIC)
                continue
            if end > len(buffer):
                break
            yield _read_code(buffer, start, end)
            start = end
        buffer = buffer[start:] if start >= 0 else buffer[-len(_MAGIC) + 1 :]


def own_code(fat_binaries: Iterable[FatBinaryCode]) -> FatBinaryCode | None:
    """Return the code of the framework's own kernels, None when there are none.

    Kernels with PTX are the framework's own: the libraries linked into old builds have
    none. Without any PTX the most frequent set counts.
    """
    counted = Counter(fat_binaries)
    with_ptx = Counter({code: times for code, times in counted.items() if code.ptx})
    chosen = (with_ptx or counted).most_common(1)
    return chosen[0][0] if chosen else None


def _end_of(buffer: bytes, start: int) -> int | None:
    """Where the fat binary ends (past the buffer: incomplete); None if it is none."""
    if start + _HEADER.size > len(buffer):
        return len(buffer) + 1
    _, version, header_size, size = _HEADER.unpack_from(buffer, start)
    if version != 1 or header_size != _HEADER.size or size > _FAT_BINARY_MAX:
        return None
    end: int = start + header_size + size
    return end


def _read_code(buffer: bytes, start: int, end: int) -> FatBinaryCode:
    found: dict[int, set[int]] = {_PTX: set(), _MACHINE_CODE: set()}
    position = start + _HEADER.size
    while position + _ARCH_OFFSET + 4 <= end:
        kind, _, header_size, size = _ENTRY.unpack_from(buffer, position)
        if not _ENTRY.size <= header_size <= _ENTRY_HEADER_MAX:
            break
        (arch,) = struct.unpack_from("<I", buffer, position + _ARCH_OFFSET)
        found.setdefault(kind, set()).add(arch)
        position += header_size + size
    return FatBinaryCode(
        machine_code=frozenset(found[_MACHINE_CODE]), ptx=frozenset(found[_PTX])
    )
