"""`fwdoctor translate`: what is printed, and that nothing is executed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fwdoctor.cli import make_app

TARGET = ("--target", "gpu=RTX 4090,driver=550.54.14")


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(make_app(), ["translate", *words], input=stdin)


def test_then_today_and_now() -> None:
    result = run("pip install torch==1.8.1+cu102", *TARGET)
    assert result.exit_code == 0
    text = result.stdout
    assert text.startswith("This line does not work on NVIDIA GeForce RTX 4090")
    for label in ("line", "asked", "then", "today", "now", "or keep"):
        assert f"\n{label}" in text
    assert "pip install torch==2" in text


def test_requirements_from_stdin_as_json() -> None:
    stdin = (
        "-f https://download.pytorch.org/whl/torch_stable.html\ntorch==1.7.1+cu110\n"
    )
    result = run("-", "--format", "json", *TARGET, stdin=stdin)
    assert result.exit_code == 0
    (item,) = json.loads(result.stdout)
    assert item["eras"][0]["release"] == "1.7.1"
    assert item["plan"]["outcome"] == "complete"


def test_no_equivalent_is_exit_1() -> None:
    target = ("--target", "gpu=RTX 5090,driver=550.54.14")
    result = run("pip install torch==1.8.1", *target)
    assert result.exit_code == 1
    assert "upgrade the driver" in result.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [("hello", "no install line"), ("pip install numpy", "neither PyTorch nor")],
)
def test_other_text_is_exit_2(line: str, words: str) -> None:
    result = run(line, *TARGET)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_a_line_that_names_a_file_asks_for_the_file() -> None:
    result = run("conda env create -f environment.yml", *TARGET)
    assert result.exit_code == 2
    assert "fwdoctor translate - < environment.yml" in result.stderr


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(
        "pip install torch==1.8.1; touch here && touch there `touch x` $(touch y)",
        *TARGET,
    )
    assert os.listdir(".") == []
