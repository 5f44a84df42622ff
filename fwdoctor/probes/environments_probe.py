"""The probe of Python environments: the one to judge in full, others lightly."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import Environment
from fwdoctor.presence import frameworks
from fwdoctor.probes.environments import (
    choose_target,
    find_environments,
    is_tool_environment,
    read_environment,
)
from fwdoctor.probes.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwdoctor.probes.machine import Target

# A home full of environments must not make `check` slow: what is not read in this
# time is not listed.
OTHERS_BUDGET_S = 0.05


class EnvironmentsProbe:
    """Facts: tuple of Environment, the target first."""

    name = "environments"

    def __init__(self, target: Target) -> None:
        self._target = target

    def start(self, source: Source) -> Callable[[], tuple[Environment, ...]]:
        """Nothing to begin; all is read from files."""
        files = source
        if source.may_run and not source.is_live_root:
            # A fake machine in a test: its Python environments are real ones.
            files = Source(env=source.env)
        return lambda: self._read(files)

    def _read(self, source: Source) -> tuple[Environment, ...]:
        cwd = self._target.cwd
        path = self._target.path or self._own(source) or choose_target(source, cwd)
        if path is None:
            return tuple(_iter_others(source, cwd, exclude=""))
        active = _active_prefixes(source)
        target = read_environment(
            source,
            path,
            is_target=True,
            is_active=False,
            cwd=cwd,
        )
        found_at = target.prefix
        is_active = self._target.path is None or target.prefix in active
        target = replace(target, is_active=is_active)
        target = _named_from(cwd, self._with_deep(source, target))
        return (target, *_iter_others(source, cwd, exclude=found_at))

    def _own(self, source: Source) -> str | None:
        """Our own environment, when nothing is activated and it holds a framework."""
        prefix = self._target.own_prefix
        if prefix is None or _active_prefixes(source):
            return None
        if is_tool_environment(source, prefix):
            return None
        try:
            found = read_environment(
                source, prefix, is_target=False, is_active=False, cwd=self._target.cwd
            )
        except UsageError:
            return None
        return prefix if frameworks(found) else None

    def _with_deep(self, source: Source, target: Environment) -> Environment:
        timeout_s = self._target.deep_timeout_s
        if timeout_s is None or not source.may_run:
            return target
        from fwdoctor.probes.deep import run_deep

        for name, framework in frameworks(target).items():
            result = run_deep(source, target, name, timeout_s)
            target = replace(target, **{name: replace(framework, deep=result)})  # type: ignore[arg-type]  # the two framework fields
        return target


def _named_from(cwd: str, target: Environment) -> Environment:
    """The same environment, named as a person in `cwd` would: "./.venv"."""
    inside = f"{cwd.rstrip('/')}/"
    if inside == "/":
        return target

    def shortened(path: str) -> str:
        if path == cwd:
            return "."
        return f"./{path.removeprefix(inside)}" if path.startswith(inside) else path

    project = target.project
    if project is not None:
        project = replace(project, folder=shortened(project.folder))
        target = replace(target, project=project)
    if not target.prefix.startswith(inside):
        return target
    python = target.python and shortened(target.python)
    return replace(target, prefix=shortened(target.prefix), python=python)


def _active_prefixes(source: Source) -> set[str]:
    names = ("VIRTUAL_ENV", "CONDA_PREFIX")
    return {source.resolve(v) for n in names if (v := source.env.get(n))}


def _iter_others(source: Source, cwd: str, *, exclude: str) -> Iterator[Environment]:
    """Other environments that hold a framework, while the time lasts."""
    until = time.perf_counter() + OTHERS_BUDGET_S
    for prefix in find_environments(source, cwd):
        if time.perf_counter() > until:
            return
        if source.resolve(prefix) == source.resolve(exclude):
            continue
        try:
            found = read_environment(
                source, prefix, is_target=False, is_active=False, cwd=cwd
            )
        except (UsageError, OSError, ValueError):
            continue
        if frameworks(found):
            yield found
