"""ELF facts agree with pyelftools, and garbage is said to be garbage."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwdoctor.probes.elf import ElfFacts, NotElfError, find_section, read_elf
from fwdoctor.probes.source import Source, live_source
from fwdoctor.process import run_child

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="no C compiler for ELF"
)
PATHS = "$ORIGIN/../x:/opt/lib:$ORIGIN"


def compile_library(folder: Path, *flags: str, name: str = "libx.so") -> Path:
    """A small shared library, linked with the given flags."""
    code = folder / "x.c"
    code.write_text("int x(void) { return 7; }\n")
    path = folder / name
    argv = ["gcc", "-shared", "-fPIC", "-o", str(path), str(code), *flags]
    result = run_child(argv, timeout_s=30)
    assert result.is_success, result.stderr
    return path


def ask_pyelftools(path: Path) -> ElfFacts:
    """The same facts from the library everybody trusts."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        tags = [
            tag
            for segment in elf.iter_segments()
            if isinstance(segment, DynamicSegment)
            for tag in segment.iter_tags()
        ]

        def texts(kind: str) -> tuple[str, ...]:
            attribute = kind.removeprefix("DT_").lower()
            return tuple(getattr(t, attribute) for t in tags if t.entry.d_tag == kind)

        runpath = "".join(texts("DT_RUNPATH"))
        rpath = "" if runpath else "".join(texts("DT_RPATH"))
        return ElfFacts(
            path=str(path),
            machine={"EM_X86_64": 62, "EM_AARCH64": 183, "EM_386": 3}[
                elf.header.e_machine
            ],
            soname=next(iter(texts("DT_SONAME")), None),
            needed=texts("DT_NEEDED"),
            rpath=tuple(rpath.split(":")) if rpath else (),
            runpath=tuple(runpath.split(":")) if runpath else (),
        )


@needs_compiler
@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("-Wl,-soname,libx.so.7", "-lm", "-Wl,--no-as-needed", "-lpthread"),
        (f"-Wl,-rpath,{PATHS}", "-Wl,--disable-new-dtags"),
        (f"-Wl,-rpath,{PATHS}", "-Wl,--enable-new-dtags", "-Wl,-soname,libx.so.12"),
        ("-nostdlib", "-Wl,-rpath," + ":".join(f"/f/{n:04}" for n in range(900))),
    ],
    ids=["plain", "soname", "rpath", "runpath", "long"],
)
def test_agrees_with_pyelftools(tmp_path: Path, flags: tuple[str, ...]) -> None:
    path = compile_library(tmp_path, *flags)
    assert read_elf(live_source(), str(path)) == ask_pyelftools(path)


@needs_compiler
def test_no_default_path_flag(tmp_path: Path) -> None:
    path = compile_library(tmp_path, "-Wl,-z,nodefaultlib")
    assert read_elf(live_source(), str(path)).has_no_default_path


def test_32_bit_object_goes_through_pyelftools(tmp_path: Path) -> None:
    path = tmp_path / "lib32.so"
    path.write_bytes(bytes.fromhex("7f454c4601010100") + bytes(8) + b"\x03\0\x03\0")
    with pytest.raises(NotElfError):
        read_elf(live_source(), str(path))
    whole = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\0\x03\0\x01\0\0\0" + bytes(28)
    path.write_bytes(whole)
    assert read_elf(live_source(), str(path)).machine == 3


@needs_compiler
def test_section_offset(tmp_path: Path) -> None:
    path = compile_library(tmp_path)
    with path.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".text")
        assert section is not None
        assert find_section(stream, b".text") == (
            section["sh_offset"],
            section["sh_size"],
        )
        assert find_section(stream, b".none") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "libx.so")
    with pytest.raises(NotElfError, match="not a regular file"):
        read_elf(live_source(), str(tmp_path / "libx.so"))


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"/* GNU ld script */\n" * 9])
def test_no_elf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "libx.so"
    path.write_bytes(content)
    with pytest.raises(NotElfError):
        read_elf(live_source(), str(path))


@needs_compiler
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_damaged_objects_never_raise_anything_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    whole = tmp_path / "libx.so"
    if not whole.exists():
        compile_library(tmp_path)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(4, 1200))
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    (tmp_path / "damaged.so").write_bytes(content)
    try:
        facts = read_elf(Source(root=str(tmp_path)), "/damaged.so")
    except NotElfError:
        return
    assert isinstance(facts.needed, tuple)
