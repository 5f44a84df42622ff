"""Where I/O, broad excepts and version facts may stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fwdoctor

PACKAGE = Path(fwdoctor.__file__).parent
PURE = ("rules", "solve", "envs", "report", "model", "intake")
PURE_FILES = (
    "compat.py",
    "judge.py",
    "presence.py",
    "fixes.py",
    "project_commands.py",
    "assume.py",
)
FORBIDDEN = {"subprocess", "socket", "random", "urllib", "time", "datetime"}
OLDEST_SYNTAX = (3, 6)


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "_data" not in p.parts)


def pure_modules() -> Iterator[Path]:
    for path in modules():
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] in PURE or str(relative) in PURE_FILES:
            yield path


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize(
    "path", list(pure_modules()), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_pure_modules_have_no_clock_network_or_children(path: Path) -> None:
    # The rule runner times rules; that is its work and changes no answer.
    allowed = {"time"} if path.name == "runner.py" else set()
    assert not (set(imported(ast.parse(path.read_text("utf-8")))) & FORBIDDEN) - allowed


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_broad_excepts_stand_only_at_the_boundaries(path: Path) -> None:
    relative = str(path.relative_to(PACKAGE)).replace("\\", "/")
    boundaries = (
        "probes/runner.py",
        "rules/runner.py",
        "cli/",
        "probes/inside/",
        "smoke/tasks/",
    )
    if relative.startswith(boundaries):
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{relative}:{node.lineno}: bare except"
            if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
                continue  # cleans up and passes it on
            name = node.type.id if isinstance(node.type, ast.Name) else ""
            assert name not in ("Exception", "BaseException"), (
                f"{relative}:{node.lineno}"
            )


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_framework_is_imported_in_this_process(path: Path) -> None:
    if "inside" in path.parts or "tasks" in path.parts:
        return
    assert not {"torch", "tensorflow", "conda_lock", "jax"} & set(
        imported(ast.parse(path.read_text("utf-8")))
    )


INSIDE = [p for p in modules() if {"inside", "tasks"} & set(p.parts)]


@pytest.mark.parametrize("path", INSIDE, ids=lambda p: p.name)
def test_code_for_other_interpreters_keeps_to_old_syntax(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=OLDEST_SYNTAX)


_DRIVER_NUMBER = re.compile(r"\b\d{3}\.\d{2,3}(?:\.\d{2})?\b")
# An example of what to type: "driver=550.54.14", "for example 550.54.14".
_SAMPLE = re.compile(r"=|example|such as|e\.g\.|GPU name|\bdriver \d", re.ASCII)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_driver_versions_live_in_matrices_not_in_code(path: Path) -> None:
    """Samples of parsed text in docstrings and comments are no facts."""
    if "testing" in path.parts:
        return  # fake machines are made of such numbers
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings or _SAMPLE.search(node.value):
                continue
            assert not _DRIVER_NUMBER.search(node.value), f"{path}:{node.lineno}"
