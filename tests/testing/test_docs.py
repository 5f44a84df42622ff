"""docs/testing.md: its runs are real."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from fwdoctor.process import run_child

PAGE = Path(__file__).parents[2] / "docs/testing.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
RUNS = [run.partition("\n") for block in BLOCKS for run in block.split("$ ")[1:]]


def test_there_are_runs() -> None:
    assert len(RUNS) >= 3


@pytest.mark.parametrize(("command", "_", "output"), RUNS)
def test_pasted_run_is_what_comes_out(
    command: str, _: str, output: str, tmp_path: Path
) -> None:
    script = re.search(r"```python\n(import pynvml.*?)```", TEXT, re.DOTALL)
    assert script
    (tmp_path / "lost.py").write_text(script[1])
    argv = [sys.executable if w == "python" else w for w in shlex.split(command)]
    result = run_child(argv, timeout_s=60, cwd=str(tmp_path))
    assert result.stdout == output, result.stderr
