"""Package names and versions from rpm's SQLite database, without running rpm.

Older rpm keeps a Berkeley database, which is not read.
"""

from __future__ import annotations

import struct
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from fwdoctor.model.snapshot import DriverPackage

if TYPE_CHECKING:
    import re
    import sqlite3
    from collections.abc import Iterator

    from fwdoctor.probes.source import Source

DATABASES = ("/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite")
MAX_STEPS = 5_000_000  # of SQLite's machine; a hostile database could run for ever
_EPOCH, _NAME, _VERSION, _RELEASE = 1003, 1000, 1001, 1002
_ENTRY_BYTES = 16


def read_rpm_packages(
    source: Source, wanted: re.Pattern[str]
) -> tuple[DriverPackage, ...] | None:
    """The packages whose whole name matches; None without a readable database.

    Versions are `epoch:version-release`, without the epoch where there is none.
    """
    for path in DATABASES:
        try:
            source.read_bytes(path, 0)  # refuses what is not a regular file
            return tuple(_iter_packages(source.real_path(path), wanted))
        except (OSError, ValueError):
            continue
    return None


def _iter_packages(path: str, wanted: re.Pattern[str]) -> Iterator[DriverPackage]:
    """Raises OSError when the file is no database of rpm's."""
    try:
        import sqlite3
    except ImportError as error:  # a Python built without it
        raise OSError(str(error)) from error
    try:
        # Immutable: no lock and no journal is written beside the examined file.
        address = f"file:{quote(path)}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.set_progress_handler(lambda: 1, MAX_STEPS)
            yield from _query(database, wanted)
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error


def _query(
    database: sqlite3.Connection, wanted: re.Pattern[str]
) -> Iterator[DriverPackage]:
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")
    rows = database.execute("SELECT key, hnum FROM Name ORDER BY key, hnum")
    numbers = [n for key, n in rows if isinstance(key, str) and wanted.fullmatch(key)]
    for number in numbers:
        query = "SELECT blob FROM Packages WHERE hnum = ?"
        for (blob,) in database.execute(query, (number,)):
            package = parse_header(blob) if isinstance(blob, bytes) else None
            if package is not None:
                yield package


def parse_header(blob: bytes) -> DriverPackage | None:
    """Read an rpm header: two counts, an index of tags, then their values."""
    if len(blob) < 8:
        return None
    count, size = struct.unpack_from(">II", blob)
    start = 8 + count * _ENTRY_BYTES
    if start + size > len(blob):
        return None
    offsets = dict(_iter_offsets(blob, count))
    name, version, release = (
        _text_at(blob, start, offsets.get(tag)) for tag in (_NAME, _VERSION, _RELEASE)
    )
    if not name or not version:
        return None
    epoch = _number_at(blob, start, offsets.get(_EPOCH))
    prefix = f"{epoch}:" if epoch else ""
    return DriverPackage(
        name=name, version=f"{prefix}{version}-{release or ''}", manager="rpm"
    )


def _iter_offsets(blob: bytes, count: int) -> Iterator[tuple[int, int]]:
    for at in range(8, 8 + count * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, _, offset, _ = struct.unpack_from(">IIII", blob, at)
        yield tag, offset


def _text_at(blob: bytes, start: int, offset: int | None) -> str | None:
    if offset is None:
        return None
    end = blob.find(b"\0", start + offset)
    if end < 0:
        return None
    return blob[start + offset : end].decode("utf-8", "replace")


def _number_at(blob: bytes, start: int, offset: int | None) -> int:
    if offset is None or start + offset + 4 > len(blob):
        return 0
    return int.from_bytes(blob[start + offset : start + offset + 4], "big")
