"""Compile the fake libnvidia-ml.so.1 and libcuda.so.1 with the machine's compiler.

A build is kept in a cache folder named by the hash of everything that goes into it, so
it is compiled once. Symbols an old driver lacks are hidden by a linker version script.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fwdoctor.errors import FwdoctorError
from fwdoctor.process import run_child
from fwdoctor.testing.keys import function_names

HERE = Path(__file__).parent
SOURCES = {"libnvidia-ml.so": "nvml.c", "libcuda.so": "cuda.c"}
COMPILERS = ("cc", "gcc", "clang")
COMPILE_TIMEOUT_S = 60.0


class NoCompilerError(FwdoctorError):
    """No C compiler on this machine; tests skip on it."""


class BuildError(FwdoctorError):
    """The C compiler refused the sources of the fake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeLibraries:
    """Where the fakes lie; `directory` belongs on LD_LIBRARY_PATH."""

    directory: Path
    nvml: Path
    libcuda: Path


def find_compiler() -> str:
    """The C compiler to use: $CC, else the first of cc, gcc, clang."""
    if sys.platform != "linux":
        raise NoCompilerError("no-c-compiler", "the fake GPU needs Linux")
    for name in (os.environ.get("CC", ""), *COMPILERS):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise NoCompilerError(
        "no-c-compiler",
        "no C compiler found (looked for $CC, cc, gcc, clang)",
        hint="install gcc or clang: the fake GPU is shipped as C source",
    )


def build_fake(
    directory: Path,
    omit: frozenset[str] = frozenset(),
    *,
    driver_version: str | None = None,
    libcuda_version: str | None = None,
) -> FakeLibraries:
    """Put both fake libraries into `directory`, without the symbols in `omit`.

    With a version the file is called as a driver installs it, `libcuda.so.550.54.14`,
    and `libcuda.so.1` is a link to it.
    """
    return FakeLibraries(
        directory=directory,
        nvml=place_library("libnvidia-ml.so", directory, omit, driver_version),
        libcuda=place_library(
            "libcuda.so", directory, omit, libcuda_version or driver_version
        ),
    )


def place_library(
    name: str,
    directory: Path,
    omit: frozenset[str] = frozenset(),
    version: str | None = None,
) -> Path:
    """Put one library, `libcuda.so` or `libnvidia-ml.so`, into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    soname = directory / f"{name}.1"
    target = directory / f"{name}.{version}" if version else soname
    shutil.copyfile(_compiled(name, omit), target)
    target.chmod(0o755)
    if target != soname:
        soname.unlink(missing_ok=True)
        soname.symlink_to(target.name)
    return soname


def _compiled(name: str, omit: frozenset[str]) -> Path:
    source = (HERE / SOURCES[name]).read_text()
    if unknown := sorted(omit - function_names()):
        raise BuildError("fake-gpu-build", f"the fake has no function {unknown[0]}")
    prefix = "nvml" if "nvidia" in name else "cu"
    script = _version_script(frozenset(s for s in omit if s.startswith(prefix)))
    compiler = find_compiler()
    key = "\0".join((source, (HERE / "scenario.h").read_text(), script, compiler))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    finished = cache_directory() / f"{name}.{digest}"
    if not finished.exists():
        _compile(compiler, name, script, finished)
    return finished


def cache_directory() -> Path:
    """The folder of finished builds, private to this user."""
    folder = Path(tempfile.gettempdir()) / f"fwdoctor-fake-gpu-{_user_id()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != _user_id():
        raise BuildError("fake-gpu-build", f"{folder} belongs to another user")
    return folder


def _user_id() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _version_script(omit: frozenset[str]) -> str:
    hidden = " ".join(f"{symbol};" for symbol in sorted(omit))
    return f"{{ global: nvml*; cu*; local: {hidden} *; }};\n"


def _compile(compiler: str, name: str, script: str, finished: Path) -> None:
    with tempfile.TemporaryDirectory(dir=finished.parent) as scratch:
        version_script = Path(scratch, "exports.map")
        version_script.write_text(script)
        library = Path(scratch, name)
        result = run_child(
            [
                compiler,
                *("-shared", "-fPIC", "-O1", "-o", str(library)),
                f"-Wl,-soname,{name}.1",
                f"-Wl,--version-script={version_script}",
                str(HERE / SOURCES[name]),
                "-ldl",
            ],
            timeout_s=COMPILE_TIMEOUT_S,
        )
        if not result.is_success:
            raise BuildError(
                "fake-gpu-build",
                f"{compiler} could not build {name}: {result.reason}\n{result.stderr}",
            )
        library.replace(finished)  # atomic: two test processes may build at once
