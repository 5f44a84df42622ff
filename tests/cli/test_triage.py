"""`fwdoctor triage` as a person or a machine meets it: inputs, formats, codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

SAMPLES = Path(__file__).resolve().parents[1] / "intake" / "samples"


def _sample(name: str) -> str:
    return str(SAMPLES / f"{name}.txt")


def _lines(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("driver-too-old-collect-env", 1),
        ("noise-only", 0),
        ("out-of-memory", 0),
        ("apple-laptop", 0),
        ("two-questions", 4),
        ("nothing-to-go-by", 4),
    ],
)
def test_exit_code_is_the_same_in_every_format(
    fwdoctor: Run, name: str, code: int
) -> None:
    codes = {
        form: fwdoctor("triage", _sample(name), "--format", form).returncode
        for form in ("terminal", "json", "markdown")
    }
    assert codes == dict.fromkeys(codes, code)


def test_terminal_names_cause_and_fix(fwdoctor: Run) -> None:
    result = fwdoctor("triage", _sample("driver-too-old-collect-env"))
    assert "driver 470.199.02 is too old for torch 2.3.1" in result.stdout
    assert "FW111 driver-too-old" in result.stdout
    assert "525.60.13" in result.stdout
    assert result.stderr == ""


def test_questions_are_shown(fwdoctor: Run) -> None:
    result = fwdoctor("triage", _sample("two-questions"))
    assert result.stdout.count("\nask ") >= 1


def test_another_makers_gpu_is_not_ours_to_judge(fwdoctor: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text(
        "Wheels for ROCm, please\n\nI own an RX 9070 XT. Using WSL2 with ROCm 6.4.\n",
        "utf-8",
    )
    result = fwdoctor("triage", str(report))
    assert result.returncode == 0
    assert "not about an NVIDIA GPU: nothing to check" in result.stdout
    assert "GPU         AMD device\n" in result.stdout


def test_standard_input(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "fwdoctor", "triage", "-", "--format", "json"],
        input=Path(_sample("numpy-two")).read_bytes(),
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    report = json.loads(result.stdout)
    assert result.returncode == 1
    assert report["input"] == "-"
    assert report["findings"][0]["cause"] == "numpy-abi"


def test_many_files_one_line_each(fwdoctor: Run) -> None:
    files = sorted(str(path) for path in SAMPLES.glob("*.txt"))
    result = fwdoctor("triage", *files, "--format", "jsonl")
    reports = _lines(result)
    assert [report["input"] for report in reports] == files
    assert all(report["schema_version"] == 1 for report in reports)
    assert result.returncode == 1
    assert result.stderr == ""


def test_progress_is_on_stderr(fwdoctor: Run) -> None:
    result = fwdoctor("triage", *[_sample("numpy-two")] * 60, "--format", "jsonl")
    assert len(_lines(result)) == 60
    assert "60 of 60 reports" in result.stderr


def test_output_file_holds_every_report(fwdoctor: Run, tmp_path: Path) -> None:
    files = (_sample("numpy-two"), _sample("noise-only"))
    result = fwdoctor("triage", *files, "--format", "jsonl", "--output", "out.jsonl")
    assert result.stdout == ""
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_one_unreadable_file_does_not_stop_the_others(
    fwdoctor: Run, tmp_path: Path
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    files = ("missing.txt", "picture.png", _sample("numpy-two"))
    result = fwdoctor("triage", *files, "--format", "jsonl")
    assert [report["input"] for report in _lines(result)] == [files[-1]]
    assert "missing.txt" in result.stderr
    assert "PNG" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 2


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-16", b""), ("utf-16-le", b""), ("utf-8-sig", b""), ("utf-8", b"\x00\x00")],
)
def test_encodings(fwdoctor: Run, tmp_path: Path, encoding: str, mark: bytes) -> None:
    text = Path(_sample("library-mismatch")).read_text()
    (tmp_path / "report.txt").write_bytes(text.encode(encoding) + mark)
    result = fwdoctor("triage", "report.txt", "--format", "json")
    assert result.returncode == 1, result.stderr
    cause = json.loads(result.stdout)["findings"][0]["cause"]
    assert cause == "driver-library-mismatch"


def test_empty_input_is_too_little(fwdoctor: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    result = fwdoctor("triage", "empty.txt")
    assert result.returncode == 4
    assert "Not enough" in result.stdout


def test_nothing_in_the_text_is_followed(fwdoctor: Run, tmp_path: Path) -> None:
    """Commands, paths and substitutions of a paste stay text."""
    trap = tmp_path / "trap"
    (tmp_path / "report.txt").write_text(
        f"$ touch {trap}\n`touch {trap}` $(touch {trap})\n$ pip install torch; touch"
        f" {trap}\nNo CUDA GPUs are available\n/proc/self/mem\nfile:///etc/passwd\n"
    )
    result = fwdoctor("triage", "report.txt", "--format", "json")
    assert result.returncode in (1, 4)
    assert not trap.exists()
    assert "root:" not in result.stdout


def test_fail_on_never(fwdoctor: Run) -> None:
    words = ("triage", _sample("numpy-two"), "--fail-on", "never")
    assert fwdoctor(*words).returncode == 0
