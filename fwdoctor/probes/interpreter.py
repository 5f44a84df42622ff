"""One Python installation seen from outside: prefix, version, layout, machine.

Reads pyvenv.cfg, conda-meta file names, folder names and the first bytes of the
interpreter. Nothing is executed. Installed packages belong to `site_packages.py`.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fwdoctor.errors import UsageError
from fwdoctor.probes.source import slashed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.probes.source import Source

Kind = Literal["venv", "conda", "system", "pyenv"]

SMALL_FILE_BYTES = 65_536
_LIB_FOLDER = re.compile(r"(?:python|pypy)(\d+\.\d+)(t?)")
_PROGRAM = re.compile(r"(?:python|pypy)(?:(\d+(?:\.\d+)?)(t?))?(?:\.exe)?")
_FULL_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
_PATCHLEVEL = re.compile(r'#define\s+PY_VERSION\s+"(\d+\.\d+\.\d+)')
_WINDOWS_LIBRARY = re.compile(r"python(3)(\d+)(t?)\.dll", re.IGNORECASE)
_CONDA_PYTHON = re.compile(r"python-(\d+\.\d+\.\d+)-.*\.json")
# e_machine of the ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+
_MACHINES = {
    3: "i386",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """Where a Python lives and which version it is."""

    prefix: str
    python: str | None = None  # as named, links not followed
    kind: Kind = "system"
    version: str | None = None  # "3.12.4", or "3.12" when that is all there is
    is_free_threaded: bool | None = None
    machine: str | None = None
    bits: int | None = None
    home: str | None = None  # venv: prefix of the Python it was made from
    sees_base: bool = False  # venv made with --system-site-packages
    config: Mapping[str, str] = field(default_factory=dict)  # pyvenv.cfg

    @property
    def minor_version(self) -> str | None:
        """Major and minor, "3.12"."""
        return ".".join(self.version.split(".")[:2]) if self.version else None

    @property
    def lib_name(self) -> str | None:
        """Name of its folder under lib, e.g. python3.13t."""
        suffix = "t" if self.is_free_threaded else ""
        return f"python{self.minor_version}{suffix}" if self.version else None


def find_interpreter(source: Source, path: str, cwd: str = "/") -> Interpreter:
    """The Python at `path`: interpreter, environment folder or its bin folder.

    A bare name or version ("python3.12", "3.12") is looked up on PATH.

    Raises UsageError, naming the path, when there is none.
    """
    full = _absolute(source, path, cwd)
    if "/" not in path and not source.exists(full):
        full = source.which(path) or source.which(f"python{path}") or full
    if source.is_dir(full):
        return _from_folder(source, full, path)
    if not source.exists(full):
        is_closed = source.is_closed(full)
        why = "permission denied" if is_closed else "no such file or folder"
        raise _no_environment(path, why)
    return _from_program(source, full, path)


def _absolute(source: Source, path: str, cwd: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = source.env.get("HOME", "~") + path[1:]
    return slashed(os.path.normpath(os.path.join(cwd, path)))


def _no_environment(path: str, why: str) -> UsageError:
    return UsageError(
        "not-a-python-environment",
        f"`{path}` is no Python environment: {why}",
        hint="Name an interpreter, a virtual environment or a conda environment.",
    )


def _from_folder(source: Source, folder: str, named: str) -> Interpreter:
    for prefix in (folder, posixpath.dirname(folder)):
        if prefix != folder and posixpath.basename(folder) not in ("bin", "Scripts"):
            continue
        program = find_program(source, prefix)
        if program or is_environment(source, prefix):
            return describe(source, prefix, program)
    why = "the folder holds no interpreter and no packages"
    if source.is_closed(folder):
        why = "permission denied"
    raise _no_environment(named, why)


def _from_program(source: Source, program: str, named: str) -> Interpreter:
    if not _PROGRAM.fullmatch(posixpath.basename(program)):
        raise _no_environment(named, "the file is not called python")
    shimmed = _behind_shim(source, program)
    program = shimmed or program
    parent = posixpath.dirname(program)
    is_in_bin = posixpath.basename(parent) in ("bin", "Scripts", "sbin")
    prefix = posixpath.dirname(parent) if is_in_bin else parent
    if source.exists(f"{prefix}/pyvenv.cfg") or source.is_dir(f"{prefix}/conda-meta"):
        return describe(source, prefix, program)
    return _from_real_program(source, prefix, program, named)


def _from_real_program(
    source: Source, prefix: str, program: str, named: str
) -> Interpreter:
    """A program outside an environment: its library stands where the link leads."""
    real = source.resolve(program)
    real_prefix = posixpath.dirname(posixpath.dirname(real))
    for candidate in (real_prefix, prefix):
        if is_environment(source, candidate):
            return describe(source, candidate, program)
    raise _no_environment(named, "no Python library beside it")


def _behind_shim(source: Source, program: str) -> str | None:
    """The interpreter that a pyenv shim stands for."""
    folder, _, name = program.rpartition("/")
    root, _, last = folder.rpartition("/")
    if last != "shims":
        return None
    chosen = source.env.get("PYENV_VERSION") or source.find_text(f"{root}/version")
    for version in re.split(r"[\s:]+", chosen or ""):
        candidate = f"{root}/versions/{version}/bin/{name}"
        if version and source.exists(candidate):
            return candidate
    return None


def is_environment(source: Source, prefix: str) -> bool:
    """Whether the folder looks like the prefix of a Python installation."""
    return (
        source.exists(f"{prefix}/pyvenv.cfg")
        or _conda_python(source, prefix) is not None
        or bool(_lib_versions(source, prefix))
        or source.is_dir(f"{prefix}/Lib/site-packages")
    )


def find_program(source: Source, prefix: str) -> str | None:
    """The interpreter of a prefix."""
    for name in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
        path = f"{prefix.rstrip('/')}/{name}"
        # A dangling link still names the interpreter the environment was made with.
        if source.exists(path) or source.read_link(path) is not None:
            return path
    return None


def describe(source: Source, prefix: str, program: str | None) -> Interpreter:
    """Everything cheap to know about the Python in `prefix`."""
    config = _read_config(source, prefix)
    version, is_free_threaded = _find_version(source, prefix, program, config)
    machine, bits = _read_machine(source, program)
    home = config.get("home")
    return Interpreter(
        prefix=prefix,
        python=program,
        kind=_kind_of(source, prefix, config),
        version=version,
        is_free_threaded=is_free_threaded,
        machine=machine,
        bits=bits,
        home=posixpath.dirname(home.rstrip("/")) if home else None,
        sees_base=config.get("include-system-site-packages", "").lower() == "true",
        config=config,
    )


def _kind_of(source: Source, prefix: str, config: Mapping[str, str]) -> Kind:
    if config:
        return "venv"
    if source.is_dir(f"{prefix}/conda-meta"):
        return "conda"
    return "pyenv" if "/.pyenv/versions/" in f"{prefix}/" else "system"


def _read_config(source: Source, prefix: str) -> dict[str, str]:
    """Keys of pyvenv.cfg; a damaged or empty file still marks a venv."""
    path = f"{prefix}/pyvenv.cfg"
    try:
        text = source.read_text(path, SMALL_FILE_BYTES)
    except (OSError, ValueError):
        return {"unreadable": "true"} if source.exists(path) else {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    config = {key.strip().lower(): value.strip() for key, _, value in pairs}
    return config or {"empty": "true"}


def _find_version(
    source: Source, prefix: str, program: str | None, config: Mapping[str, str]
) -> tuple[str | None, bool | None]:
    """Version from, in order: pyvenv.cfg, conda-meta, folder and program names."""
    folders = _lib_versions(source, prefix)
    named = _named_version(source, program)
    minor, is_free_threaded = _pick_folder(folders, named)
    for key in ("version_info", "version"):
        found = _FULL_VERSION.match(config.get(key, ""))
        if found and (minor is None or found[0].startswith(minor)):
            return found[0], is_free_threaded
    conda = _conda_python(source, prefix)
    if conda:
        return conda, is_free_threaded
    full = _patch_level(source, prefix, minor, is_free_threaded)
    return full or minor, is_free_threaded


def _pick_folder(
    folders: dict[str, bool], named: tuple[str, bool] | None
) -> tuple[str | None, bool | None]:
    if named and (named[0] in folders or not folders):
        return named[0], named[1] or folders.get(named[0], False)
    if not folders:
        return None, None
    newest = max(folders, key=lambda text: tuple(map(int, text.split("."))))
    return newest, folders[newest]


def _lib_versions(source: Source, prefix: str) -> dict[str, bool]:
    """Versions that have a library folder, and whether only a free-threaded one."""
    found: dict[str, bool] = {}
    for lib in ("lib", "lib64"):
        for name in source.list_dir(f"{prefix.rstrip('/')}/{lib}"):
            match = _LIB_FOLDER.fullmatch(name)
            if match:
                found[match[1]] = bool(match[2]) and found.get(match[1], True)
    if not found and source.exists(f"{prefix}/python.exe"):
        for name in source.list_dir(prefix):
            match = _WINDOWS_LIBRARY.fullmatch(name)
            if match:
                found[f"{match[1]}.{match[2]}"] = bool(match[3])
    return found


def _named_version(source: Source, program: str | None) -> tuple[str, bool] | None:
    """The version in the name of the program, or of what it links to."""
    if program is None:
        return None
    names = [program]
    with contextlib.suppress(OSError, ValueError):
        names.append(source.resolve(program))
    for name in names:
        match = _PROGRAM.fullmatch(posixpath.basename(name))
        if match and match[1] and "." in match[1]:
            return match[1], bool(match[2])
    return None


def _conda_python(source: Source, prefix: str) -> str | None:
    for name in source.list_dir(f"{prefix}/conda-meta"):
        match = _CONDA_PYTHON.fullmatch(name)
        if match:
            return match[1]
    return None


def _patch_level(
    source: Source, prefix: str, minor: str | None, is_free_threaded: bool | None
) -> str | None:
    """The full version, from the folder name (pyenv, uv) or the C header."""
    if minor is None:
        return None
    found = _FULL_VERSION.search(posixpath.basename(prefix))
    if found and found[0].startswith(f"{minor}."):
        return found[0]
    suffix = "t" if is_free_threaded else ""
    header = source.find_text(f"{prefix}/include/python{minor}{suffix}/patchlevel.h")
    match = _PATCHLEVEL.search(header or "")
    return match[1] if match else None


def _read_machine(source: Source, program: str | None) -> tuple[str | None, int | None]:
    """Architecture and word size of the program's ELF header."""
    try:
        head = source.read_bytes(program, 20) if program else b""
    except (OSError, ValueError):
        return None, None
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None, None
    order: Literal["big", "little"] = "big" if head[5] == 2 else "little"
    number = int.from_bytes(head[18:20], order)
    return _MACHINES.get(number, f"ELF machine {number}"), 64 if head[4] == 2 else 32
