"""Bytes of a layer, in order: plain, gzip or zstd, never more than the limits allow."""

from __future__ import annotations

import importlib
import zlib
from typing import IO, TYPE_CHECKING, Any, Protocol

from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS

if TYPE_CHECKING:
    from fwdoctor.image.limits import Limits

CHUNK = 1 << 20
_GZIP_INPUT = 1 << 16
_ZSTD_WINDOW = 1 << 27
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Readable(Protocol):
    """What bytes are read from, as `open` and the classes here give it."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class Region:
    """A part of an open file, as a file of its own that can seek."""

    def __init__(self, stream: IO[bytes], begin: int, size: int) -> None:
        self._stream, self._begin, self.size = stream, begin, size
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, up to the end of the region."""
        left = self.size - self._at
        wanted = left if size < 0 else min(size, left)
        self._stream.seek(self._begin + self._at)
        content = self._stream.read(wanted) if wanted > 0 else b""
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to an offset of the region."""
        base = (0, self._at, self.size)[whence]
        self._at = min(max(base + offset, 0), self.size)
        return self._at

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._at


class _Guard:
    """Counts what goes in and comes out of a decompressor."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name, self._limits = name, limits
        self.taken = self.given = 0

    def check(self) -> None:
        limits = self._limits
        if self.given > limits.blob_bytes:
            raise ImageError(
                f"{self._name}: more than {limits.blob_bytes >> 30} GiB when"
                " decompressed"
            )
        is_large = self.given > limits.growth_from
        if is_large and self.given > limits.growth * max(self.taken, 1):
            raise ImageError(
                f"{self._name}: grows more than {limits.growth}-fold when decompressed",
                hint="this looks like a decompression bomb; nothing of it was kept",
            )


class _Gzip:
    """Gzip members one after the other, as one stream."""

    def __init__(self, raw: Readable, guard: _Guard, name: str) -> None:
        self._raw, self._guard, self._name = raw, guard, name
        self._inflater = zlib.decompressobj(31)
        self._input = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; raises ImageError for damaged or truncated data."""
        while True:
            if self._inflater.eof and not self._next_member():
                return b""
            if not self._input:
                self._input = self._raw.read(_GZIP_INPUT)
                self._guard.taken += len(self._input)
                if not self._input:
                    raise ImageError(f"{self._name}: its gzip data ends too early")
            try:
                content = self._inflater.decompress(self._input, max(size, 1))
            except zlib.error as error:
                raise ImageError(f"{self._name}: damaged gzip data: {error}") from error
            self._input = self._inflater.unconsumed_tail
            if content:
                self._guard.given += len(content)
                self._guard.check()
                return content

    def _next_member(self) -> bool:
        rest = self._inflater.unused_data or self._raw.read(_GZIP_INPUT)
        if not rest.startswith(GZIP_MAGIC):
            return False  # padding behind the last member is allowed
        self._inflater, self._input = zlib.decompressobj(31), rest
        return True


class _Zstd:
    """Zstandard frames, by whichever reader this Python has."""

    def __init__(self, raw: Readable, guard: _Guard, name: str) -> None:
        self._guard, self._name = guard, name
        self._stream, self._error = _open_zstd(_Counting(raw, guard))

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; raises ImageError for damaged or truncated data."""
        try:
            content: bytes = self._stream.read(size)
        except (self._error, EOFError, OSError) as error:
            raise ImageError(f"{self._name}: damaged zstd data: {error}") from error
        self._guard.given += len(content)
        self._guard.check()
        return content


class _Counting:
    def __init__(self, raw: Readable, guard: _Guard) -> None:
        self._raw, self._guard = raw, guard

    def read(self, size: int = CHUNK, /) -> bytes:
        content = self._raw.read(size if size > 0 else CHUNK)
        self._guard.taken += len(content)
        return content

    def readable(self) -> bool:
        return True


def _open_zstd(raw: _Counting) -> tuple[Any, type[Exception]]:
    try:
        module = importlib.import_module("zstandard")
    except ImportError:
        return _open_own_zstd(raw)
    opener = module.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return opener.stream_reader(raw, read_across_frames=True), module.ZstdError


def _open_own_zstd(raw: _Counting) -> tuple[Any, type[Exception]]:
    """With the standard library of newer Pythons."""
    try:
        module = importlib.import_module("compression.zstd")
    except ImportError as error:
        raise ImageError(
            "a layer of this image is compressed with zstd, which this Python"
            " cannot read",
            hint='install the extra: pip install "fwdoctor[zstd]"',
        ) from error
    return module.ZstdFile(raw), module.ZstdError


def open_layer(raw: Readable, name: str, *, limits: Limits = LIMITS) -> Readable:
    """The tar bytes of a layer, decompressed as its first bytes ask for."""
    head = _read_fully(raw, 4)
    rest = _Prepended(head, raw)
    if head.startswith(GZIP_MAGIC):
        return _Gzip(rest, _Guard(name, limits), name)
    if head == ZSTD_MAGIC:
        return _Zstd(rest, _Guard(name, limits), name)
    return raw if isinstance(raw, Region) and raw.seek(0) == 0 else rest


def drain(stream: Readable) -> None:
    """Read to the end: what stands behind a tar archive, and the data's checksum."""
    while stream.read(CHUNK):
        pass


class _Prepended:
    """Bytes that were read already, in front of the rest."""

    def __init__(self, head: bytes, raw: Readable) -> None:
        self._head, self._raw = head, raw

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._raw.read(size)
        content, self._head = self._head[:size], self._head[size:]
        return content


def _read_fully(raw: Readable, size: int) -> bytes:
    content = b""
    while len(content) < size and (more := raw.read(size - len(content))):
        content += more
    return content
