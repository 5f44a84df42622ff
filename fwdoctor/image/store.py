"""Where an image's blobs lie: a folder, a tar archive, or a compressed tar archive."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import stat
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS
from fwdoctor.image.streams import CHUNK, Region, drain, open_layer
from fwdoctor.image.tar import TarReader

if TYPE_CHECKING:
    from fwdoctor.image.layer import LayerIndexer
    from fwdoctor.image.tar import Member
    from fwdoctor.image.tree import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a layer must hash to: its stored bytes, or the tar archive inside."""

    name: str  # of the layer, for messages
    value: str | None  # "sha256:…"; None: nothing to compare with
    is_of_content: bool

    @property
    def algorithm(self) -> str:
        """The name of the hash."""
        return (self.value or "sha256:").partition(":")[0]

    def compare(self, found: str) -> None:
        """Raises ImageError when what was found is another digest."""
        if self.value is not None and self.value != found:
            raise ImageError(
                f"{self.name}: its digest is {found[:19]}…,"
                f" and should be {self.value[:19]}…",
                hint="the image was damaged or changed after it was made",
            )


class Store(Protocol):
    """Documents and layers by their path inside the layout."""

    def find(self, name: str) -> bytes | None:
        """A small document; None when there is none of that name."""

    def layer(self, digest: Digest) -> Folder:
        """The index of a layer, once its digest was compared."""

    def size(self, name: str) -> int:
        """Bytes of a blob as stored."""

    def close(self) -> None:
        """Close what is open."""


class FolderStore:
    """An OCI layout, or an unpacked Docker archive, as a folder."""

    def __init__(self, folder: str, indexer: LayerIndexer) -> None:
        self._folder, self._indexer = folder, indexer

    def find(self, name: str) -> bytes | None:
        """A small document; None when there is none of that name."""
        try:
            with _open_regular(os.path.join(self._folder, name)) as stream:
                return _read_document(stream, name)
        except FileNotFoundError:
            return None

    def layer(self, digest: Digest) -> Folder:
        """The index of a layer whose bytes have its digest."""
        try:
            stream = _open_regular(os.path.join(self._folder, digest.name))
        except FileNotFoundError:
            raise _missing(digest.name) from None
        with stream:
            whole = Region(stream, 0, os.fstat(stream.fileno()).st_size)
            return _index(whole, stream.name, 0, digest, self._indexer)

    def size(self, name: str) -> int:
        """Bytes of a blob as stored."""
        with contextlib.suppress(OSError):
            return os.stat(os.path.join(self._folder, name)).st_size
        return 0

    def close(self) -> None:
        """Nothing is open."""


class TarStore:
    """The same in one tar archive that can be read at any place."""

    def __init__(self, path: str, indexer: LayerIndexer) -> None:
        self._path, self._indexer = path, indexer
        self._stream = _open_regular(path)
        self._members: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._list_members()
        except BaseException:
            self._stream.close()
            raise

    def _list_members(self) -> None:
        size = os.fstat(self._stream.fileno()).st_size
        whole = Region(self._stream, 0, size)
        reader = TarReader(whole, os.path.basename(self._path))
        for count, member in enumerate(reader):
            if count > LIMITS.entries:
                raise ImageError(f"{self._path}: too many members")
            name = posixpath.normpath(member.name).lstrip("/")
            if member.kind == "file":
                self._members[name] = (whole.tell(), member.stored)
            elif member.kind in ("symlink", "hardlink"):
                self._links[name] = _link_target(name, member)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def _region(self, name: str) -> Region | None:
        begin, size = self._members.get(self._links.get(name, name), (0, -1))
        return Region(self._stream, begin, size) if size >= 0 else None

    def find(self, name: str) -> bytes | None:
        """A small document; None when there is none of that name."""
        region = self._region(name)
        return _read_document(region, name) if region is not None else None

    def layer(self, digest: Digest) -> Folder:
        """The index of a layer whose bytes have its digest."""
        name = digest.name
        region = self._region(name)
        if region is None:
            raise _missing(name)
        begin, _ = self._members[self._links.get(name, name)]
        return _index(region, self._path, begin, digest, self._indexer)

    def size(self, name: str) -> int:
        """Bytes of a blob as stored."""
        region = self._region(name)
        return region.size if region is not None else 0

    def close(self) -> None:
        """Close the archive."""
        self._stream.close()


class StreamStore:
    """The same in a compressed tar archive: read once, every layer as it comes."""

    def __init__(self, path: str, indexer: LayerIndexer) -> None:
        self._documents: dict[str, bytes] = {}
        self._layers: dict[str, tuple[Folder, tuple[str, str], int]] = {}
        self._links: dict[str, str] = {}
        with _open_regular(path) as stream:
            name = os.path.basename(path)
            reader = TarReader(open_layer(stream, name), name)
            for member in reader:
                path_inside = posixpath.normpath(member.name).lstrip("/")
                if member.kind in ("symlink", "hardlink"):
                    self._links[path_inside] = _link_target(path_inside, member)
                elif member.kind == "file":
                    self._take(path_inside, reader, indexer)

    def _take(self, name: str, reader: TarReader, indexer: LayerIndexer) -> None:
        stored = _Hashing(reader)
        head = stored.read(1)
        if head in (b"{", b"["):
            content = head + _read_some(stored, LIMITS.document_bytes)
            self._documents[name] = content
            return
        tail = _Joined(head, stored)
        opened = _Hashing(open_layer(tail, name))
        try:
            tree = indexer.index(opened, name)
        except ImageError:
            if name.startswith("blobs/") or name.endswith("layer.tar"):
                raise
            return  # a file that is no layer: VERSION, oci-layout
        opened.finish()
        stored.finish()
        self._layers[name] = (tree, (stored.digest, opened.digest), stored.count)

    def find(self, name: str) -> bytes | None:
        """A small document; None when there is none of that name."""
        return self._documents.get(self._links.get(name, name))

    def layer(self, digest: Digest) -> Folder:
        """The index that was made when the layer came by."""
        name = digest.name
        found = self._layers.get(self._links.get(name, name))
        if found is None:
            raise _missing(name)
        digest.compare(found[1][digest.is_of_content])
        return found[0]

    def size(self, name: str) -> int:
        """Bytes of a blob as stored."""
        found = self._layers.get(self._links.get(name, name))
        return found[2] if found else 0

    def close(self) -> None:
        """Nothing is open."""


def _open_regular(path: str) -> IO[bytes]:
    """A file, opened; devices, pipes and links out of a layout are refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageError(f"{path} is not a regular file")
    return open(path, "rb", opener=lambda _path, _flags: descriptor)


def _link_target(name: str, member: Member) -> str:
    """The member a link names, as a name of the archive."""
    above = posixpath.dirname(name) if member.kind == "symlink" else ""
    return posixpath.normpath(posixpath.join(above, member.link))


def _read_document(stream: IO[bytes] | Region, name: str) -> bytes:
    content = stream.read(LIMITS.document_bytes + 1)
    if len(content) > LIMITS.document_bytes:
        raise ImageError(f"{name} is larger than {LIMITS.document_bytes >> 20} MiB")
    return content


def _read_some(stream: _Hashing, limit: int) -> bytes:
    content = bytearray()
    while len(content) <= limit and (more := stream.read(CHUNK)):
        content += more
    if len(content) > limit:
        raise ImageError(f"a document of more than {limit >> 20} MiB")
    return bytes(content)


def _missing(name: str) -> ImageError:
    return ImageError(
        f"{name} is named by the image and not in it",
        hint="an image that was saved in full has every layer",
    )


class _Hashing:
    """Passes bytes on and takes their SHA-256."""

    def __init__(self, stream: object) -> None:
        self._read = stream.read  # type: ignore[attr-defined]  # any Readable
        self._hash = hashlib.sha256()
        self.count = 0

    def read(self, size: int, /) -> bytes:
        content: bytes = self._read(size)
        self._hash.update(content)
        self.count += len(content)
        return content

    def finish(self) -> None:
        """Read what is left, such as the padding behind a tar archive."""
        drain(self)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Joined:
    """One byte that was read already, in front of the rest."""

    def __init__(self, head: bytes, rest: _Hashing) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        content, self._head = self._head, b""
        return content


def _index(
    region: Region, path: str, begin: int, digest: Digest, indexer: LayerIndexer
) -> Folder:
    """Index a layer and compare its digest; the stored bytes are hashed beside it."""
    name = digest.name
    if region.size > LIMITS.blob_bytes:
        raise ImageError(f"{name}: larger than {LIMITS.blob_bytes >> 30} GiB")
    opened = open_layer(region, name)
    if digest.is_of_content and opened is not region:
        content = _Hashing(opened)
        tree = indexer.index(content, name)
        content.finish()
        digest.compare(content.digest)
        return tree
    check = _DigestThread(path, begin, region.size, digest.algorithm)
    try:
        tree = indexer.index(opened, name)
        if opened is not region:
            drain(opened)
    except BaseException:
        check.stop()
        raise
    digest.compare(check.result())
    return tree


class _DigestThread:
    """SHA-256 of a part of a file, taken beside the main work."""

    def __init__(self, path: str, begin: int, size: int, algorithm: str) -> None:
        self._place = (path, begin, size)
        self._taken = hashlib.new(algorithm)
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        path, begin, size = self._place
        with open(path, "rb") as stream:
            stream.seek(begin)
            while size > 0 and (content := stream.read(min(size, CHUNK))):
                if self._is_stopped:
                    return
                self._taken.update(content)
                size -= len(content)

    def stop(self) -> None:
        self._is_stopped = True
        self._thread.join()

    def result(self) -> str:
        self._thread.join()
        return f"{self._taken.name}:{self._taken.hexdigest()}"
