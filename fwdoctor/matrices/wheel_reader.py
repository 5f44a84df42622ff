"""Opening single members of a remote wheel without downloading the wheel.

A wheel is a zip file: its directory stands at the end, and HTTP ranges reach every
member. Small members are read whole; large libraries are decompressed as a stream and
searched piece by piece, so memory stays small.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import OrderedDict
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from fwdoctor.matrices.index_reader import IndexReadError, fetch
from fwdoctor.matrices.wheel_names import python_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BLOCK_BYTES = 2 << 20
KEPT_BLOCKS = 8
CHUNK_BYTES = 1 << 20
OVERLAP_BYTES = 256  # a string cut by a chunk's end is found in the next chunk


SYMBOLS_WITHIN_BYTES = 256 << 20  # of the largest libraries the first part will do
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,  # no such member
    ValueError,
    NotImplementedError,  # a way of compressing that zipfile does not know
)
_GLIBC_VERSION = r"GLIBC_(2\.\d+)(?:\.\d+)?\x00"


class RangeFile(io.RawIOBase):
    """A read-only seekable file over HTTP ranges, with a few blocks kept."""

    def __init__(self, url: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        super().__init__()
        self.url = url
        self.bytes_read = 0
        self._block_bytes = block_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._size = _remote_size(url)

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be positioned: always."""
        return True

    def tell(self) -> int:
        """Return the position the next read starts at."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed names its Buffer protocol, absent before 3.12
        """Fill the buffer from the block at the position; 0 at the end."""
        if self._position >= self._size:
            return 0
        number, offset = divmod(self._position, self._block_bytes)
        piece = self._block(number)[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            first = number * self._block_bytes
            last = min(first + self._block_bytes, self._size) - 1
            body, _ = fetch(self.url, {"Range": f"bytes={first}-{last}"})
            if len(body) != last - first + 1:
                raise IndexReadError(
                    "wheel-cut-off",
                    f"`{_filename(self.url)}`: the server sent {len(body)} bytes"
                    f" of {last - first + 1}",
                )
            self.bytes_read += len(body)
            self._blocks[number] = body
            while len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[number]


class RemoteWheel:
    """A wheel on an index, opened member by member."""

    def __init__(self, url: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.filename = _filename(url)
        self._file = RangeFile(url, block_bytes=block_bytes)
        try:
            self._zip = zipfile.ZipFile(io.BufferedReader(self._file))
        except _DAMAGE as error:
            raise IndexReadError(
                "not-a-wheel", f"`{self.filename}` is no zip file: {error}"
            ) from error

    @property
    def bytes_read(self) -> int:
        """How much was downloaded so far."""
        return self._file.bytes_read

    @property
    def members(self) -> Mapping[str, int]:
        """Member names and their sizes when unpacked."""
        return {item.filename: item.file_size for item in self._zip.infolist()}

    def find_member(self, pattern: str) -> str | None:
        """Return the largest member whose whole name matches, if any."""
        sizes = self.members
        matching = [name for name in sizes if re.fullmatch(pattern, name)]
        return max(matching, key=lambda name: (sizes[name], name), default=None)

    def read_text(self, member: str) -> str:
        """Return a small member as text."""
        with self._naming(member):
            return self._zip.read(member).decode("utf-8", "replace")

    def iter_chunks(
        self, member: str, *, overlap_bytes: int = OVERLAP_BYTES
    ) -> Iterator[bytes]:
        """Yield a member piece by piece, each beginning with the end of the last."""
        tail = b""
        with self._naming(member), self._zip.open(member) as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield tail + piece
                tail = (tail + piece)[-overlap_bytes:] if overlap_bytes else b""

    @contextmanager
    def _naming(self, member: str) -> Iterator[None]:
        """Say which wheel and member are damaged, or absent."""
        try:
            yield
        except _DAMAGE as error:
            raise IndexReadError(
                "not-the-wheel-expected", f"`{self.filename}`: {member}: {error}"
            ) from error

    def find_strings(
        self, member: str, pattern: str, *, limit_bytes: int | None = None
    ) -> set[str]:
        """Return what a pattern's group (else all of it) matches in a member."""
        compiled = re.compile(pattern.encode())
        chunks = self.iter_chunks(member)
        if limit_bytes is not None:
            chunks = islice(chunks, limit_bytes // CHUNK_BYTES)
        return {_text_of(hit) for chunk in chunks for hit in compiled.finditer(chunk)}


def glibc_floor(wheel: RemoteWheel, libraries: Iterable[str]) -> str | None:
    """Return the newest glibc any of these libraries asks a symbol version of."""
    versions: set[str] = set()
    for pattern in libraries:
        member = wheel.find_member(pattern)
        if member:
            versions |= wheel.find_strings(
                member, _GLIBC_VERSION, limit_bytes=SYMBOLS_WITHIN_BYTES
            )
    return max(versions, key=python_key, default=None)


def read_metadata(url: str, *, has_sidecar: bool) -> str:
    """Return a wheel's METADATA: from the offered `.metadata` file, else its zip."""
    if has_sidecar:
        return fetch(f"{url}.metadata")[0].decode("utf-8", "replace")
    wheel = RemoteWheel(url, block_bytes=CHUNK_BYTES // 4)
    member = wheel.find_member(r"[^/]+\.dist-info/METADATA")
    return wheel.read_text(member) if member else ""


def _text_of(hit: re.Match[bytes]) -> str:
    return hit.group(hit.lastindex or 0).decode("ascii", "replace")


def _remote_size(url: str) -> int:
    _, headers = fetch(url, {"Range": "bytes=0-0"})
    size = headers.get("Content-Range", "").rpartition("/")[2]
    if not size.isdecimal():
        raise IndexReadError(
            "size-unknown", f"`{_filename(url)}`: the server does not tell its size"
        )
    return int(size)


def _filename(url: str) -> str:
    return url.rsplit("/", 1)[-1]
