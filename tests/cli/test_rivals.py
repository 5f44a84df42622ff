"""What other GPU doctors get wrong, held against the installed command.

Each test is a defect that was seen by running a comparable tool: a report that crashed,
called an unknown machine compatible, or a machine without a GPU fine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.report.registry import FORMATS
from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.testing.machine import FakeMachine
from fwdoctor.testing.plugin import FakeGpuFactory
from fwdoctor.testing.scenario import load_scenario
from fwdoctor.testing.smi_table import render_table

COMMAND = Path(sys.executable).parent / "fwdoctor"
MakeVenv = Callable[..., Path]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    code: int | None
    stdout: str
    stderr: str

    @property
    def report(self) -> Any:
        return json.loads(self.stdout)


def check(machine: FakeMachine, *words: str) -> Answer:
    result = machine.run([str(COMMAND), "check", *words])
    assert result.status == "exited", result
    assert "Traceback" not in result.stderr
    return Answer(code=result.returncode, stdout=result.stdout, stderr=result.stderr)


def check_json(machine: FakeMachine, prefix: Path) -> Answer:
    return check(machine, "--format", "json", "--prefix", str(prefix))


def alarms(report: Any) -> list[str]:
    return [
        finding["code"]
        for finding in report["findings"]
        if finding["severity"] != "info" and finding["cause"] not in HARMLESS_CAUSES
    ]


def blind(machine: FakeMachine, tmp_path: Path) -> FakeMachine:
    """The same command where neither bus, driver nor programs can be seen."""
    root = tmp_path / "nothing"
    root.mkdir()
    env = dict(machine.env) | {"FWDOCTOR_TEST_ROOT": str(root), "PATH": "/nowhere"}
    del env["LD_LIBRARY_PATH"]
    return FakeMachine(scenario=machine.scenario, root=root, env=env)


@pytest.mark.parametrize("name", ["terminal", "json", "markdown"])
def test_a_report_comes_out_without_a_driver(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv, name: str
) -> None:
    prefix = make_venv(torch_version="2.15.0+cu132")
    machine = fake_gpu("no-gpu", {"file.without": "nvml,libcuda,nvidia-smi"})
    answer = check(machine, "--format", name, "--prefix", str(prefix))
    assert (answer.code, answer.stderr) == (0, "")
    assert "No NVIDIA GPU here" in answer.stdout


def test_what_is_not_there_is_null_with_a_reason(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv
) -> None:
    machine = fake_gpu("no-gpu", {"file.without": "nvml,libcuda,nvidia-smi"})
    report = check_json(machine, make_venv(torch_version="2.15.0+cu132")).report
    driver = report["snapshot"]["driver"]
    assert driver["version"] is None
    assert driver["cuda_driver_version"] is None
    assert "libcuda.so.1" in driver["libcuda"]["load_error"]
    assert report["frameworks"]["torch"]["gpu_usable"] is False
    assert "no NVIDIA GPU" in report["frameworks"]["torch"]["reason"]
    reasons = {p["name"]: p for p in report["snapshot"]["probes"]}
    assert reasons["nvidia-smi"]["status"] == "absent"
    assert "PATH" in reasons["nvidia-smi"]["reason"]
    skipped = [o for o in report["outcomes"] if o["outcome"] == "skipped"]
    assert skipped
    assert all(outcome["reason"] for outcome in skipped)


def test_unknown_is_not_compatible(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv, tmp_path: Path
) -> None:
    machine = blind(fake_gpu("no-gpu"), tmp_path)
    prefix = make_venv(torch_version="2.15.0+cu132")
    answer = check_json(machine, prefix)
    assert answer.report["verdict"] == "not-enough-facts"
    assert answer.report["frameworks"]["torch"]["gpu_usable"] is None
    assert answer.report["frameworks"]["torch"]["reason"]
    for required in ("gpu", "torch"):
        words = ("--prefix", str(prefix), "--require", required)
        assert check(machine, *words).code == 4, required


def test_nothing_to_check_is_not_ok(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv
) -> None:
    machine = fake_gpu("no-gpu")
    prefix = make_venv()
    assert check_json(machine, prefix).report["verdict"] == "nothing-to-check"
    text = check(machine, "--prefix", str(prefix))
    assert "nothing to check" in text.stdout
    assert not any(line.startswith("ok ") for line in text.stdout.splitlines())
    assert text.code == 0
    for required in ("gpu", "torch", "tensorflow"):
        words = ("--prefix", str(prefix), "--require", required)
        assert check(machine, *words).code == 1, required


@pytest.mark.parametrize(
    ("scenario", "torch_version"),
    [
        ("healthy-h200-580", "2.15.0+cu132"),
        ("rtx4090-550", "2.15.0+cu132"),
        ("nvml-18-version-mismatch", None),
        ("nouveau-bound", None),
        ("no-gpu", None),
    ],
)
def test_the_exit_follows_the_findings(
    fake_gpu: FakeGpuFactory,
    make_venv: MakeVenv,
    scenario: str,
    torch_version: str | None,
) -> None:
    machine = fake_gpu(scenario)
    prefix = make_venv(torch_version=torch_version)
    report = check_json(machine, prefix).report
    has_error = any(f["severity"] == "error" for f in report["findings"])
    codes = {
        name: check(machine, "--format", name, "--prefix", str(prefix)).code
        for name in (FORMATS if scenario == "rtx4090-550" else ("terminal", "json"))
    }
    assert set(codes.values()) == {int(has_error)}, codes
    assert (report["verdict"] == "findings") == bool(alarms(report))
    never = ("--prefix", str(prefix), "--fail-on", "never")
    assert check(machine, *never).code == 0


def test_nvml_without_nvidia_smi(fake_gpu: FakeGpuFactory, make_venv: MakeVenv) -> None:
    machine = fake_gpu("healthy-h200-580", {"file.without": "nvidia-smi"})
    report = check_json(machine, make_venv(torch_version="2.15.0+cu132")).report
    assert report["snapshot"]["driver"]["version_source"] == "nvml"
    assert len(report["snapshot"]["gpus"]) == 2
    assert report["frameworks"]["torch"]["gpu_usable"] is True
    assert alarms(report) == []


@pytest.mark.parametrize("branch", ["driver-450", "driver-580", "driver-610"])
def test_the_table_alone_tells_driver_and_cuda(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv, branch: str
) -> None:
    """NVML hidden, no CSV, no XML: the table's head, in both spellings."""
    scenario = load_scenario(branch)
    table = render_table(scenario).replace("\n", r"\n")
    changes = {"file.without": "nvml", "file.kernel_module": "none", "smi.text": table}
    report = check_json(fake_gpu(branch, changes), make_venv()).report
    driver = report["snapshot"]["driver"]
    assert driver["version"] == scenario.get("driver")
    assert driver["version_source"] == "nvidia-smi"
    cuda = scenario.number("cuda")
    assert driver["cuda_driver_version"] == f"{cuda // 1000}.{cuda % 1000 // 10}"
    assert [g["name"] for g in report["snapshot"]["gpus"]] == [
        scenario.get("gpu.0.name")
    ]


@pytest.mark.parametrize("knows_cuda", [True, False])
def test_a_driver_newer_than_the_tables_is_at_least_as_good(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv, knows_cuda: bool
) -> None:
    changes: dict[str, object] = {"driver": "999.10.05", "cuda": 25000}
    if not knows_cuda:
        for function in (
            "nvmlSystemGetCudaDriverVersion",
            "nvmlSystemGetCudaDriverVersion_v2",
            "cuDriverGetVersion",
        ):
            changes[f"return.{function}"] = 3
    machine = fake_gpu("healthy-h200-580", changes)
    answer = check_json(machine, make_venv(torch_version="2.15.0+cu132"))
    assert answer.report["snapshot"]["driver"]["version"] == "999.10.05"
    assert alarms(answer.report) == []
    assert answer.report["frameworks"]["torch"]["gpu_usable"] in (True, None)
    assert answer.code == 0


OPTIONAL = (
    "nvmlSystemGetDriverBranch",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetRemappedRows",
    "nvmlDeviceGetGpuFabricInfoV",
    "nvmlDeviceGetComputeMode",
    "nvmlDeviceGetPersistenceMode",
)


@pytest.mark.parametrize("code", [None, 3, 13, 25, 999])
def test_a_function_the_library_lacks_is_not_available(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv, code: int | None
) -> None:
    """Absent from the library, or there and answering with an error."""
    if code is None:
        changes: dict[str, object] = {"omit": ",".join(OPTIONAL)}
    else:
        changes = {f"return.{name}": code for name in OPTIONAL}
    answer = check_json(fake_gpu("healthy-h200-580", changes), make_venv())
    gpus = answer.report["snapshot"]["gpus"]
    assert [g["compute_capability"] for g in gpus] == ["9.0", "9.0"]
    assert [g["mig_enabled"] for g in gpus] == [None, None]
    assert [g["compute_mode"] for g in gpus] == [None, None]
    assert all(g["error_code"] is None for g in gpus)
    assert alarms(answer.report) == []
    assert answer.code == 0


@posix
@pytest.mark.parametrize("name", ["terminal", "json"])
def test_a_reader_that_leaves_ends_it_quietly(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv, name: str
) -> None:
    machine = fake_gpu("rtx4090-550")
    prefix = make_venv(torch_version="2.15.0+cu132")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        result = subprocess.run(
            [str(COMMAND), "check", "--format", name, "--prefix", str(prefix)],
            env=dict(machine.env),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.stderr == ""
    assert result.returncode in (0, 1)


def test_an_environment_without_pip_is_read(
    fake_gpu: FakeGpuFactory, make_venv: MakeVenv
) -> None:
    """uv leaves pip out of its environments; the packages are there all the same."""
    prefix = make_venv(torch_version="2.15.0+cu132", installed={"numpy": "2.4.6"})
    machine = fake_gpu("rtx4090-550")
    report = check_json(machine, prefix).report
    environment = report["snapshot"]["environments"][0]
    names = {package["name"] for package in environment["packages"]}
    assert "pip" not in names
    assert {"torch", "numpy"} <= names
    assert environment["manager"] == "uv"
    first = report["findings"][0]
    assert first["code"] == "FW111"
    assert first["fix"][0]["commands"][0].startswith("uv pip install ")
