"""Expectations: read strictly, and applied to images and machines."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fwdoctor.assume import apply_assumptions
from fwdoctor.expectations.apply import apply_expectations
from fwdoctor.expectations.file import KEYS, ExpectationsError, parse_expectations
from fwdoctor.image.facts import ImageFacts, ImageReport
from fwdoctor.image.judging import judge_image
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Environment, Framework, Host, Snapshot
from fwdoctor.versions import CudaVersion

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "fwdoctor.example.toml"
SCHEMA = ROOT / "docs" / "expectations.schema.json"
TODAY = dt.date(2026, 6, 1)


def image_of(cuda: str | None = "13.0", version: str = "2.9.1") -> Snapshot:
    torch = Framework(
        version=version,
        package="torch",
        kind="cuda" if cuda else "cpu",
        cuda=CudaVersion.parse(cuda) if cuda else None,
    )
    env = Environment(prefix="/opt/venv", is_target=True, torch=torch)
    host = Host(os="linux", machine="x86_64")
    return Snapshot(origin="image", host=host, environments=(env,))


def judged(text: str, snapshot: Snapshot, matrices: Matrices) -> ImageReport:
    report = judge_image(snapshot, matrices, image=ImageFacts(kind="root"))
    expectations = parse_expectations(text, "fwdoctor.toml")
    return apply_expectations(report, expectations, matrices, today=TODAY)


def test_the_example_is_read_and_fits_the_schema() -> None:
    found = parse_expectations(EXAMPLE.read_text(), "fwdoctor.toml")
    assert found.frameworks == {"torch": ">=2.6", "tensorflow": ""}
    assert [member.name for member in found.fleet] == ["training", "inference"]
    assert found.gpus == 8
    assert found.overrides[0].level == "info"
    toml = pytest.importorskip("tomllib")
    data = json.loads(json.dumps(toml.loads(EXAMPLE.read_text()), default=str))
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))


def test_the_schema_lists_the_keys_that_are_read() -> None:
    schema = json.loads(SCHEMA.read_text())
    tables: dict[str, Any] = {"": schema, **schema["properties"]}
    for name, keys in KEYS.items():
        table = tables[name].get("items", tables[name])
        assert sorted(table["properties"]) == sorted(keys)
        assert table["additionalProperties"] is False


def test_pyproject_holds_the_same_tables() -> None:
    text = '[tool.fwdoctor.require]\ntorch = "*"\n'
    assert parse_expectations(text, "x/pyproject.toml").frameworks == {"torch": ""}
    with pytest.raises(ExpectationsError, match=r"no \[tool.fwdoctor\]"):
        parse_expectations("", "pyproject.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[requires]\n", ("no key 'requires'", "did you mean 'require'?")),
        ('[require]\ntroch = "*"', ("no key 'troch'", "did you mean 'torch'?")),
        ("[require]\ntorch = 2.6", ("is a text", "")),
        ('[require]\ntorch = "newest"', ("not a version range", ">=2.6")),
        ('[require]\ngpus = "8"', ("number of GPUs", "")),
        ("[require]\ngpus = true", ("number of GPUs", "")),
        ('[[fleet]]\ngpu = "H100"', ("needs 'driver'", "")),
        ('[fleet]\ngpu = "H100"', ("write [[fleet]]", "")),
        ('[forbid]\ncauses = ["cpu-only"]', ("no cause 'cpu-only'", "cpu-only-build")),
        ('[[severity]]\nrule = "FW999"', ("none of fwdoctor's", "did you mean")),
        (
            '[[severity]]\nrule = "FW801"\nlevel = "low"\nreason = "x"',
            ("not one of info", ""),
        ),
        (
            '[[severity]]\nrule="FW801"\nlevel="info"\nreason="x"\nuntil="2027-01-01"',
            ("a date without quotes", "until = "),
        ),
        (
            '[[severity]]\nrule = "FW801"\nlevel = "info"\nuntil = 2027-01-01',
            ("needs 'reason'", ""),
        ),
        ("require = [", ("fwdoctor.toml", "")),
    ],
)
def test_mistakes_are_named_with_a_suggestion(
    text: str, words: tuple[str, str]
) -> None:
    with pytest.raises(ExpectationsError) as caught:
        parse_expectations(text, "fwdoctor.toml")
    assert words[0] in caught.value.message
    assert words[1] in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("wanted", "is_met"),
    [("*", True), (">=2.6", True), ("<2.9", False), ("==2.9.*", True)],
)
def test_a_framework_in_a_range(wanted: str, is_met: bool, matrices: Matrices) -> None:
    report = judged(f'[require]\ntorch = "{wanted}"', image_of(), matrices)
    found = [f for f in report.findings if f.code == "FWE01"]
    assert bool(found) is not is_met
    assert report.verdict == ("healthy" if is_met else "findings")
    if found:
        assert "2.9.1 in /opt/venv" in found[0].message
        assert report.headline == "This image is not as fwdoctor.toml expects."


def test_a_framework_that_is_not_there(matrices: Matrices) -> None:
    report = judged('[require]\ntensorflow = "*"', image_of(), matrices)
    (found,) = [f for f in report.findings if f.code == "FWE01"]
    assert found.message == "TensorFlow is expected, and there is none"


def test_a_fleet_is_judged_by_the_rules_of_check(matrices: Matrices) -> None:
    fleet = (
        '[[fleet]]\nname = "old"\ngpu = "A100"\ndriver = "535.183.01"\n'
        '[[fleet]]\nname = "new"\ngpu = "A100"\ndriver = "580.65.06"\n'
    )
    report = judged(fleet, image_of(), matrices)
    errors = [f for f in report.findings if f.severity == "error"]
    assert [(f.code, f.message[:8]) for f in errors] == [("FW111", "on old: ")]
    live = replace(image_of(), origin="live")
    calm = apply_expectations(
        judge(live, matrices),
        parse_expectations(fleet, "x"),
        matrices,
        today=TODAY,
    )
    assert "FW111" not in {f.code for f in calm.findings}


def test_a_gpu_that_is_not_in_our_data_is_an_error(matrices: Matrices) -> None:
    from fwdoctor.errors import UsageError

    fleet = '[[fleet]]\ngpu = "Voodoo 2"\ndriver = "580.65.06"'
    with pytest.raises(UsageError, match="Voodoo 2"):
        judged(fleet, image_of(), matrices)


def clobbered() -> Snapshot:
    from fwdoctor.model.snapshot import FileClash

    clash = FileClash(
        path="nvidia/cudnn/lib/libcudnn.so.9",
        owners=("nvidia-cudnn-cu12", "nvidia-cudnn-cu13"),
        winner="nvidia-cudnn-cu12",
    )
    snapshot = image_of()
    env = replace(snapshot.environments[0], clashes=(clash,))
    return replace(snapshot, environments=(env,))


@pytest.mark.parametrize(
    ("until", "severity", "code"),
    [("2026-06-01", "warning", None), ("2026-05-31", "error", "FWE03")],
)
def test_an_override_holds_until_its_day(
    until: str, severity: str, code: str | None, matrices: Matrices
) -> None:
    text = (
        '[[severity]]\nrule = "cuda-majors-mixed"\nlevel = "warning"\n'
        f'reason = "known"\nuntil = {until}'
    )
    report = judged(text, clobbered(), matrices)
    by_code = {f.code: f for f in report.findings}
    assert by_code["FW801"].severity == severity
    assert ("known" in by_code["FW801"].detail) is (code is None)
    assert ("FWE03" in by_code) is (code is not None)


def test_a_forbidden_cause_is_an_error_even_against_an_override(
    matrices: Matrices,
) -> None:
    text = (
        '[forbid]\ncauses = ["cuda-lib-conflict"]\n'
        '[[severity]]\nrule = "FW801"\nlevel = "info"\nreason = "x"\nuntil = 2099-01-01'
    )
    report = judged(text, clobbered(), matrices)
    found = next(f for f in report.findings if f.code == "FW801")
    assert found.severity == "error"
    assert "forbids cuda-lib-conflict" in found.detail


def test_the_number_of_gpus_on_a_live_machine(matrices: Matrices) -> None:
    snapshot = apply_assumptions(
        replace(image_of(), origin="live"),
        ("driver=580.65.06", "gpu=H100,H100"),
        matrices,
    )
    for wanted, is_met in ((2, True), (8, False)):
        report = apply_expectations(
            judge(snapshot, matrices),
            parse_expectations(f"[require]\ngpus = {wanted}", "f.toml"),
            matrices,
            today=TODAY,
        )
        found = [f.message for f in report.findings if f.code == "FWE02"]
        shown = "8 GPUs are expected, and programs here see 2"
        assert found == ([] if is_met else [shown])


# Commands


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fwdoctor", *words],
        env=dict(os.environ) | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def expect(tmp_path: Path) -> Path:
    path = tmp_path / "fwdoctor.toml"
    path.write_text('[require]\ntorch = ">=2.6"\n[forbid]\ncauses = ["cpu-only-build"]')
    return path


def test_an_image_build_expects_no_gpu_and_a_cuda_build(
    cpu_root: Path, expect: Path, tmp_path: Path
) -> None:
    prefix = str(cpu_root / "opt/venv")
    (tmp_path / "root").mkdir()
    here = {"FWDOCTOR_TEST_ROOT": str(tmp_path / "root"), "NVIDIA_VISIBLE_DEVICES": ""}
    words = ("check", "--python", prefix, "--image-build", "-f", "json")
    calm = run(*words, **here)
    report = json.loads(calm.stdout)
    assert (calm.returncode, report["verdict"]) == (0, "healthy")
    assert report["snapshot"]["gpus"] is None
    strict = ("check", "--python", prefix, "--image-build", "--expect", str(expect))
    failed = run(*strict, **here)
    assert failed.returncode == 1
    assert "FW401" in failed.stdout
    assert "forbids cpu-only-build" in " ".join(failed.stdout.split())


def test_a_misspelt_key_is_a_usage_error(cpu_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "fwdoctor.toml"
    path.write_text("[requires]\n")
    result = run("image", str(cpu_root), "--expect", str(path))
    assert result.returncode == 2
    assert "hint: did you mean 'require'?" in result.stderr


@pytest.mark.parametrize(
    ("style", "bad", "good", "broken"),
    [("plain", 1, 0, 2), ("nagios", 2, 0, 3), ("npd", 1, 0, 2), ("slurm", 1, 0, 0)],
)
def test_exit_styles(
    cpu_root: Path, expect: Path, style: str, bad: int, good: int, broken: int
) -> None:
    words = ("image", str(cpu_root), "--exit-style", style)
    failed = run(*words, "--expect", str(expect))
    assert failed.returncode == bad
    assert run(*words).returncode == good
    lost = run("image", str(cpu_root / "none"), "--exit-style", style)
    assert lost.returncode == broken
    if style == "plain":
        return
    for result in (failed, lost):
        assert result.stdout.count("\n") == 1
    assert "FW401" in failed.stdout
    if style == "nagios":
        assert failed.stdout.startswith("FWDOCTOR CRITICAL - ")
        assert lost.stdout.startswith("FWDOCTOR UNKNOWN - ")
    if style == "npd":
        assert max(map(len, failed.stdout.splitlines())) <= 80


def test_a_github_runner_gets_a_job_summary(cpu_root: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    result = run(
        *("image", str(cpu_root), "--env", "NVIDIA_VISIBLE_DEVICES=all"),
        *("--format", "github"),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert result.stdout.startswith("::error title=FW401 ")
    assert summary.read_text().startswith("### PyTorch in this image cannot use a GPU.")


def test_one_reading_writes_several_formats(cpu_root: Path, tmp_path: Path) -> None:
    words = [
        part
        for name in ("json", "sarif", "junit", "html")
        for part in ("--also", f"{name}={tmp_path / name}")
    ]
    result = run("image", str(cpu_root), *words, "-q")
    assert result.returncode == 0
    assert json.loads((tmp_path / "json").read_text())["verdict"] == "healthy"
    assert (tmp_path / "html").read_text().count("<h2>") >= 3
    assert run("image", str(cpu_root), "--also", "json").returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a bash script")
@pytest.mark.parametrize("is_meant", [True, False])
def test_the_action_gives_its_outputs(
    cpu_root: Path, tmp_path: Path, is_meant: bool, expect: Path
) -> None:
    script = ROOT / ".github" / "actions" / "verify-gpu-image" / "verify.sh"
    programs = tmp_path / "fwdoctor" / "bin"
    programs.mkdir(parents=True)
    (programs / "fwdoctor").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m fwdoctor "$@"\n'
    )
    (programs / "fwdoctor").chmod(0o755)
    (programs / "python3").symlink_to(sys.executable)  # as in the action's environment
    variables = {
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "IMAGE_PATH": str(cpu_root),
        "EXPECT": str(expect) if is_meant else "",
        "SARIF": str(tmp_path / "out.sarif"),
    }
    result = subprocess.run(
        ["bash", str(script)],
        env=dict(os.environ) | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == int(is_meant), result.stderr
    outputs = (tmp_path / "outputs").read_text().splitlines()
    assert outputs[0] == ("verdict=findings" if is_meant else "verdict=healthy")
    assert outputs[1] == "minimum-driver="
    assert (tmp_path / "out.sarif").is_file()
    assert "PyTorch" in (tmp_path / "summary").read_text()
