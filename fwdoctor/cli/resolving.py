"""Runs uv, conda-lock and conda for `env`: locks, and `--verify`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fwdoctor.errors import ExitCode, FwdoctorError, UsageError
from fwdoctor.process import run_child

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.model.plan import PlanEnvironment
    from fwdoctor.process import ChildResult

UV_TIMEOUT_S = 300.0
CONDA_TIMEOUT_S = 900.0
_UNREACHABLE = (
    "error sending request",
    "failed to fetch",
    "connection refused",
    "could not connect",
    "name resolution",
    "dns error",
    "timed out",
    "connectionerror",
    "condahttperror",
    "network unreachable",
)
_MOST_LINES = 12


class ResolveError(FwdoctorError):
    """A real resolution failed or differs from the plan."""

    exit_code = ExitCode.FINDINGS


# Programs


def _beside_python(name: str) -> str | None:
    """A program of the environment that fwdoctor is installed in."""
    return shutil.which(name, path=os.path.dirname(sys.executable))


def find_uv() -> str:
    """The uv beside our own Python or on PATH; UsageError when there is none."""
    found = _beside_python("uv") or shutil.which("uv")
    if found is None:
        raise UsageError(
            "uv-missing",
            "uv is needed to resolve wheels and is not on PATH",
            hint="pip install uv, or see https://docs.astral.sh/uv/",
        )
    return found


def find_conda_lock() -> str:
    """conda-lock, beside our own Python or on PATH."""
    found = _beside_python("conda-lock") or shutil.which("conda-lock")
    if found is None:
        raise UsageError(
            "conda-lock-missing",
            "conda-lock is needed for conda-lock.yml and is not on PATH",
            hint="pip install 'fwdoctor[conda-lock]'",
        )
    return found


def find_conda(given: str | None, folder: str) -> str:
    """A program that solves: the given one, conda's own, else our stand-in.

    The stand-in is a script in `folder` that py-rattler solves for.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise UsageError("conda-missing", f"--conda {given}: no such program")
        return found
    for name in (os.environ.get("CONDA_EXE"), "micromamba", "mamba", "conda"):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    return _stand_in(folder)


def _stand_in(folder: str) -> str:
    """A program like conda that only solves; UsageError without py-rattler."""
    from importlib.util import find_spec

    if find_spec("rattler") is None:
        raise UsageError(
            "conda-missing",
            "no conda, mamba or micromamba is on PATH, and py-rattler, which could"
            " solve instead, is not installed",
            hint="pip install 'fwdoctor[conda-lock]', or name a program with --conda",
        )
    path = os.path.join(folder, "conda-stand-in")
    call = f'exec "{sys.executable}" -m fwdoctor.cli.conda_stand_in "$@"'
    Path(path).write_text(f"#!/bin/sh\n{call}\n", encoding="utf-8")
    os.chmod(path, 0o755)  # noqa: S103  # in a private temporary folder
    return path


# Locks


def pylock(planned: PlanEnvironment, platform: str, glibc: str | None) -> str:
    """pylock.toml as uv makes it; a known glibc bounds the wheels."""
    with tempfile.TemporaryDirectory(prefix="fwdoctor-") as folder:
        _uv_compile(planned, platform, folder, is_pylock=True, glibc=glibc)
        return Path(folder, "pylock.toml").read_text(encoding="utf-8")


def uv_lock(project: str) -> str:
    """uv.lock for the text of a pyproject.toml."""
    with tempfile.TemporaryDirectory(prefix="fwdoctor-") as folder:
        Path(folder, "pyproject.toml").write_text(project, encoding="utf-8")
        words = [find_uv(), "lock", "--quiet", "--project", folder]
        _check(run_child(words, timeout_s=UV_TIMEOUT_S, cwd=folder), "uv")
        return Path(folder, "uv.lock").read_text(encoding="utf-8")


def conda_lock(
    environment_yml: str, planned: PlanEnvironment, platform: str, conda: str | None
) -> str:
    """conda-lock.yml from the real conda-lock."""
    from fwdoctor.envs.locks import conda_lock_words, virtual_packages_yaml

    program = find_conda_lock()
    with tempfile.TemporaryDirectory(prefix="fwdoctor-") as folder:
        solver = find_conda(conda, folder)
        Path(folder, "environment.yml").write_text(environment_yml, encoding="utf-8")
        facts = virtual_packages_yaml(planned, platform)
        Path(folder, "virtual-packages.yml").write_text(facts, encoding="utf-8")
        words = [program, *conda_lock_words(platform, solver)]
        _check(run_child(words, timeout_s=CONDA_TIMEOUT_S, cwd=folder), "conda-lock")
        return Path(folder, "conda-lock.yml").read_text(encoding="utf-8")


# --verify


def verify(
    planned: PlanEnvironment,
    platform: str,
    conda: str | None,
    *,
    glibc: str | None = None,
) -> str:
    """Resolve the environment for real; what was resolved, or ResolveError."""
    from fwdoctor.envs.locks import differences

    if planned.is_conda:
        resolved = _resolved_conda(planned, platform, conda)
    else:
        resolved = _resolved_wheels(planned, platform, glibc)
    found = list(differences(planned, resolved))
    if found:
        raise ResolveError(
            "not-as-planned",
            "the resolution differs from the plan: " + "; ".join(found),
        )
    return f"{len(resolved)} packages resolve, {len(planned.pins)} pins as planned"


def _resolved_wheels(
    planned: PlanEnvironment, platform: str, glibc: str | None
) -> Mapping[str, str]:
    from fwdoctor.envs.locks import resolved_wheels

    with tempfile.TemporaryDirectory(prefix="fwdoctor-") as folder:
        text = _uv_compile(planned, platform, folder, is_pylock=False, glibc=glibc)
        return resolved_wheels(text)


def _uv_compile(
    planned: PlanEnvironment,
    platform: str,
    folder: str,
    *,
    is_pylock: bool,
    glibc: str | None,
) -> str:
    from fwdoctor.envs.locks import uv_compile_words, uv_requirements, uv_variables

    wish = uv_compile_words(planned, platform, is_pylock=is_pylock, glibc=glibc)
    stdin = uv_requirements(planned).encode()
    child = run_child(
        [find_uv(), *wish],
        timeout_s=UV_TIMEOUT_S,
        cwd=folder,
        stdin=stdin,
        env={**os.environ, **uv_variables(planned)},
    )
    return _check(child, "uv").stdout


def _resolved_conda(
    planned: PlanEnvironment, platform: str, conda: str | None
) -> Mapping[str, str]:
    from fwdoctor.envs.locks import (
        conda_dry_run_words,
        conda_overrides,
        resolved_conda,
    )

    with tempfile.TemporaryDirectory(prefix="fwdoctor-") as folder:
        solver = find_conda(conda, folder)
        prefix = os.path.join(folder, "prefix")
        env = {**os.environ, **conda_overrides(planned, platform)}
        words = [solver, *conda_dry_run_words(planned, prefix)]
        child = run_child(words, timeout_s=CONDA_TIMEOUT_S, cwd=folder, env=env)
        name = os.path.basename(solver)
        return resolved_conda(_check(child, name).stdout)


def _check(child: ChildResult, program: str) -> ChildResult:
    """The child when it succeeded; an error with its own last words otherwise."""
    if child.is_success:
        return child
    if child.status != "exited":
        raise ResolveError("resolver-failed", f"{program}: {child.reason}")
    words = f"{child.stderr}\n{child.stdout}".strip()
    said = "\n  ".join(_telling_lines(words))
    if any(sign in words.lower() for sign in _UNREACHABLE):
        raise UsageError(
            "index-unreachable",
            f"{program} could not reach a package index:\n  {said}",
            hint="nothing was written; the plan itself needs no network",
        )
    raise ResolveError("not-resolvable", f"{program} found no solution:\n  {said}")


def _telling_lines(words: str) -> list[str]:
    """What a program said went wrong: conda-lock's own words, not its traceback."""
    lines = [line.rstrip() for line in words.splitlines() if line.strip()]
    starts = [n for n, line in enumerate(lines) if line.startswith("Could not lock")]
    if starts:
        return lines[starts[0] : starts[0] + _MOST_LINES]
    return lines[-_MOST_LINES:]
