"""Reading whole/facts.json, where `pack.py` puts what `typed.py` asks of all files."""

from __future__ import annotations

import functools
import json
import os
import zlib
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.record import Record, Shared

if TYPE_CHECKING:
    from collections.abc import Mapping

# Sorts behind the files in it: a checkout or an installation writes it last, so it is
# the newest, and their bytes need not be compared.
NAME = "whole/facts.json"


def read_object(path: str) -> dict[str, Any]:
    """The JSON object in a file; MatrixError when there is none."""
    try:
        with open(path, "rb", buffering=0) as stream:
            data = json.loads(stream.read())
    except OSError as error:
        reason = error.strerror or error
        raise MatrixError("matrix-unreadable", f"{path}: {reason}") from error
    except (ValueError, RecursionError) as error:
        raise MatrixError("matrix-damaged", f"{path}: {error}") from error
    if not isinstance(data, dict):
        raise MatrixError("matrix-foreign", f"{path}: not a JSON object")
    return data


class Packed:
    """The packed file of a folder; it may be missing, and then holds nothing."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, *NAME.split("/"))

    def find(self, name: str) -> Record | None:
        """The facts of a file; None when it is not packed or changed since."""
        if name not in self._files:
            return None
        file = Record(self._path, name, self._files[name])
        size, checksum = (file.get(f, int, required=True) for f in ("size", "crc32"))
        if not self._is_unchanged(name, size, checksum):
            return None
        return Record(self._path, name, file.mapping("facts"), self._shared)

    def list_folder(self, folder: str) -> tuple[str, ...]:
        """The names of the files packed of a folder, in the order of packing."""
        start = f"{folder}/"
        return tuple(n.removeprefix(start) for n in self._files if n.startswith(start))

    def _is_unchanged(self, name: str, size: int | None, checksum: int | None) -> bool:
        path = f"{self._folder}{os.sep}{name}"
        try:
            stat = os.stat(path)
            if stat.st_size != size:
                return False
            if stat.st_mtime_ns <= self._written_ns:
                return True
            with open(path, "rb", buffering=0) as stream:
                return zlib.crc32(stream.read()) == checksum
        except OSError:
            return False  # reading it will say what is wrong

    @functools.cached_property
    def _data(self) -> Record:
        exists = os.path.isfile(self._path)
        return Record(self._path, "", read_object(self._path) if exists else {})

    @functools.cached_property
    def _files(self) -> Mapping[str, Any]:
        return self._data.mapping("files")

    @functools.cached_property
    def _shared(self) -> Shared:
        return Shared(self._data.get("shared", list) or ())

    @functools.cached_property
    def _written_ns(self) -> int:
        return os.stat(self._path).st_mtime_ns
