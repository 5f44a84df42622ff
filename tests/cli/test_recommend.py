"""`fwdoctor recommend`: texts, JSON and exit codes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from fwdoctor.cli import make_app


def run(*words: str) -> Result:
    return CliRunner().invoke(make_app(), ["recommend", *words])


def test_says_what_to_type_why_and_why_not_newer() -> None:
    result = run("--target", "gpu=RTX 4090,driver=550.54.14", "--for", "torch")
    assert result.exit_code == 0
    text = result.stdout
    assert "pip install" in text
    assert "--extra-index-url https://download.pytorch.org/whl/cu" in text
    assert "why not  torch" in text
    assert "driver 580.65.06 or newer" in text


def test_json_holds_the_plan_and_its_commands() -> None:
    result = run(
        "--target", "gpu=RTX 5090,driver=580", "--format", "json", "--manager", "conda"
    )
    plan = json.loads(result.stdout)
    assert plan["outcome"] == "complete"
    (environment,) = plan["environments"]
    assert environment["commands"][0].startswith("conda create -n torch-tensorflow")
    assert plan["sources"]
    assert {"source", "confidence", "subject", "retrieved"} <= set(plan["sources"][0])


@pytest.mark.parametrize("word", ["both", "torch,tensorflow", "PyTorch,TF", "all"])
def test_both_may_be_said_in_a_word(word: str) -> None:
    result = run(
        *("--target", "gpu=RTX 4090,driver=580", "--format", "json"),
        *("torch>=2.6", "--for", word),
    )
    assert json.loads(result.stdout)["request"]["frameworks"] == ["torch", "tensorflow"]


def test_verbose_shows_sources() -> None:
    result = run("--target", "gpu=T4,driver=535", "-v")
    assert "\nsource   " in result.stdout


def test_quiet_shows_what_to_type() -> None:
    result = run("--target", "gpu=T4,driver=535", "-q")
    assert len(result.stdout.splitlines()) == 3


def test_quiet_says_a_change_once_that_both_frameworks_need() -> None:
    result = run("--target", "gpu=GTX 680,driver=470", "--for", "both", "-q")
    changes = [line for line in result.stdout.splitlines() if "change" in line]
    assert len(changes) == len(set(changes)) == 1


def test_impossible_is_exit_1_with_the_change() -> None:
    result = run("--target", "gpu=RTX 5090,driver=550.54.14")
    assert result.exit_code == 1
    assert "change   upgrade the driver to R570" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--target", "driver=abc"),
        ("--target", "gpu=RTX 9999"),
        ("--target", "gpu=T4,python=2.7"),
        ("torch>=99", "--target", "gpu=T4"),
        ("--target", "gpu=T4", "--manager", "brew"),
        ("--target", "gpu=T4", "--snapshot", "x.json"),
        ("--target", "gpu=T4", "--format", "yaml"),
        ("--snapshot", "/nowhere/x.json"),
    ],
)
def test_nonsense_is_exit_2_with_a_message(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("fwdoctor: ")
    assert "internal error" not in result.stderr
