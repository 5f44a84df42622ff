"""The commands of docs/environments.md do what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fwdoctor.cli import make_app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "environments.md"
BLOCKS = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if "--target" in line]


def test_there_are_commands() -> None:
    assert len(LINES) >= 8


@pytest.mark.parametrize("line", LINES)
def test_the_command_works(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(line)
    assert program == "fwdoctor"
    result = CliRunner().invoke(make_app(), words)
    assert result.exit_code == 0, result.output
