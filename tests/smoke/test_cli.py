"""The commands, run on an environment without a framework and with wrong options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    venv.create(folder, with_pip=False)
    return folder


def fwdoctor(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fwdoctor", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "NO_COLOR": "1", **env},
    )


def test_a_missing_framework_is_a_finding(bare: Path) -> None:
    words = ("smoke", "torch", "--python", str(bare), "--device", "cpu")
    done = fwdoctor(*words, "--format", "json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    codes = [finding["code"] for finding in report["findings"]]
    assert codes[0] == "FW901"
    assert report["headline"].startswith("PyTorch failed the smoke test at import.")
    kinds = {r["kind"] for r in report["snapshot"]["smoke"] if r["status"] == "failed"}
    assert kinds == {"missing"}


def test_text_gives_the_same_code_and_says_what_to_type(bare: Path) -> None:
    done = fwdoctor("smoke", "torch", "--python", str(bare), "--device", "cpu")
    assert done.returncode == 1
    assert "FW901 smoke-framework-missing" in done.stdout
    assert "fwdoctor recommend --for torch" in done.stdout
    assert "PyTorch on cpu: import failed" in done.stderr, "plain progress lines"


def test_quiet_means_no_progress(bare: Path) -> None:
    done = fwdoctor("smoke", "torch", "--python", str(bare), "--device", "cpu", "-q")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("jax",), "FRAMEWORK"),
        (("torch", "--device", "gpu"), "--device"),
        (("torch", "--preset", "dense,resnet"), "resnet"),
        (("torch", "--seconds", "0"), "--seconds"),
        (("torch", "--data", "/nowhere"), "/nowhere: no such file"),
        (("torch", "--full"), "--data PATH"),
    ],
)
def test_wrong_options_are_refused(
    bare: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    done = fwdoctor("smoke", *words, "--python", str(bare), HOME=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert says in done.stderr


def test_a_loader_that_is_not_there_is_said(bare: Path, tmp_path: Path) -> None:
    words = ("smoke", "torch", "--download", "--python", str(bare))
    done = fwdoctor(*words, HOME=str(tmp_path))
    assert done.returncode == 2
    assert "could not be downloaded: ModuleNotFoundError" in done.stderr


def test_check_smoke_needs_this_machine(tmp_path: Path) -> None:
    saved = tmp_path / "snapshot.json"
    saved.write_text('{"schema_version": 1}', "utf-8")
    done = fwdoctor("check", "--smoke", "--snapshot", str(saved))
    assert done.returncode == 2
    assert "--smoke" in done.stderr


def test_check_smoke_without_a_framework_is_a_plain_check(bare: Path) -> None:
    plain = fwdoctor("check", "--python", str(bare), "--format", "json")
    smoke = fwdoctor("check", "--smoke", "--python", str(bare), "--format", "json")
    assert smoke.returncode == plain.returncode
    assert json.loads(smoke.stdout)["snapshot"]["smoke"] == []


def test_an_environment_without_an_interpreter_is_named(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("version = 3.12.4\n")
    done = fwdoctor("smoke", "torch", "--prefix", str(tmp_path), "--device", "cpu")
    assert done.returncode == 2
    assert f"{tmp_path} has no interpreter" in done.stderr
