"""The examples of docs/ci.md: run where that can be, else held against a schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
CI = (ROOT / "docs" / "ci.md").read_text()
IMAGE = (ROOT / "docs" / "image.md").read_text()


def example(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", CI, re.DOTALL)
    assert found, mark
    return found[1]


def yaml_of(text: str) -> Any:
    return YAML(typ="safe").load(text)


def options_of(command: str) -> set[str]:
    help_text = subprocess.run(
        [sys.executable, "-m", "fwdoctor", command, "--help"],
        env=dict(os.environ) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    return set(re.findall(r"--[a-z][a-z-]+", help_text))


@pytest.mark.parametrize("command", ["check", "image"])
def test_every_option_in_the_pages_exists(command: str) -> None:
    known = options_of(command)
    lines = [*CI.splitlines(), *IMAGE.splitlines()]
    used = {
        option
        for line in lines
        for part in re.findall(rf"fwdoctor {command} ([^`|&]*)", line)
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]+", part)
    }
    assert used
    assert used <= known


def test_gitlab_keeps_its_junit_report() -> None:
    job = yaml_of(example("gitlab-ci"))["verify-image"]
    assert job["artifacts"]["reports"]["junit"] == "fwdoctor.xml"
    assert "junit=fwdoctor.xml" in job["script"][-1]


def test_the_kubernetes_job_runs_real_options() -> None:
    job = yaml_of(example("kubernetes"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]["template"]["spec"]
    command = spec["initContainers"][0]["command"]
    assert {word for word in command if word.startswith("--")} <= options_of("check")
    assert spec["restartPolicy"] == "Never"


def test_the_node_problem_detector_plugin() -> None:
    plugin = json.loads(example("npd"))
    conditions = {condition["type"] for condition in plugin["conditions"]}
    (rule,) = plugin["rules"]
    assert rule["condition"] in conditions
    assert set(rule["args"]) & {"npd"}


@pytest.mark.skipif(sys.platform == "win32", reason="bash scripts")
@pytest.mark.parametrize("mark", ["slurm-prolog", "slurm-health"])
@pytest.mark.parametrize("code", [0, 1])
def test_slurm_scripts(tmp_path: Path, mark: str, code: int) -> None:
    script = tmp_path / "script.sh"
    script.write_text(example(mark))
    doctor = tmp_path / "fwdoctor"
    doctor.write_text(f'#!/bin/sh\necho "fwdoctor: FW101: gone"\nexit {code}\n')
    control = tmp_path / "scontrol"
    control.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/drained\n')
    for program in (doctor, control):
        program.chmod(0o755)
    env = dict(os.environ) | {
        "FWDOCTOR": str(doctor),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURMD_NODENAME": "n2",
    }
    done = subprocess.run(
        ["bash", str(script)], env=env, capture_output=True, text=True, check=False
    )
    drained = tmp_path / "drained"
    if mark == "slurm-prolog":
        assert done.returncode == code
        assert "FW101" in done.stdout
    elif code:
        assert "NodeName=n2 State=DRAIN Reason=fwdoctor: FW101" in drained.read_text()
    else:
        assert not drained.exists()


def test_the_limits_in_the_page_are_those_of_the_code() -> None:
    from fwdoctor.image.limits import GIB, LIMITS, MIB

    for text in (
        f"| {LIMITS.entries:,} |",
        f"| layers | {LIMITS.layers} |",
        f"| {LIMITS.blob_bytes // GIB} GiB |",
        f"| {LIMITS.growth}-fold, from {LIMITS.growth_from // GIB} GiB on |",
        f"| {LIMITS.document_bytes // MIB} MiB |",
        f"| {LIMITS.header_bytes // MIB} MiB |",
        f"| folders inside each other | {LIMITS.depth} |",
        f"| {LIMITS.kept_bytes // GIB} GiB in {LIMITS.kept_files:,} files |",
    ):
        assert text in IMAGE


def workflows() -> list[Path]:
    folder = ROOT / ".github"
    names = ("workflows/verify-image.yml", "workflows/gpu-check.yml")
    return [
        folder / "actions/verify-gpu-image/action.yml",
        *map(folder.joinpath, names),
    ]


@pytest.mark.parametrize("path", workflows(), ids=lambda path: path.stem)
def test_actions_are_pinned_and_least_privileged(path: Path) -> None:
    text = path.read_text()
    data = yaml_of(text)
    for use in re.findall(r"^\s+-? ?uses: (\S+)", text, re.MULTILINE):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use), use
    # Inputs reach a script as variables, never as part of its text.
    steps = [
        step
        for job in data.get("jobs", {"": data.get("runs", {})}).values()
        for step in job["steps"]
    ]
    assert not any("${{" in step.get("run", "") for step in steps)
    if "jobs" in data:
        assert data["permissions"] == {}
