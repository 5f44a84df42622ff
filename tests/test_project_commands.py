"""Fixes in projects with a lock file: what is said, and that uv and Poetry take it."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fwdoctor import fixes
from fwdoctor.model.snapshot import Environment, Package, Project

CU126 = "https://download.pytorch.org/whl/cu126"
UV = Project(manager="uv", folder=".")
UV_WITH_SOURCES = Project(manager="uv", folder=".", has_sources=True)
POETRY = Project(manager="poetry", folder=".")
TABLES = (
    r"printf '\n[[tool.uv.index]]\nname = \"pytorch-cu126\"\nurl = \"URL\"\n"
    r"explicit = true\n\n[tool.uv.sources.torch]\nindex = \"pytorch-cu126\"\n' >> "
).replace('\\"', '"')
ASSUMED = ("--assume", "driver=550.54.14", "--assume", "gpu=RTX 4090")


def environment(project: Project, folder: str = ".") -> Environment:
    return Environment(
        prefix=f"{folder}/.venv",
        python=f"{folder}/.venv/bin/python",
        manager=project.manager,
        project=replace(project, folder=folder),
        packages=(
            Package(name="torch", version="2.10.0+cu126"),
            Package(name="nvidia-nccl-cu12", version="2.27.5"),
        ),
    )


@pytest.mark.parametrize(
    ("project", "folder", "index", "expected"),
    [
        (UV, ".", None, 'uv add "torch==2.9.1"'),
        (UV, "./a b", None, 'uv add --project "./a b" "torch==2.9.1"'),
        (
            UV,
            ".",
            CU126,
            TABLES.replace("URL", CU126) + 'pyproject.toml && uv add "torch==2.9.1"',
        ),
        (
            UV_WITH_SOURCES,
            "/srv",
            CU126,
            (
                'uv add --project /srv "torch==2.9.1"'
                f"  # first let /srv/pyproject.toml take torch from {CU126}"
            ),
        ),
        (
            UV_WITH_SOURCES,
            ".",
            None,
            'uv add "torch==2.9.1"  # first let pyproject.toml take torch from PyPI',
        ),
        (POETRY, ".", None, 'poetry add "torch==2.9.1"'),
        (
            POETRY,
            ".",
            CU126,
            (
                f"poetry source add --priority explicit pytorch-cu126 {CU126}"
                ' && poetry add --source pytorch-cu126 "torch==2.9.1"'
            ),
        ),
        (POETRY, "/srv", None, 'poetry --directory /srv add "torch==2.9.1"'),
    ],
)
def test_a_change_is_one_of_the_project(
    project: Project, folder: str, index: str | None, expected: str
) -> None:
    place = environment(project, folder)
    assert fixes.install_command(place, ["torch==2.9.1"], index_url=index) == expected


@pytest.mark.parametrize(
    ("project", "index", "expected"),
    [
        (UV, None, "uv add torch"),
        (
            UV,
            CU126,
            f"uv add torch  # first let pyproject.toml take torch from {CU126}",
        ),
        (
            POETRY,
            CU126,
            (
                f"poetry source add --priority explicit pytorch-cu126 {CU126}; "
                "poetry add --source pytorch-cu126 torch"
            ),
        ),
    ],
)
def test_on_windows_the_commands_are_powershell_s(
    project: Project, index: str | None, expected: str
) -> None:
    place = replace(environment(project), python="./.venv/Scripts/python.exe")
    assert fixes.install_command(place, ["torch"], index_url=index) == expected


@pytest.mark.parametrize(
    ("requirement", "index", "is_pip"),
    [
        ("nvidia-nccl-cu12==2.27.5", None, True),
        ("nvidia-nccl-cu12==2.27.6", None, False),
        ("torch==2.10.0", CU126, True),
        ("torch==2.10.0+cu126", CU126, True),
        ("torch==2.10.0", None, False),  # the installed one is not PyPI's
        ("torch==2.10.0", CU126.replace("126", "128"), False),
        ("torch", None, False),
        ("torch==1.7.1", "https://download.pytorch.org/whl/torch_stable.html", True),
    ],
)
def test_what_the_lock_file_says_already_is_put_back_by_pip(
    requirement: str, index: str | None, is_pip: bool
) -> None:
    command = fixes.install_command(
        environment(UV), [requirement], index_url=index, force=True
    )
    assert command.startswith("uv pip install ") == is_pip


def test_only_what_a_project_names_is_removed_from_it() -> None:
    assert fixes.uninstall_command(environment(UV), ["onnxruntime"]) == (
        "uv remove onnxruntime"
    )
    assert fixes.uninstall_command(environment(POETRY, "/srv"), ["cupy"]) == (
        "poetry --directory /srv remove cupy"
    )
    assert fixes.uninstall_command(environment(UV), ["nvidia-nccl-cu12"]) == (
        "uv pip uninstall --python ./.venv/bin/python nvidia-nccl-cu12"
    )


def add_wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    """A wheel of that name in a simple index; torch's says it is for CUDA 13.2."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": "",
        f"{name}/version.py": f"__version__ = {version!r}\ncuda = '13.2'\nhip = None\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = [f"{path},{_hash(text)},{len(text)}" for path, text in files.items()]
    (folder / name).mkdir(parents=True, exist_ok=True)
    wheel = folder / name / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        del format, args


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of `tmp_path/index`, where wheels may be put."""
    (tmp_path / "index").mkdir()
    handler = functools.partial(_Quiet, directory=str(tmp_path / "index"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


PROJECT = """\
[project]
name = "p"
version = "0.1.0"
requires-python = ">=3.10,<4"
dependencies = ["torch (>=2.9)", "numpy (>=1)"]
"""
POETRY_TABLES = """
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "everything"
url = "INDEX/pypi"
"""
STEPS = {"uv": "uv sync", "poetry": "poetry install -n"}


@pytest.mark.parametrize(
    ("manager", "place"),
    [
        ("uv", ".venv"),
        ("poetry", ".venv"),
        ("poetry", "../pypoetry/virtualenvs/*"),  # where it puts them by default
    ],
)
def test_the_fix_survives_the_next_sync(
    manager: str, place: str, index: str, tmp_path: Path
) -> None:
    if shutil.which(manager) is None:
        pytest.skip(f"{manager} is not on PATH")
    wheels, project = tmp_path / "index", tmp_path / "project"
    add_wheel(wheels / "pypi", "torch", "2.15.0", needs="numpy")
    add_wheel(wheels / "pypi", "numpy", "2.3.0")
    project.mkdir()
    tables = POETRY_TABLES.replace("INDEX", index) if manager == "poetry" else ""
    (project / "pyproject.toml").write_text(PROJECT + tables, encoding="utf-8")
    env = _variables(index, tmp_path, is_inside=place == ".venv")
    _run(STEPS[manager], project, env)
    (prefix,) = (path.resolve() for path in project.glob(place))
    assert _versions(prefix) == {"torch": "2.15.0", "numpy": "2.3.0"}

    command = _first_fix(project, prefix, env)
    url, version = _asked_for(command)
    add_wheel(wheels / "whl", "torch", f"{version}+cu126", needs="numpy")
    add_wheel(wheels / "whl", "numpy", "1.26.4")  # PyTorch's index has old copies
    _run(command.replace(url, f"{index}/whl"), project, env)
    for _ in range(2):
        assert _versions(prefix) == {"torch": f"{version}+cu126", "numpy": "2.3.0"}
        _run(STEPS[manager], project, env)
    locked = "uv lock --check" if manager == "uv" else "poetry check --lock"
    _run(locked, project, env)


def _variables(index: str, folder: Path, *, is_inside: bool) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL", "UV_"))}
    return kept | {
        "UV_DEFAULT_INDEX": f"{index}/pypi",
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "POETRY_CACHE_DIR": str(folder / "pypoetry"),
        "POETRY_VIRTUALENVS_IN_PROJECT": str(is_inside).lower(),
        "POETRY_VIRTUALENVS_OPTIONS_NO_PIP": "true",
    }


def _run(line: str, project: Path, env: dict[str, str]) -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"


def _versions(prefix: Path) -> dict[str, str]:
    found = prefix.glob("lib/python*/site-packages/*.dist-info")
    return dict(path.name.removesuffix(".dist-info").split("-") for path in found)


def _first_fix(project: Path, prefix: Path, env: dict[str, str]) -> str:
    words = [sys.executable, "-m", "fwdoctor", "check", "--format", "json", *ASSUMED]
    result = subprocess.run(
        [*words, "--prefix", str(prefix)],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    first = json.loads(result.stdout)["findings"][0]
    assert first["code"] == "FW111", result.stdout
    (command,) = first["fix"][0]["commands"]
    assert isinstance(command, str)
    return command


def _asked_for(command: str) -> tuple[str, str]:
    url = re.search(r"https://download\.pytorch\.org/whl/cu126", command)
    pin = re.search(r'"torch==([\d.]+)"', command)
    assert url is not None, command
    assert pin is not None, command
    return url[0], pin[1]
