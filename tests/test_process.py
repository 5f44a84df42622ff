"""Real children: deadlines, signals, silence, floods."""

from __future__ import annotations

import os
import sys
import time

import pytest

from fwdoctor.process import Child, run_child

posix = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_success_with_output() -> None:
    result = run_child(
        python("import sys; print('out'); print('err', file=sys.stderr)"), timeout_s=20
    )
    assert result.is_success
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_failure_keeps_the_status() -> None:
    result = run_child(python("raise SystemExit(7)"), timeout_s=20)
    assert (result.status, result.returncode, result.is_success) == ("exited", 7, False)


def test_a_missing_program_is_named() -> None:
    result = run_child(["/nowhere/nvidia-smi"], timeout_s=5)
    assert result.status == "not-found"
    assert "/nowhere/nvidia-smi" in result.reason


@posix
def test_a_file_without_permission(tmp_path: os.PathLike[str]) -> None:
    program = os.path.join(tmp_path, "tool")
    with open(program, "w", encoding="utf-8") as stream:
        stream.write("#!/bin/sh\n")
    os.chmod(program, 0o600)
    assert run_child([program], timeout_s=5).status == "denied"


@posix
def test_a_hang_is_killed_with_its_children() -> None:
    code = (
        "import subprocess, sys, time;"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(c.pid, flush=True); time.sleep(600)"
    )
    begun = time.perf_counter()
    result = run_child(python(code), timeout_s=1.5)
    assert result.status == "timeout"
    assert time.perf_counter() - begun < 10
    grandchild = int(result.stdout)
    for _ in range(100):
        if not _is_running(grandchild):
            return
        time.sleep(0.05)
    pytest.fail("the grandchild outlived its parent")


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@posix
def test_a_crash_names_its_signal() -> None:
    result = run_child(
        python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), timeout_s=20
    )
    assert (result.status, result.signal_name) == ("signalled", "SIGSEGV")


def test_a_flood_of_output_is_cut_not_waited_for() -> None:
    result = run_child(python("print('x' * 9_000_000)"), timeout_s=30)
    assert result.status == "exited"
    assert len(result.stdout) == 4_000_000


def test_input_reaches_the_child() -> None:
    result = run_child(python("print(input())"), timeout_s=20, stdin=b"hello\n")
    assert result.stdout == "hello\n"


def test_children_run_side_by_side() -> None:
    begun = time.perf_counter()
    children = [
        Child(python("import time; time.sleep(1)"), timeout_s=30) for _ in range(4)
    ]
    assert all(child.finish().is_success for child in children)
    assert time.perf_counter() - begun < 3.5


@posix
def test_an_end_by_error_leaves_no_child_behind() -> None:
    code = (
        "import sys; from fwdoctor.process import Child;"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)'];"
        "c = Child(sleep, timeout_s=99);"
        "print(c._process.pid, flush=True); raise RuntimeError('before finish')"
    )
    result = run_child([sys.executable, "-c", code], timeout_s=30)
    assert result.returncode == 1
    assert not _is_running(int(result.stdout))
