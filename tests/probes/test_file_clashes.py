"""Wheels that overwrote or removed each other's libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import FileClash, Package
from fwdoctor.probes.file_clashes import find_clashes, parse_record, read_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

CU12 = Package(name="nvidia-cudnn-cu12", version="9.28.0.42", location="/s")
CU13 = Package(name="nvidia-cudnn-cu13", version="9.26.0.51", location="/s")
LIBRARY = "nvidia/cudnn/lib/libcudnn.so.9"
HEADER = "nvidia/cudnn/include/cudnn.h"


def record(digest: str, size: int, path: str = LIBRARY) -> str:
    return f"{HEADER},sha256={digest},9\n{path},sha256={digest},{size}\nINSTALLER,,\n"


def place(package: Package, text: str | bytes) -> dict[str, str | bytes]:
    name = package.name.replace("-", "_")
    return {f"/s/{name}-{package.version}.dist-info/RECORD": text}


def test_the_size_on_disk_names_the_winner(make_source: MakeSource) -> None:
    source = make_source(
        {
            **place(CU12, record("aa", 5)),
            **place(CU13, record("bb", 3)),
            f"/s/{LIBRARY}": b"12345",
        }
    )
    records = read_records(source, [CU12, CU13])
    clash = FileClash(
        path=LIBRARY,
        owners=("nvidia-cudnn-cu12", "nvidia-cudnn-cu13"),
        winner="nvidia-cudnn-cu12",
    )
    assert find_clashes(records) == (clash,)
    owner = records.find_owner(f"/s/{LIBRARY}")
    meant = records.find_claim(f"/s/{LIBRARY}", 13)
    assert owner is not None
    assert meant is not None
    assert (owner.version, meant.version) == ("9.28.0.42", "9.26.0.51")


def test_unknown_size_names_nobody(make_source: MakeSource) -> None:
    source = make_source(
        {
            **place(CU12, record("aa", 5)),
            **place(CU13, record("bb", 3)),
            f"/s/{LIBRARY}": b"1234567",
        }
    )
    (clash,) = find_clashes(read_records(source, [CU12, CU13]))
    assert clash.winner is None


def test_same_content_is_no_clash(make_source: MakeSource) -> None:
    source = make_source(
        {
            **place(CU12, record("aa", 5)),
            **place(CU13, record("aa", 5)),
            f"/s/{LIBRARY}": b"12345",
        }
    )
    assert find_clashes(read_records(source, [CU12, CU13])) == ()


def test_library_lost_to_an_uninstall(make_source: MakeSource) -> None:
    source = make_source(place(CU13, record("bb", 3)))
    (lost,) = find_clashes(read_records(source, [CU13]))
    assert lost == FileClash(
        path=LIBRARY, owners=("nvidia-cudnn-cu13",), is_missing=True
    )


def test_healthy_and_foreign_packages_are_silent(make_source: MakeSource) -> None:
    other = Package(name="scipy", version="1", location="/s")
    source = make_source(
        {
            **place(CU13, record("bb", 3)),
            **place(other, record("cc", 3, "scipy/gone.so")),
            f"/s/{LIBRARY}": b"123",
        }
    )
    assert find_clashes(read_records(source, [CU13, other])) == ()


def test_unreadable_record_claims_nothing(make_source: MakeSource) -> None:
    source = make_source({**place(CU13, b"\xff\0," * 500), "/s/x": ""})
    assert find_clashes(read_records(source, [CU12, CU13])) == ()


@given(st.text())
def test_any_record_parses(text: str) -> None:
    for path, _digest, size in parse_record(text + "\nx.so," + text):
        assert "\0" not in path
        assert size is None or size >= 0
