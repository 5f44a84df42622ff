"""Which files' content the probes read, and setting it aside while a layer passes by.

A path that a probe reads and that is not wanted here would look unreadable in an image;
tests compare what probes read of an unpacked tree with what `is_wanted` says.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
from typing import IO, TYPE_CHECKING

from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS
from fwdoctor.image.streams import CHUNK
from fwdoctor.image.tree import Kept
from fwdoctor.probes.elf import NotElfError, read_plain

if TYPE_CHECKING:
    from fwdoctor.image.limits import Limits
    from fwdoctor.image.streams import Region
    from fwdoctor.image.tar import Member, TarReader

_ELF = b"\x7fELF"
_SCRIPT_BYTES = 65_536
_WHOLE = re.compile(
    r"""
    etc/.* | usr/lib/os-release
    | var/lib/dpkg/(?:status | info/[^/]*\.list) | var/lib/dkms/.*
    | (?:var/lib/rpm|usr/lib/sysimage/rpm)/[^/]* | var/lib/pacman/local/[^/]*/desc
    | .*\.(?:dist|egg)-info/(?:METADATA|INSTALLER|RECORD|direct_url\.json|PKG-INFO)
    | .*\.egg-info | .*-packages/[^/]*\.(?:pth|egg-link)
    | .*/conda-meta/[^/]* | .*pyvenv\.cfg | .*/patchlevel\.h
    | .*\.conda/environments\.txt | .*\.pyenv/version
    | .*/torch/(?:version|__init__)\.py
    | .*/tensorflow\w*/(?:__init__|python/platform/build_info)\.py
    | .*/tensorflow\w*/include/tensorflow/core/public/\w*version\.h
    | .*/(?:cuda_config|dso_loader)\.h
    | (?:usr/)?lib/modules/.*/nvidia[^/]*\.ko[^/]*
    | .*/(?:cuda|cudnn|cudnn_version\w*|nccl|NvInferVersion)\.h
    | .*cuda[^/]*/version\.(?:json|txt)
    | (?:usr/)?lib(?:/[^/]*-linux-gnu)?/(?:libc\.so\.6|libc-2[^/]*\.so|ld-musl[^/]*)
    | (?:usr/)?lib64/(?:libc\.so\.6|libc-2[^/]*\.so)
    | .*/libtorch_python\.so | .*/libcudnn\.so\.\d[\d.]*
    """,
    re.VERBOSE,
)
_LIBRARY = re.compile(r".*\.so(?:\.[\d.]+)?")
_PROGRAM = re.compile(r".*/bin/(?:python[\d.]*|nvcc)")
# Extension modules are many, and only those of the frameworks are followed.
_EXTENSION = re.compile(r".*\.(?:cpython-|abi3|pypy)[^/]*\.so")
_FRAMEWORK = re.compile(r".*-packages/(?:torch|tensorflow\w*)/.*")


# Most files of an image end so; only these few of them are read.
_COMMON = (".py", ".pyc", ".pyi", ".h", ".hpp", ".cuh", ".html", ".js", ".txt", ".a")
_READ = frozenset(
    {
        *("version.py", "__init__.py", "build_info.py", "patchlevel.h", "version.h"),
        *("release_version.h", "cuda_config.h", "dso_loader.h", "cuda.h", "cudnn.h"),
        *("cudnn_version.h", "cudnn_version_v8.h", "cudnn_version_v9.h", "nccl.h"),
        *("NvInferVersion.h", "environments.txt", "version.txt"),
    }
)


def is_common(path: str) -> bool:
    """Whether a look at the end of the path shows that nothing reads the file."""
    return path.endswith(_COMMON) and path.rpartition("/")[2] not in _READ


def is_whole(path: str) -> bool:
    """Whether the whole content is wanted; `path` is without its leading slash."""
    return _WHOLE.fullmatch(path) is not None


def is_library(path: str) -> bool:
    """Whether only what the loader reads of it is wanted."""
    if _EXTENSION.fullmatch(path) and not _FRAMEWORK.fullmatch(path):
        return False
    return bool(_LIBRARY.fullmatch(path) or _PROGRAM.fullmatch(path))


class Keeper:
    """Sets content aside in a folder of its own, as files named by number."""

    def __init__(self, folder: str, *, limits: Limits = LIMITS) -> None:
        self._folder, self._limits = folder, limits
        self._count = self._bytes = 0

    def keep(self, member: Member, path: str, reader: TarReader) -> Kept | None:
        """What probes read of the current member, or None where they read nothing."""
        if member.is_sparse or member.size == 0 or is_common(path):
            return None
        is_executable = bool(member.mode & 0o111)
        if is_whole(path) and member.size <= self._limits.kept_file_bytes:
            copy: str | None = self._copy(reader)
        elif is_library(path) and member.size <= self._limits.library_bytes:
            copy = self._distil(member, reader)
        else:
            return None
        return Kept(member.size, copy, is_executable) if copy else None

    def _new_path(self, size: int) -> str:
        self._count += 1
        self._bytes += size
        if self._count > self._limits.kept_files or (
            self._bytes > self._limits.kept_bytes
        ):
            raise ImageError(
                "the image has more package and library files than are looked into",
                hint="docs/image.md states the limits",
            )
        return os.path.join(self._folder, str(self._count))

    def _copy(self, reader: TarReader) -> str:
        path = self._new_path(0)
        with open(path, "wb") as target:
            while content := reader.read(CHUNK):
                self._bytes += len(content)
                if self._bytes > self._limits.kept_bytes:
                    self._new_path(0)  # says that it is too much
                target.write(content)
        return path

    def _distil(self, member: Member, reader: TarReader) -> str | None:
        """A file of the same size that holds only what the loader reads of it."""
        region = reader.region
        if region is not None:
            return self._write_pieces(member.size, _Recorder(region))
        # Where the layer is compressed nothing can be skipped, and what is needed
        # stands at the end as often as at the front: one library at a time goes
        # through a scratch file.
        head = reader.read(4)
        if head != _ELF and member.size > _SCRIPT_BYTES:
            return None
        with open(os.path.join(self._folder, "scratch"), "w+b") as scratch:
            scratch.write(head)
            while content := reader.read(CHUNK):
                scratch.write(content)
            return self._write_pieces(member.size, _Recorder(scratch))

    def _write_pieces(self, size: int, recorder: _Recorder) -> str | None:
        if recorder.read(4) != _ELF and size <= _SCRIPT_BYTES:
            recorder.seek(0)
            recorder.read(_SCRIPT_BYTES)  # a wrapper script, a linker script
        # What cannot be read of a damaged object, the probe will not read either.
        with contextlib.suppress(NotElfError, OSError, ValueError, struct.error):
            recorder.seek(0)
            recorder.read(64)
            read_plain(recorder, "")  # type: ignore[arg-type]  # it seeks and reads
        pieces = recorder.pieces
        if not pieces:
            return None
        path = self._new_path(sum(len(piece) for piece in pieces.values()))
        with open(path, "wb") as target:
            for offset, piece in sorted(pieces.items()):
                target.seek(offset)
                target.write(piece)
            target.truncate(size)
        return path

    def close(self) -> None:
        """Remove everything that was set aside."""
        shutil.rmtree(self._folder, ignore_errors=True)


class _Recorder:
    """A stream that remembers what was read of it."""

    def __init__(self, stream: IO[bytes] | Region) -> None:
        self._stream = stream
        self.pieces: dict[int, bytes] = {}
        stream.seek(0)

    def read(self, size: int = -1) -> bytes:
        at = self._stream.tell()
        content = self._stream.read(size)
        if len(content) > len(self.pieces.get(at, b"")):
            self.pieces[at] = content
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
