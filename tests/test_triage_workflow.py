"""The reusable workflow: least privilege, nothing foreign in a script, and it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "triage-issue.yml"
needs_bash = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("bash") or not shutil.which("openssl"),
    reason="the script is for a Linux runner",
)


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    text = YAML(typ="safe", pure=True).load(WORKFLOW)
    assert text["permissions"] == {}
    found: dict[str, Any] = text["jobs"]
    return found


def _steps(jobs: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in jobs.values() for step in job["steps"]]


def test_only_the_comment_may_write(jobs: dict[str, Any]) -> None:
    assert jobs["diagnose"]["permissions"] == {}
    assert jobs["comment"]["permissions"] == {"issues": "write"}
    assert "github.token" not in str(jobs["diagnose"])


def test_nothing_is_put_into_a_script(jobs: dict[str, Any]) -> None:
    scripts = [step["run"] for step in _steps(jobs) if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_actions_are_pinned_by_hash(jobs: dict[str, Any]) -> None:
    used = [step["uses"] for step in _steps(jobs) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) for name in used)


@needs_bash
def test_a_hostile_issue_is_only_read(jobs: dict[str, Any], tmp_path: Path) -> None:
    step = next(s for s in jobs["diagnose"]["steps"] if s.get("id") == "triage")
    trap, output = tmp_path / "trap", tmp_path / "output"
    wrapper = tmp_path / "fwdoctor"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fwdoctor "$@"\n')
    wrapper.chmod(0o755)
    body = (
        f'$(touch {trap}) `touch {trap}`"; touch {trap}; # {{{{ @everyone }}}} <b>\n'
        "EOF\nend\ncode=0\n"
        "Failed to initialize NVML: Driver/library version mismatch\n"
    )
    result = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_OUTPUT": str(output),
            "ISSUE_TITLE": f"GPU gone '; touch {trap}",
            "ISSUE_BODY": body,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not trap.exists()
    written = output.read_text()
    assert written.startswith("code=1\ndiagnosis<<end-")
    assert "driver-library-mismatch" in written
    assert written.count("code=") == 1
