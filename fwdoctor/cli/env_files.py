"""What `env` does: plan for each file's manager, render everything, then write.

Nothing is written before every file of the command is ready.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fwdoctor.cli.planning import PlanWish, machine_snapshot, make_request
from fwdoctor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.plan import Manager, Plan, PlanEnvironment
    from fwdoctor.model.snapshot import Snapshot


# Kinds whose packages are installed in a Linux container.
CONTAINERS = ("Dockerfile", "devcontainer.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvRequest:
    """What the command line asked for."""

    files: tuple[str, ...]
    kind: str | None = None
    wish: PlanWish = field(default_factory=PlanWish)
    is_forced: bool = False
    is_stdout: bool = False
    is_verified: bool = False
    is_old_pixi: bool = False
    conda: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file to write: where, which kind, and for which environment."""

    path: str
    kind: str
    plan: Plan
    planned: PlanEnvironment


def write_files(request: EnvRequest) -> ExitCode:
    """Write every file, or none and say why."""
    from fwdoctor.matrices.load import Matrices

    matrices = Matrices()
    snapshot = machine_snapshot(request.wish, matrices)
    files: list[PlannedFile] = []
    for path in request.files:
        plan, found = _planned(path, request, snapshot, matrices)
        if plan.outcome != "complete":
            _say_impossible(path, plan)
            return ExitCode.FINDINGS
        files.extend(found)
    _check_paths(files, request)
    texts = [_text(file, request) for file in files]
    if request.is_verified:
        _verify(files, request)
    _deliver(files, texts, request)
    return ExitCode.OK


def _planned(
    path: str, request: EnvRequest, snapshot: Snapshot, matrices: Matrices
) -> tuple[Plan, list[PlannedFile]]:
    from fwdoctor.envs.registry import find_kind, managers_of, path_for
    from fwdoctor.solve.planner import solve

    kind = find_kind(path, request.kind)
    if kind in CONTAINERS:
        snapshot = _inside_container(snapshot)
    wish = replace(request.wish, manager=_manager(path, kind, request))
    plan = solve(snapshot, matrices, make_request(wish, snapshot, matrices))
    able = managers_of(kind)
    fitting = [env for env in plan.environments if env.manager in able]
    if len(fitting) < len(plan.environments):
        raise UsageError(
            "manager-differs",
            f"{path}: {kind} cannot hold packages of"
            f" {plan.environments[0].manager}, which the plan needs",
            hint="write an environment.yml, or say --manager",
        )
    is_only = len(fitting) == 1
    return plan, [
        PlannedFile(
            path=path_for(path, kind, env, is_only=is_only),
            kind=kind,
            plan=plan,
            planned=env,
        )
        for env in fitting
    ]


def _inside_container(snapshot: Snapshot) -> Snapshot:
    """The machine as a Linux container on it meets it: with the image's own glibc.

    On Windows containers run in WSL 2, on the Windows driver.
    """
    host = snapshot.host
    found = replace(
        host,
        os="linux",
        is_wsl=True if host.os == "windows" else host.is_wsl,
        libc=None,
        libc_version=None,
    )
    return replace(snapshot, host=found)


def _manager(path: str, kind: str, request: EnvRequest) -> str | None:
    """The manager the file's kind asks for, unless it can hold several families."""
    from fwdoctor.envs.registry import managers_of
    from fwdoctor.model.plan import CONDA_FAMILY
    from fwdoctor.solve.requests import MANAGERS

    able = managers_of(kind)
    given = request.wish.manager
    if given is not None:
        wished: Manager | None = MANAGERS.get(given.lower())
        if wished is not None and wished not in able:
            raise UsageError(
                "manager-differs",
                f"{path}: {kind} is not a file for {given}, but for {', '.join(able)}",
            )
        return given
    is_mixed = len({manager in CONDA_FAMILY for manager in able}) > 1
    return None if is_mixed else able[0]


def _say_impossible(path: str, plan: Plan) -> None:
    from fwdoctor.report.plan_text import render
    from fwdoctor.report.registry import RenderOptions

    print(render(plan, RenderOptions(width=100)), file=sys.stderr, end="")
    print(f"fwdoctor: {path} was not written", file=sys.stderr)


def _check_paths(files: list[PlannedFile], request: EnvRequest) -> None:
    """Nothing there is overwritten unasked; a pyproject.toml is merged into."""
    if request.is_stdout:
        if len(files) > 1:
            names = " and ".join(file.path for file in files)
            raise UsageError(
                "bad-option",
                f"--stdout prints one file, and this makes {names}",
                hint="choose one framework with --for",
            )
        return
    for file in files:
        if os.path.isdir(file.path):
            raise UsageError("output-unwritable", f"{file.path}: is a folder")
        if os.path.exists(file.path) and not os.path.isfile(file.path):
            raise UsageError(
                "output-unwritable",
                f"{file.path}: is no ordinary file",
                hint="--stdout prints the text",
            )
        if not os.path.lexists(file.path) or request.is_forced:
            continue
        changed = _changed_by_merge(file)
        if changed is None:
            raise UsageError(
                "file-exists", f"{file.path}: exists", hint="--force overwrites it"
            )
        if changed:
            raise UsageError(
                "file-exists",
                f"{file.path}: asks for {', '.join(changed)}, which would change",
                hint="--force changes them and keeps the rest",
            )


def _changed_by_merge(file: PlannedFile) -> tuple[str, ...] | None:
    """What merging would replace; None for a kind that cannot be merged into."""
    if file.kind != "pyproject.toml":
        return None
    from fwdoctor.envs.pyproject_merge import replaced

    return replaced(_read(file.path), file.plan, file.planned)


def _read(path: str) -> str:
    try:
        # As it is: line ends are kept, a byte order mark is not part of the text.
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError("input-unreadable", f"{path}: {reason}") from error


def _text(file: PlannedFile, request: EnvRequest) -> str:
    from fwdoctor.envs.registry import LOCKS, FileWish, render

    kind = LOCKS.get(file.kind, file.kind)
    project = os.path.join(os.path.dirname(file.path), "pyproject.toml")
    is_merged = kind == "pyproject.toml" and os.path.exists(project)
    wish = FileWish(
        file_name=os.path.basename(file.path),
        existing=_read(project) if is_merged else None,
        is_old_pixi=request.is_old_pixi,
    )
    text = render(kind, file.plan, file.planned, wish)
    return text if kind == file.kind else _lock(file, text, request)


def _lock(file: PlannedFile, text: str, request: EnvRequest) -> str:
    """The lock made from the text of the file it locks, with our header in front."""
    from fwdoctor.cli import resolving
    from fwdoctor.envs.header import commented, header_lines

    platform = file.plan.target.platform
    if file.kind == "pylock.toml":
        locked = resolving.pylock(file.planned, platform, file.plan.target.glibc)
    elif file.kind == "uv.lock":
        locked = resolving.uv_lock(text)
    else:
        locked = resolving.conda_lock(text, file.planned, platform, request.conda)
    lines = header_lines(file.plan, file.planned, os.path.basename(file.path))
    facts = sorted(file.planned.virtual_packages.items())
    if facts:
        shown = ", ".join(f"{name} {value}" for name, value in facts)
        lines.append(f"Solved for a machine with {shown}.")
    return f"{commented(lines)}{locked}"


def _verify(files: list[PlannedFile], request: EnvRequest) -> None:
    """Resolve every environment for real, once; raises before anything is written."""
    from fwdoctor.cli.resolving import verify

    seen: list[PlanEnvironment] = []
    for file in files:
        if file.planned in seen:
            continue
        seen.append(file.planned)
        platform = file.plan.target.platform
        glibc = file.plan.target.glibc
        said = verify(file.planned, platform, request.conda, glibc=glibc)
        print(f"verified {file.path}: {said}", file=sys.stderr)


def _deliver(files: list[PlannedFile], texts: list[str], request: EnvRequest) -> None:
    from fwdoctor.cli.boundary import emit, write_file

    if request.is_stdout:
        emit(texts[0], None)
        return
    for file, text in zip(files, texts, strict=True):
        _make_folder(file.path)
        write_file(file.path, text)
        for line in _said(file):
            print(line, file=sys.stderr)


def _make_folder(path: str) -> None:
    folder = os.path.dirname(path)
    try:
        if folder:
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(
            "output-unwritable", f"{folder}: {error.strerror or error}"
        ) from error


def _said(file: PlannedFile) -> Iterator[str]:
    pins = [p for p in file.planned.pins if p.role != "library"]
    names = ", ".join(f"{pin.name} {pin.full_version}" for pin in pins)
    yield f"wrote {file.path}: {names}, Python {file.planned.python}"
    for note in file.plan.notes:
        yield f"note: {note}"
