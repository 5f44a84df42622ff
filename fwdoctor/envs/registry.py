"""File kinds by name: which module writes them, for which managers."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from fwdoctor.model.plan import Manager, Plan, PlanEnvironment

# Kind, as `--kind` takes it → module of this folder.
KINDS = {
    "environment.yml": "environment_yml",
    "requirements.txt": "requirements_txt",
    "pyproject.toml": "pyproject_toml",
    "pixi.toml": "pixi_toml",
    "Dockerfile": "dockerfile",
    "devcontainer.json": "devcontainer_json",
}
# Locks, which a program resolves → the kind it is made from, and usual names.
LOCKS = {
    "pylock.toml": "requirements.txt",
    "uv.lock": "pyproject.toml",
    "conda-lock.yml": "environment.yml",
}
LOCK_NAMES = {
    "pylock.toml": ("pylock.toml", "pylock.*.toml"),
    "uv.lock": ("uv.lock",),
    "conda-lock.yml": ("*conda-lock.yml", "*conda-lock.yaml"),
}
# Their readers look for exactly this name: several go into folders.
FIXED_NAMES = ("devcontainer.json", "pyproject.toml", "pixi.toml", "uv.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWish:
    """One file to write."""

    file_name: str  # as it stands in the «again» command
    existing: str | None = None  # text of a file to merge into
    is_old_pixi: bool = False


def find_kind(path: str, kind: str | None = None) -> str:
    """The kind of a file, from `--kind` or its name; UsageError when neither says."""
    by_name = {known.lower(): known for known in (*KINDS, *LOCKS)}
    if kind is not None:
        if kind.lower() not in by_name:
            choices = ", ".join(by_name.values())
            raise UsageError("bad-option", f"--kind: {kind!r} is not one of {choices}")
        return by_name[kind.lower()]
    name = path.replace("\\", "/").rpartition("/")[2]
    for known, patterns in LOCK_NAMES.items():
        if any(fnmatch(name, pattern) for pattern in patterns):
            return known
    for known in KINDS:
        if any(fnmatch(name, pattern) for pattern in _module(known).NAMES):
            return known
    raise UsageError(
        "unknown-file-kind",
        f"{path}: its name does not say what kind of file it is",
        hint=f"name one of {', '.join(by_name.values())}, or say --kind",
    )


def managers_of(kind: str) -> tuple[Manager, ...]:
    """Managers whose packages a file of this kind can hold; the first is usual."""
    found: tuple[Manager, ...] = _module(kind).MANAGERS
    return found


def render(kind: str, plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The text of a file of this kind."""
    text: str = _module(kind).render(plan, planned, wish)
    return text


def path_for(path: str, kind: str, planned: PlanEnvironment, *, is_only: bool) -> str:
    """The file's path; one of several environments has its name in it."""
    if is_only:
        return path
    folder, slash, name = path.rpartition("/")
    if kind in FIXED_NAMES:
        return f"{folder}{slash}{planned.name}/{name}"
    stem, dot, suffix = name.partition(".")
    return f"{folder}{slash}{stem}-{planned.name}{dot}{suffix}"


def _module(kind: str) -> ModuleType:
    return importlib.import_module(f"fwdoctor.envs.{KINDS[LOCKS.get(kind, kind)]}")
