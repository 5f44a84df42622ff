"""Which program made an environment, so that a fix can be said in its words."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.model.snapshot import Package
    from fwdoctor.probes.interpreter import Interpreter
    from fwdoctor.probes.source import Source

Manager = Literal["uv", "pip", "conda", "mamba", "pixi", "poetry"]
_LOCKS: dict[Manager | None, str] = {"uv": "uv.lock", "poetry": "poetry.lock"}
# Not compiled here: most environments belong to no project.
_TABLE = r"(?m)^[ \t]*\[\[?([^\[\]\n]{1,200})\]"
_KEY = r"[\w-]+"
# A table or a key that says where uv takes packages from, in any spelling.
_UV_SOURCES = (
    r"(?m)^[ \t]*\[\[?\s*tool\s*\.\s*uv\s*\.\s*(index|sources)\b"
    r"|^[ \t]*([\w-]+\s*\.\s*)*(extra-)?(index(-url)?|sources)\s*[.=]"
)


def find_manager(
    source: Source, interpreter: Interpreter, packages: Sequence[Package]
) -> Manager | None:
    """The manager of an environment, or None when nothing tells.

    In order: pixi's folder layout, conda's history, lock files beside a venv, the uv
    line of pyvenv.cfg, the INSTALLER most packages carry.
    """
    prefix = interpreter.prefix
    if "/.pixi/envs/" in f"{prefix}/" or source.exists(f"{prefix}/conda-meta/pixi"):
        return "pixi"
    if interpreter.kind == "conda":
        return _conda_flavour(source, prefix)
    project = posixpath.dirname(prefix)
    if "/pypoetry/virtualenvs/" in f"{prefix}/":
        return "poetry"
    if interpreter.kind == "venv" and source.exists(f"{project}/poetry.lock"):
        return "poetry"
    if interpreter.kind == "venv" and source.exists(f"{project}/uv.lock"):
        return "uv"
    if "uv" in interpreter.config:
        return "uv"
    return _majority(packages)


def find_project(
    source: Source, interpreter: Interpreter, manager: Manager | None, cwd: str
) -> Project | None:
    """The project an environment belongs to, where files leave no doubt.

    uv.lock, or uv's tables and a venv that uv made; poetry.lock, or Poetry's table and
    packages that Poetry installed. Both locks, or none of it: None.
    """
    folder = _project_folder(interpreter, manager, cwd)
    if folder is None or manager not in _LOCKS:
        return None
    text = source.find_text(f"{folder}/pyproject.toml")
    locks = [lock for lock in _LOCKS.values() if source.exists(f"{folder}/{lock}")]
    if text is None or locks not in ([], [_LOCKS[manager]]):
        return None
    tables = {".".join(re.findall(_KEY, name)) for name in re.findall(_TABLE, text)}
    if manager == "poetry":
        is_ours = "tool.poetry" in tables or ("project" in tables and bool(locks))
        return Project(manager="poetry", folder=folder) if is_ours else None
    has_table = any(f"{table}.".startswith("tool.uv.") for table in tables)
    if "project" not in tables or not (locks or has_table):
        return None
    has_sources = bool(re.search(_UV_SOURCES, text))
    has_sources = has_sources or source.exists(f"{folder}/uv.toml")
    return Project(manager="uv", folder=folder, has_sources=has_sources)


def _project_folder(
    interpreter: Interpreter, manager: Manager | None, cwd: str
) -> str | None:
    """The folder around a `.venv`, or the one Poetry's cache named it for."""
    folder, name = posixpath.split(interpreter.prefix)
    if interpreter.kind != "venv":
        return None
    if name == ".venv":
        return folder
    if manager == "poetry" and f"-{_poetry_mark(cwd)}-py" in name:
        return cwd
    return None


def _poetry_mark(folder: str) -> str:
    """What Poetry puts of a project's path into the name of its environment.

    https://github.com/python-poetry/poetry/blob/main/src/poetry/utils/env/env_manager.py
    """
    import base64
    import hashlib

    digest = hashlib.sha256(folder.encode("utf-8", "surrogateescape")).digest()
    return base64.urlsafe_b64encode(digest)[:8].decode()


def _conda_flavour(source: Source, prefix: str) -> Manager:
    """Conda or mamba: each writes its command line into conda-meta/history."""
    history = source.find_text(f"{prefix}/conda-meta/history") or ""
    commands = [line for line in history.splitlines() if line.startswith("# cmd:")]
    last = commands[-1].split()[2:3] if commands else []
    name = posixpath.basename(last[0]) if last else ""
    return "mamba" if "mamba" in name else "conda"


def _majority(packages: Sequence[Package]) -> Manager | None:
    counts = Counter(p.installer for p in packages if p.installer)
    for name, _count in counts.most_common():
        if name == "uv":
            return "uv"
        if name == "poetry":
            return "poetry"
        if name == "pip":
            return "pip"
    return None
