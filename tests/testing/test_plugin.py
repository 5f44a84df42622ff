"""The pytest plugin and the command, as another project uses them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fwdoctor.process import run_child

if TYPE_CHECKING:
    from pathlib import Path

OTHER_PROJECT = """
import ctypes, sys

def test_by_name(fake_gpu):
    machine = fake_gpu("healthy-h100", {"driver": "535.54.03"})
    code = "import pynvml as n; n.nvmlInit(); print(n.nvmlSystemGetDriverVersion())"
    assert machine.run([sys.executable, "-c", code]).stdout == "535.54.03\\n"

def test_by_keys_and_path(fake_gpu, tmp_path):
    keys = {"driver": "550.54.14", "cuda": 12040, "nvml_init": 999}
    first = fake_gpu(keys)
    path = tmp_path / "mine.scenario"
    path.write_text("driver=550.54.14\\ncuda=12040\\n")
    assert first.root != fake_gpu(path).root
"""
LIGHT = """
import sys
before = set(sys.modules)
import pytest
known = set(sys.modules)
import fwdoctor.testing.plugin
new = sorted(set(sys.modules) - known)
print(new)
"""


def test_another_project_uses_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(OTHER_PROJECT)
    command = [sys.executable, "-m", "pytest", "-q", str(tmp_path)]
    result = run_child(command, timeout_s=60, cwd=str(tmp_path))
    assert "2 passed" in result.stdout, result.stdout


def test_loading_the_plugin_imports_nothing_else() -> None:
    result = run_child([sys.executable, "-c", LIGHT], timeout_s=30)
    names = ["fwdoctor", "fwdoctor.testing", "fwdoctor.testing.plugin"]
    assert result.stdout.strip() == str(names), result.stderr


def command(*words: str) -> tuple[int | None, str, str]:
    """Run `python -m fwdoctor.testing`."""
    argv = [sys.executable, "-m", "fwdoctor.testing", *words]
    result = run_child(argv, timeout_s=30)
    return result.returncode, result.stdout, result.stderr


def test_command_runs_a_program_on_the_machine() -> None:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    status, output, _ = command("healthy-h100", "driver=580.65.06", "--", *query)
    assert (status, output) == (0, "580.65.06\n")


def test_command_passes_the_exit_status_on() -> None:
    assert command("healthy-h100", "--", "sh", "-c", "exit 7")[0] == 7
    assert command("healthy-h100", "--", "sh", "-c", "kill -SEGV $$")[0] == 139
    assert command("healthy-h100", "--", "no-such-program")[0] == 127


def test_command_leaves_nothing_behind() -> None:
    _, root, _ = command("no-gpu", "--", "sh", "-c", "printf %s $FWDOCTOR_TEST_ROOT")
    assert root.endswith("/root")
    assert run_child(["ls", root], timeout_s=5).returncode != 0


def test_command_errors_are_clear() -> None:
    status, _, message = command("healthy-h10", "--", "true")
    assert status == 2
    assert message.splitlines() == [
        "error: healthy-h10: no such scenario",
        "hint: did you mean `healthy-h100`?",
    ]
    assert command("healthy-h100")[0] == 2
    assert "no `=` in 'x'" in command("healthy-h100", "x", "--", "true")[2]


def test_command_lists_scenarios() -> None:
    status, output, _ = command("--list")
    assert status == 0
    assert "cuinit-999" in output
    assert command("--help")[0] == 0
