"""Python environments of the machine: the one to judge, and others found nearby."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import Environment
from fwdoctor.probes.file_clashes import find_clashes, read_records
from fwdoctor.probes.interpreter import find_interpreter, find_program
from fwdoctor.probes.loader import resolve_framework
from fwdoctor.probes.manager import find_manager, find_project
from fwdoctor.probes.shadowing import find_shadowing
from fwdoctor.probes.site_packages import (
    find_own_folders,
    find_site_folders,
    find_unreadable,
    read_packages,
)
from fwdoctor.probes.source import is_absolute, slashed
from fwdoctor.probes.tensorflow_files import read_tensorflow
from fwdoctor.probes.torch_files import read_torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwdoctor.model.snapshot import Framework
    from fwdoctor.probes.interpreter import Interpreter
    from fwdoctor.probes.source import Source

MAX_LISTED = 64
_VENV_NAMES = (".venv", "venv", "env", ".env")
_CONDA_ROOTS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
_SHARED_PREFIXES = ("/opt/conda", "/usr/local", "/usr")
_TOOL_MARKS = (
    "/uv/tools/",
    "/uv/archive-v0/",
    "/uv/environments-v2/",
    "/pipx/venvs/",
    "/pipx/.cache/",
    "/.cache/pipx/",
)


def read_environment(
    source: Source,
    prefix_or_python: str,
    *,
    is_target: bool,
    is_active: bool,
    cwd: str = "/",
) -> Environment:
    """The environment at a prefix, bin folder or interpreter, read from its files.

    The target is read in full, any other only for its frameworks. Raises UsageError
    when there is no Python environment at the path.
    """
    interpreter = find_interpreter(source, prefix_or_python, cwd)
    folders = find_site_folders(source, interpreter)
    packages = read_packages(
        source, interpreter.prefix, folders, is_light=not is_target
    )
    closed = find_unreadable(source, interpreter, folders) if is_target else None
    manager = find_manager(source, interpreter, packages)
    environment = Environment(
        prefix=interpreter.prefix,
        python=interpreter.python,
        kind=interpreter.kind,
        manager=manager,
        project=find_project(source, interpreter, manager, cwd) if is_target else None,
        python_version=interpreter.version,
        is_free_threaded=interpreter.is_free_threaded,
        machine=interpreter.machine,
        bits=interpreter.bits,
        is_target=is_target,
        is_active=is_active,
        packages=None if closed else packages,
        problem=f"{closed} cannot be read: permission denied"
        if closed
        else _find_lost_python(source, interpreter, is_target=is_target),
        torch=read_torch(source, folders, packages, is_light=not is_target),
        tensorflow=read_tensorflow(source, folders, packages),
    )
    if is_target:
        return _look_closer(source, interpreter, folders, environment, cwd=cwd)
    return environment


def _find_lost_python(
    source: Source, interpreter: Interpreter, *, is_target: bool
) -> str | None:
    """What to say when the interpreter is a link that leads nowhere."""
    python = interpreter.python
    if not is_target or python is None or source.exists(python):
        return None
    if source.is_closed(python):
        return None  # it may be there, for those who may look
    link = source.read_link(python)
    return None if link is None else f"{python} leads to {link}, which is not there"


def _look_closer(
    source: Source,
    interpreter: Interpreter,
    folders: Sequence[str],
    environment: Environment,
    *,
    cwd: str,
) -> Environment:
    """What only the target is worth: lost and clashing files, the loader's answers."""
    records = read_records(source, environment.packages or ())

    def resolved(framework: Framework | None) -> Framework | None:
        if framework is None:
            return None
        libraries = resolve_framework(source, interpreter, framework, folders, records)
        return replace(framework, libraries=libraries)

    return replace(
        environment,
        torch=resolved(environment.torch),
        tensorflow=resolved(environment.tensorflow),
        clashes=None if environment.packages is None else find_clashes(records),
        shadowing=find_shadowing(
            source, cwd, folders, find_own_folders(source, interpreter, folders)
        ),
    )


def choose_target(source: Source, cwd: str) -> str | None:
    """The environment a person working in `cwd` means, without being asked.

    In order: VIRTUAL_ENV, CONDA_PREFIX, ./.venv, the first Python on PATH. The
    environment a tool runner made for fwdoctor itself comes last.
    """
    last_resort = None
    for candidate in _iter_targets(source, cwd):
        try:
            prefix = find_interpreter(source, candidate, cwd).prefix
        except UsageError:
            continue
        if not is_tool_environment(source, prefix):
            return candidate
        last_resort = last_resort or candidate
    return last_resort


def _iter_targets(source: Source, cwd: str) -> Iterator[str]:
    yield from _active_prefixes(source)
    yield posixpath.join(cwd, ".venv")
    for folder in source.list_folders("PATH"):
        for name in ("python.exe",) if source.is_windows else ("python3", "python"):
            yield f"{folder}/{name}"


def _active_prefixes(source: Source) -> Iterator[str]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        yield from source.list_folders(variable)[:1]


def is_tool_environment(source: Source, prefix: str) -> bool:
    """Whether uvx, `uv tool` or pipx made the environment to run one program."""
    return (
        any(mark in f"{prefix}/" for mark in _TOOL_MARKS)
        or source.exists(f"{prefix}/uv-receipt.toml")
        or source.exists(f"{prefix}/pipx_metadata.json")
    )


def find_environments(
    source: Source, cwd: str, limit: int = MAX_LISTED
) -> tuple[str, ...]:
    """Prefixes of environments found nearby, likeliest first, each once."""
    found: dict[tuple[int, int], str] = {}
    for prefix in _iter_prefixes(source, cwd):
        if len(found) >= limit:
            break
        try:
            status = source.stat(prefix)
        except (OSError, ValueError):
            continue
        if find_program(source, prefix) and not is_tool_environment(source, prefix):
            found.setdefault((status.st_dev, status.st_ino), prefix)
    return tuple(found.values())


def _iter_prefixes(source: Source, cwd: str) -> Iterator[str]:
    """Candidates, from the nearest to the most general."""
    home = slashed(source.env.get("HOME") or source.env.get("USERPROFILE", ""))
    yield from _active_prefixes(source)
    for name in _VENV_NAMES:
        yield posixpath.join(cwd, name)
    for project in source.list_dir(cwd):
        for name in _VENV_NAMES[:2]:
            yield posixpath.join(cwd, project, name)
    if is_absolute(home):
        yield from _home_prefixes(source, home)
    yield from _SHARED_PREFIXES


def _home_prefixes(source: Source, home: str) -> Iterator[str]:
    listed = source.find_text(f"{home}/.conda/environments.txt") or ""
    yield from (line for line in listed.split("\n") if line.startswith("/"))
    for root in (*(f"{home}/{name}" for name in _CONDA_ROOTS), "/opt/conda"):
        yield from (f"{root}/envs/{name}" for name in source.list_dir(f"{root}/envs"))
        yield root
    for folder in (
        f"{home}/.virtualenvs",
        f"{home}/.cache/pypoetry/virtualenvs",
        f"{source.env.get('PYENV_ROOT') or f'{home}/.pyenv'}/versions",
        f"{home}/.local/share/uv/python",
    ):
        yield from (f"{folder}/{name}" for name in source.list_dir(folder))
