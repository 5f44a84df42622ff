"""The members of a tar archive, one after the other, in bounded memory.

Reads ustar, GNU and pax archives as image builders write them. The standard library's
reader keeps every member and takes an extended header of any size into memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS
from fwdoctor.image.streams import CHUNK, Region

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.image.limits import Limits
    from fwdoctor.image.streams import Readable

BLOCK = 512
Kind = Literal["file", "folder", "symlink", "hardlink", "special"]
_KINDS: dict[bytes, Kind] = {
    b"\0": "file",
    b"0": "file",
    b"7": "file",
    b"S": "file",
    b"5": "folder",
    b"2": "symlink",
    b"1": "hardlink",
}


@dataclass(slots=True, kw_only=True)
class Member:
    """One file, folder or link as the archive describes it."""

    name: str
    kind: Kind
    size: int = 0  # of the content, as a reader of the unpacked file sees it
    stored: int = 0  # bytes in the archive
    mode: int = 0o644
    link: str = ""
    is_sparse: bool = False


class TarReader:
    """Iterates over members; `read` gives the content of the current one."""

    def __init__(self, stream: Readable, name: str, *, limits: Limits = LIMITS) -> None:
        self._stream, self._name, self._limits = stream, name, limits
        self._left = self._padding = 0
        self._next = 0  # where the next header is, in an archive that can seek
        self._pax: dict[str, str] = {}
        self._global: dict[str, str] = {}
        self._long: dict[bytes, str] = {}

    def __iter__(self) -> Iterator[Member]:
        while True:
            self._skip_rest()
            header = self._block()
            if header is None:
                return
            kind = header[156:157]
            stored = self._number(header[124:136])
            if kind in (b"x", b"g", b"L", b"K"):
                self._extend(kind, self._content(stored))
                continue
            yield self._member(header, kind, stored)

    @property
    def region(self) -> Region | None:
        """The content of the current member as a file, where the archive can seek."""
        if not isinstance(self._stream, Region):
            return None
        inner = self._stream
        return Region(inner, inner.tell(), self._left)  # type: ignore[arg-type]  # a Region reads and seeks as a file does

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the current member; none at its end."""
        wanted = min(size, self._left)
        if wanted <= 0:
            return b""
        content = self._stream.read(wanted)
        if not content:
            raise self._truncated()
        self._left -= len(content)
        return content

    def _block(self) -> bytes | None:
        """The next header; None at the end of the archive."""
        block = self._exactly(BLOCK, may_end=True)
        if not block or not any(block):
            return None  # a block of zeros ends the archive
        found = self._number(block[148:156])
        plain = sum(block) - sum(block[148:156]) + 8 * 32
        if found != plain:
            raise ImageError(f"{self._name}: not a tar archive, or a damaged one")
        return block

    def _exactly(self, size: int, *, may_end: bool = False) -> bytes:
        content = self._stream.read(size)
        while 0 < len(content) < size and (
            more := self._stream.read(size - len(content))
        ):
            content += more
        if len(content) < size and not (may_end and not content):
            raise self._truncated()
        return content

    def _truncated(self) -> ImageError:
        return ImageError(f"{self._name}: the archive ends too early")

    def _skip_rest(self) -> None:
        """Go to the next header; the padding of the last member may be missing."""
        size, self._left = self._left + self._padding, 0
        if isinstance(self._stream, Region):
            if self._next - self._padding > self._stream.size:
                raise self._truncated()
            self._stream.seek(self._next)
            return
        while size > 0:
            content = self._stream.read(min(size, CHUNK))
            if not content and size > self._padding:
                raise self._truncated()
            size = size - len(content) if content else 0

    def _content(self, stored: int) -> bytes:
        """The content of an extended header, padding read too."""
        if stored > self._limits.header_bytes:
            raise ImageError(
                f"{self._name}: a tar header of {stored} bytes is not believed"
            )
        content = self._exactly(-(-stored // BLOCK) * BLOCK)[:stored]
        self._note_next(0)
        return content

    def _note_next(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK
        if isinstance(self._stream, Region):
            self._next = self._stream.tell() + size + self._padding

    def _extend(self, kind: bytes, content: bytes) -> None:
        if kind in (b"L", b"K"):
            self._long[kind] = _text(content.partition(b"\0")[0])
            return
        fields = self._global if kind == b"g" else self._pax
        if len(fields) > 10_000:
            raise ImageError(f"{self._name}: too many fields in its tar headers")
        fields.update(_parse_pax(content))

    def _member(self, header: bytes, kind: bytes, stored: int) -> Member:
        pax = self._global | self._pax
        if pax.get("size", "").isdigit():
            stored = int(pax["size"][:19])
        name = pax.get("GNU.sparse.name") or pax.get("path") or self._long.get(b"L")
        link = pax.get("linkpath") or self._long.get(b"K") or _field(header, 157, 100)
        self._pax, self._long = {}, {}
        size, is_sparse = stored, kind == b"S"
        if is_sparse:
            size = self._number(header[483:495])
            self._skip_sparse_map(header)
        real = pax.get("GNU.sparse.realsize") or pax.get("GNU.sparse.size")
        if real is not None and real.isdigit():
            size, is_sparse = int(real[:19]), True
        member = Member(
            name=_plain_name(header) if name is None else name,
            kind=_KINDS.get(kind, "special"),
            size=size,
            stored=stored,
            mode=self._number(header[100:108]) & 0o7777,
            link=link,
            is_sparse=is_sparse,
        )
        if len(member.name) > self._limits.name_bytes:
            raise ImageError(f"{self._name}: a file name of {len(member.name)} bytes")
        if member.kind == "file" and member.name.endswith("/"):
            member.kind = "folder"  # as archives before POSIX wrote it
        has_content = member.kind == "file" or kind not in _KINDS
        self._note_next(stored if has_content else 0)
        return member

    def _skip_sparse_map(self, header: bytes) -> None:
        is_extended = header[482] != 0
        while is_extended:
            is_extended = self._exactly(BLOCK)[504] != 0

    def _number(self, field: bytes) -> int:
        """An octal number, or a binary one where the first bit is set."""
        if field[0] & 0x80:
            value = int.from_bytes(field[1:], "big")
            if field[0] & 0x40 or value >> 62:
                raise ImageError(f"{self._name}: a tar header with an absurd size")
            return value
        text = field.split(b"\0")[0].strip()
        try:
            return int(text, 8) if text else 0
        except ValueError:
            raise ImageError(
                f"{self._name}: not a tar archive, or a damaged one"
            ) from None


def _parse_pax(content: bytes) -> dict[str, str]:
    """Fields such as `30 path=usr/lib/libfoo.so.1`; damaged ones are left out."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(content):
        length, _, _ = content[at : at + 20].partition(b" ")
        if not length.isdigit() or int(length) <= len(length):
            break
        record = content[at + len(length) + 1 : at + int(length)]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if equals and not key.startswith((b"SCHILY.", b"LIBARCHIVE.")):
            fields[_text(key)] = _text(value)
        at += int(length)
    return fields


def _plain_name(header: bytes) -> str:
    name = _field(header, 0, 100)
    if header[257:263] == b"ustar\0":
        prefix = _field(header, 345, 155)
        return f"{prefix}/{name}" if prefix else name
    return name


def _field(header: bytes, offset: int, size: int) -> str:
    return _text(header[offset : offset + size].partition(b"\0")[0])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
