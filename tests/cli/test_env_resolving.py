"""`env --verify` and locks through the real uv; and what is said without it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fwdoctor.cli import make_app
from fwdoctor.envs import locks
from fwdoctor.matrices.load import Matrices

T4 = ("--target", "gpu=T4,driver=535.54.03")
needs_uv = pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not on PATH")


def run(*words: str) -> Result:
    return CliRunner().invoke(make_app(), ["env", *words])


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def toml(path: str) -> dict[str, Any]:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib comes with Python 3.11")
    read: dict[str, Any] = importlib.import_module("tomllib").loads(
        Path(path).read_text(encoding="utf-8")
    )
    return read


@pytest.fixture
def _without_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """No uv and no conda-lock, beside Python or on PATH."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")


@pytest.mark.usefixtures("_without_tools")
@pytest.mark.parametrize("words", [("pylock.toml",), ("requirements.txt", "--verify")])
def test_without_uv_it_is_said_and_nothing_written(words: tuple[str, ...]) -> None:
    result = run(*words, *T4)
    assert result.exit_code == 2
    assert "uv is needed" in result.stderr
    assert os.listdir(".") == []


@pytest.mark.usefixtures("_without_tools")
def test_without_conda_lock_it_is_said() -> None:
    result = run("conda-lock.yml", *T4)
    assert result.exit_code == 2
    assert "fwdoctor[conda-lock]" in result.stderr
    assert os.listdir(".") == []


@needs_uv
def test_an_unreachable_index_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    result = run("requirements.txt", "--verify", *T4)
    assert result.exit_code == 2
    assert "could not reach a package index" in result.stderr
    assert os.listdir(".") == []


@needs_uv
@pytest.mark.network
def test_verify_says_what_was_resolved() -> None:
    result = run("requirements.txt", "--verify", *T4)
    assert result.exit_code == 0, result.stderr
    assert "pins as planned" in result.stderr
    assert os.listdir(".") == ["requirements.txt"]


@needs_uv
@pytest.mark.network
def test_pylock_has_hashes_and_our_header() -> None:
    assert run("pylock.toml", "--for", "tensorflow", *T4).exit_code == 0
    text = Path("pylock.toml").read_text(encoding="utf-8")
    assert text.startswith("# Made by fwdoctor")
    packages = {p["name"]: p for p in toml("pylock.toml")["packages"]}
    wheels = packages["tensorflow"]["wheels"]
    assert all(wheel["hashes"]["sha256"] for wheel in wheels)


@needs_uv
@pytest.mark.network
def test_uv_lock_beside_its_pyproject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    result = run("pyproject.toml", "uv.lock", "--python", python, *T4)
    assert result.exit_code == 0, result.stderr
    locked = {p["name"] for p in toml("uv.lock")["package"]}
    assert {"torch", "tensorflow"} <= locked


def test_what_uv_answers_is_read() -> None:
    text = "torch==2.10.0 \\\n    --hash=sha256:0\nnvidia_nccl.cu12==2.27.5\n# x==1\n"
    assert locks.resolved_wheels(text) == {
        "torch": "2.10.0",
        "nvidia-nccl-cu12": "2.27.5",
    }


@pytest.mark.parametrize("text", ["", "no json", "{", '{"actions": {}}', '{"a": 1}'])
def test_a_useless_answer_of_conda_is_empty(text: str) -> None:
    assert locks.resolved_conda(text) == {}


@pytest.mark.parametrize(
    ("glibc", "name"),
    [
        (None, "x86_64-manylinux_2_28"),
        ("2.17", "x86_64-manylinux_2_17"),
        ("2.27", "x86_64-manylinux_2_17"),
        ("2.29", "x86_64-manylinux_2_28"),
        ("2.35", "x86_64-manylinux_2_35"),
        ("2.99", "x86_64-manylinux_2_40"),
        ("2.12", "x86_64-manylinux_2_17"),
    ],
)
def test_uv_is_told_the_machines_glibc(glibc: str | None, name: str) -> None:
    from fwdoctor.envs.platforms import uv_platform

    assert uv_platform("linux-x86_64", glibc) == name
    assert uv_platform("macos-arm64", glibc) == "aarch64-apple-darwin"


@needs_uv
@pytest.mark.network
def test_wheels_for_a_newer_macos_than_uv_assumes_resolve() -> None:
    mac = ("--target", "gpu=none,os=macos,arch=arm64,python=3.13")
    result = run("requirements.txt", "--for", "torch", "--verify", *mac)
    assert result.exit_code == 0, result.output


def test_uv_is_told_the_macos_the_wheels_need(matrices: Matrices) -> None:
    from fwdoctor.cli.planning import PlanWish, machine_snapshot
    from fwdoctor.envs.locks import uv_variables
    from fwdoctor.solve.planner import solve
    from fwdoctor.solve.requests import parse_request

    wish = PlanWish(target="gpu=none,os=macos,arch=arm64,python=3.13")
    request = parse_request(matrices, frameworks=["torch"], constraints=["torch>=2.12"])
    plan = solve(machine_snapshot(wish, matrices), matrices, request)
    release = matrices.find_release("torch", plan.environments[0].pins[0].version)
    assert release is not None
    needed = uv_variables(plan.environments[0])
    assert needed == {"MACOSX_DEPLOYMENT_TARGET": release.macos_min}
