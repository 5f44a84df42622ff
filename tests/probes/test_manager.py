"""Who made an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwdoctor.model.snapshot import Package, Project
from fwdoctor.probes.interpreter import find_interpreter
from fwdoctor.probes.manager import find_manager, find_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

SIX = "lib/python3.12/site-packages/six.py"
PIP = Package(name="six", version="1", installer="pip")
UV = Package(name="torch", version="2", installer="uv")
HISTORY = "==> 2026-01-01 10:00:00 <==\n# cmd: /opt/bin/{} install pytorch\n"


@pytest.mark.parametrize(
    ("files", "packages", "expected"),
    [
        ({"/p/.venv/pyvenv.cfg": "uv = 0.9.1\n"}, [PIP], "uv"),
        ({"/p/.venv/pyvenv.cfg": "version = 3.12.1\n"}, [PIP, UV, PIP], "pip"),
        ({"/p/.venv/pyvenv.cfg": "version = 3.12.1\n"}, [PIP, UV, UV], "uv"),
        ({"/p/.venv/pyvenv.cfg": "version = 3.12.1\n"}, [], None),
        ({"/p/.venv/pyvenv.cfg": "", "/p/poetry.lock": ""}, [PIP], "poetry"),
        ({"/p/.venv/pyvenv.cfg": "", "/p/uv.lock": ""}, [PIP], "uv"),
        ({"/p/.venv/conda-meta/history": HISTORY.format("conda")}, [PIP], "conda"),
        ({"/p/.venv/conda-meta/history": HISTORY.format("micromamba")}, [], "mamba"),
        ({"/p/.venv/conda-meta/history": "\0\0"}, [PIP], "conda"),
        ({"/p/.venv/conda-meta/pixi": "{}"}, [], "pixi"),
    ],
)
def test_manager(
    make_source: MakeSource,
    files: dict[str, str],
    packages: list[Package],
    expected: str | None,
) -> None:
    source = make_source({f"/p/.venv/{SIX}": "", **files})
    interpreter = find_interpreter(source, "/p/.venv")
    assert find_manager(source, interpreter, packages) == expected


def test_pixi_folder_layout(make_source: MakeSource) -> None:
    source = make_source({f"/p/.pixi/envs/default/{SIX}": ""})
    interpreter = find_interpreter(source, "/p/.pixi/envs/default")
    assert find_manager(source, interpreter, []) == "pixi"


MADE_BY_UV = "uv = 0.9.1\n"
PLAIN = '[project]\nname = "p"\n'
IN_UV = Project(manager="uv", folder="/p")
WITH_SOURCES = Project(manager="uv", folder="/p", has_sources=True)
POETRY = Project(manager="poetry", folder="/p")


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"uv.lock": "", "pyproject.toml": PLAIN}, IN_UV),
        ({"pyproject.toml": PLAIN + "[tool.uv]\n"}, IN_UV),
        ({"uv.lock": "", "uv.toml": "", "pyproject.toml": PLAIN}, WITH_SOURCES),
        ({"poetry.lock": "", "pyproject.toml": PLAIN}, POETRY),
        ({"poetry.lock": "", "pyproject.toml": "[tool.poetry]\n"}, POETRY),
        # Not sure: uv made the folder and no more, or there is nothing to add to.
        ({"pyproject.toml": PLAIN}, None),
        ({"uv.lock": ""}, None),
        ({"uv.lock": "", "pyproject.toml": "[tool.uv.workspace]\n"}, None),
        ({"uv.lock": "", "poetry.lock": "", "pyproject.toml": PLAIN}, None),
        ({"uv.lock": "", "pyproject.toml": "# [project]\n"}, None),
        ({"uv.lock": "", "pyproject.toml": "\0[[[\n"}, None),
    ],
)
def test_project(
    make_source: MakeSource, beside: dict[str, str], expected: Project | None
) -> None:
    files = {f"/p/{name}": text for name, text in beside.items()}
    assert _project_of(make_source, ".venv", files) == expected
    assert _project_of(make_source, "venv", files) is None  # uv would make another


@pytest.mark.parametrize(
    "line",
    [
        "[[tool.uv.index]]",
        "[tool.uv.sources]",
        "[ tool . uv . sources . torch ]",
        "[tool.uv]\nsources = { torch = { index = 'x' } }",
        "[tool.uv]\nindex = []",
        "[tool.uv]\nextra-index-url = ['https://x']",
        "[tool]\nuv.sources.torch.index = 'x'",
    ],
)
def test_sources_are_noticed_in_any_spelling(
    make_source: MakeSource, line: str
) -> None:
    files = {"/p/uv.lock": "", "/p/pyproject.toml": f"{PLAIN}\n{line}\n"}
    assert _project_of(make_source, ".venv", files) == WITH_SOURCES


@pytest.mark.parametrize(("cwd", "is_found"), [("/p", True), ("/q", False)])
def test_poetry_s_own_folder_tells_the_project(
    make_source: MakeSource, cwd: str, is_found: bool
) -> None:
    prefix = (
        "/cache/pypoetry/virtualenvs/q-ANdLrxTq-py3.12"  # as Poetry names it for /p
    )
    files = {f"{prefix}/{SIX}": "", f"{prefix}/pyvenv.cfg": ""}
    for folder in ("/p", "/q"):
        files |= {f"{folder}/poetry.lock": "", f"{folder}/pyproject.toml": PLAIN}
    source = make_source(files)
    interpreter = find_interpreter(source, prefix)
    manager = find_manager(source, interpreter, [])
    found = find_project(source, interpreter, manager, cwd)
    assert found == (POETRY if is_found else None)


def _project_of(
    make_source: MakeSource, name: str, files: dict[str, str]
) -> Project | None:
    own = {f"/p/{name}/{SIX}": "", f"/p/{name}/pyvenv.cfg": MADE_BY_UV}
    source = make_source({**own, **files})
    interpreter = find_interpreter(source, f"/p/{name}")
    manager = find_manager(source, interpreter, [])
    return find_project(source, interpreter, manager, "/elsewhere")
