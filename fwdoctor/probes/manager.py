"""Which program made an environment, so that a fix can be said in its words."""

from __future__ import annotations

import posixpath
from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.model.snapshot import Package
    from fwdoctor.probes.interpreter import Interpreter
    from fwdoctor.probes.source import Source

Manager = Literal["uv", "pip", "conda", "mamba", "pixi", "poetry"]


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
