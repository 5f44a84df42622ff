"""rpm's SQLite database: the tables rpm 4.18 makes, and damaged ones."""

from __future__ import annotations

import re
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import DriverPackage
from fwdoctor.probes import rpm_database
from fwdoctor.probes.driver_packages import read_packages
from fwdoctor.probes.rpm_database import read_rpm_packages

if TYPE_CHECKING:
    from fwdoctor.probes.source import Source
    from tests.probes.conftest import MakeSource

NVIDIA = re.compile(r"nvidia-.*")


def header(name: str, epoch: int | None, version: str, release: str) -> bytes:
    """An rpm header with its usual tags."""
    data = b""
    entries = []
    for tag, text in ((1000, name), (1001, version), (1002, release)):
        entries.append((tag, 6, len(data), 1))
        data += text.encode() + b"\0"
    if epoch is not None:
        data += bytes(-len(data) % 4)
        entries.append((1003, 4, len(data), 1))
        data += struct.pack(">I", epoch)
    index = b"".join(struct.pack(">IIII", *entry) for entry in entries)
    return struct.pack(">II", len(entries), len(data)) + index + data


def _database(
    make_source: MakeSource, headers: dict[str, bytes], path: str = ""
) -> Source:
    place = path or rpm_database.DATABASES[0]
    source = make_source({place: ""})
    with closing(sqlite3.connect(source.root + place)) as database:
        database.execute(
            "CREATE TABLE 'Packages' "
            "(hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"
        )
        database.execute(
            "CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL)"
        )
        for name, blob in headers.items():
            row = database.execute("INSERT INTO Packages (blob) VALUES (?)", (blob,))
            database.execute("INSERT INTO Name VALUES (?, ?)", (name, row.lastrowid))
        database.commit()
    return source


def _rpm(name: str, version: str) -> DriverPackage:
    return DriverPackage(name=name, version=version, manager="rpm")


@pytest.mark.parametrize("path", rpm_database.DATABASES)
def test_wanted_packages(make_source: MakeSource, path: str) -> None:
    headers = {
        "nvidia-driver-cuda": header("nvidia-driver-cuda", 3, "550.54.15", "1.el9"),
        "nvidia-fabricmanager": header("nvidia-fabricmanager", None, "550.54.15", "1"),
        "bash": header("bash", None, "5.1.8", "9.el9"),
        "nvidia-broken": b"\0\0",
    }
    assert read_rpm_packages(_database(make_source, headers, path), NVIDIA) == (
        _rpm("nvidia-driver-cuda", "3:550.54.15-1.el9"),
        _rpm("nvidia-fabricmanager", "550.54.15-1"),
    )


def test_they_are_driver_packages(make_source: MakeSource) -> None:
    blob = header("kmod-nvidia-latest", 3, "550.54.15", "1.el9")
    source = _database(make_source, {"kmod-nvidia-latest": blob})
    packages = read_packages(source)
    assert packages is not None
    assert [(p.name, p.manager, p.state) for p in packages] == [
        ("kmod-nvidia-latest", "rpm", "installed")
    ]


def test_no_database(make_source: MakeSource) -> None:
    assert read_rpm_packages(make_source(), NVIDIA) is None


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0xx"])
def test_no_database_inside(make_source: MakeSource, content: bytes) -> None:
    source = make_source({rpm_database.DATABASES[0]: content})
    assert read_rpm_packages(source, NVIDIA) is None


def test_a_database_that_would_run_for_ever(make_source: MakeSource) -> None:
    source = make_source({rpm_database.DATABASES[0]: ""})
    with closing(sqlite3.connect(source.root + rpm_database.DATABASES[0])) as database:
        database.execute(
            "CREATE VIEW Name AS WITH RECURSIVE n(key, hnum) AS "
            "(SELECT 'a', 1 UNION ALL SELECT 'a', hnum + 1 FROM n) SELECT * FROM n"
        )
        database.commit()
    assert read_rpm_packages(source, NVIDIA) is None


def test_reading_leaves_no_file_behind(make_source: MakeSource) -> None:
    source = _database(make_source, {})
    assert read_rpm_packages(source, NVIDIA) == ()
    assert source.list_dir("/var/lib/rpm") == ("rpmdb.sqlite",)


@given(blob=st.binary(max_size=200))
def test_any_header(blob: bytes) -> None:
    rpm_database.parse_header(blob)


@given(noise=st.binary(min_size=1, max_size=64), at=st.integers(0, 120))
def test_a_damaged_header(noise: bytes, at: int) -> None:
    blob = header("nvidia-driver", 3, "550.54.15", "1.el9")
    rpm_database.parse_header(blob[:at] + noise + blob[at + len(noise) :])
