"""ld.so.cache in both formats, ld.so.conf with includes, and garbage."""

from __future__ import annotations

import os
import shutil
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes.ld_cache import loader_folders, parse_ld_cache, read_ld_cache
from fwdoctor.probes.source import Source, live_source
from fwdoctor.process import run_child

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

X86_64, I386, AARCH64 = 0x0303, 0x0003, 0x0A03
Entry = tuple[int, str, str]


def new_format(entries: list[Entry]) -> bytes:
    """An ld.so.cache as ldconfig of glibc 2.32 and newer writes it."""
    strings = b""
    records = b""
    base = 48 + 24 * len(entries)
    for flags, soname, path in entries:
        key = base + len(strings)
        strings += soname.encode() + b"\0"
        value = base + len(strings)
        strings += path.encode() + b"\0"
        records += struct.pack("<iIIIQ", flags, key, value, 0, 0)
    header = b"glibc-ld.so.cache1.1" + struct.pack(
        "<IIB3xIIII", len(entries), len(strings), 2, 0, 0, 0, 0
    )
    return header + records + strings


def both_formats(entries: list[Entry]) -> bytes:
    """The older layout: entries of libc 5 days first, the new cache behind them."""
    old = b"ld.so-1.7.0\0" + struct.pack("<I", len(entries))
    old += b"\0" * 12 * len(entries)
    return old + b"\0" * (-len(old) % 8) + new_format(entries)


ENTRIES: list[Entry] = [
    (X86_64, "libcuda.so.1", "/lib/x86_64-linux-gnu/libcuda.so.1"),
    (I386, "libcuda.so.1", "/lib/i386-linux-gnu/libcuda.so.1"),
    (X86_64, "libcuda.so.1", "/usr/local/cuda/compat/libcuda.so.1"),
    (AARCH64, "libcudnn.so.9", "/usr/lib/aarch64-linux-gnu/libcudnn.so.9"),
]


@pytest.mark.parametrize("layout", [new_format, both_formats])
def test_entries_keep_the_loaders_order_and_drop_32_bit(
    layout: Callable[[list[Entry]], bytes],
) -> None:
    assert parse_ld_cache(layout(ENTRIES)) == {
        "libcuda.so.1": (
            "/lib/x86_64-linux-gnu/libcuda.so.1",
            "/usr/local/cuda/compat/libcuda.so.1",
        ),
        "libcudnn.so.9": ("/usr/lib/aarch64-linux-gnu/libcudnn.so.9",),
    }


def test_truncated_cache_gives_nothing_for_lost_strings() -> None:
    data = new_format(ENTRIES)
    assert parse_ld_cache(data[: 48 + 24 * len(ENTRIES)]) == {}


def test_inflated_entry_count_is_not_believed() -> None:
    data = bytearray(new_format(ENTRIES))
    data[20:24] = b"\xff\xff\xff\xff"
    assert "libcuda.so.1" in parse_ld_cache(bytes(data))


@given(st.binary(max_size=400), st.sampled_from([b"", b"glibc-ld.so.cache1.1"]))
def test_arbitrary_bytes_never_raise(tail: bytes, magic: bytes) -> None:
    assert isinstance(parse_ld_cache(magic + tail), dict)


@given(st.binary(max_size=200))
def test_arbitrary_old_format_never_raises(tail: bytes) -> None:
    assert isinstance(parse_ld_cache(b"ld.so-1.7.0\0" + tail), dict)


def test_missing_cache_is_empty(tmp_path: Path) -> None:
    assert read_ld_cache(Source(root=str(tmp_path))) == {}


@pytest.mark.skipif(
    not os.path.exists("/etc/ld.so.cache") or not shutil.which("ldconfig"),
    reason="no ld.so.cache here",
)
def test_agrees_with_ldconfig_on_this_machine() -> None:
    printed = run_child(["ldconfig", "-p"], timeout_s=10).stdout
    abi = {"x86_64": "x86-64", "aarch64": "AArch64"}[os.uname().machine]
    expected = {
        (line.split()[0], line.rpartition(" => ")[2])
        for line in printed.splitlines()[1:]
        if f"libc6,{abi}" in line
    }
    ours = read_ld_cache(live_source())
    assert expected
    assert expected == {(name, path) for name in ours for path in ours[name]}


def test_folders_follow_includes_and_end_with_the_built_in(tmp_path: Path) -> None:
    for folder in ("opt/a", "opt/b", "usr/lib", "etc/ld.so.conf.d"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf").write_text(
        "include ld.so.conf.d/*.conf\n/opt/a/ # ours\nhwcap 0 nosegneg\n/opt/absent\n"
    )
    (tmp_path / "etc/ld.so.conf.d/b.conf").write_text("/opt/b\ninclude b.conf\n")
    (tmp_path / "etc/ld.so.conf.d/b.conf.bak").write_text("/usr\n")
    source = Source(root=str(tmp_path))
    assert loader_folders(source) == ("/opt/b", "/opt/a", "/usr/lib")


def test_musl_path_file(tmp_path: Path) -> None:
    for folder in ("opt/musl", "usr/lib", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/ld-musl-x86_64.path").write_text("/opt/musl:/usr/lib\n")
    assert loader_folders(Source(root=str(tmp_path))) == ("/opt/musl", "/usr/lib")


def test_unreadable_configuration_is_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.conf").write_bytes(b"\xff\xfe\0include \0/*\n" * 20)
    assert loader_folders(Source(root=str(tmp_path))) == ()
