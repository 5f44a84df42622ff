"""`fwdoctor check` on real installations, in front of a fake GPU: cause and fix.

The installations are what uv and pip make from PyPI; environments.py says where they
lie. A test skips where its installation is not there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.testing.plugin import FakeGpuFactory
from tests.real.environments import prefix_of

pytestmark = pytest.mark.real

COMMAND = Path(sys.executable).parent / "fwdoctor"
WHEELS = "https://download.pytorch.org/whl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    environment: str
    scenario: str
    code: str
    cause: str
    fix: tuple[str, ...]  # parts of the commands of the first fix, in order
    others: tuple[str, ...] = ()  # further alarms

    @property
    def id(self) -> str:
        return f"{self.environment}-{self.scenario}"


CASES = (
    Case(
        environment="torch213cpu",
        scenario="rtx4090-550",
        code="FW401",
        cause="cpu-only-build",
        fix=(f'"torch==2.13.0" --index-url {WHEELS}/cu129',),
    ),
    Case(
        environment="torch213cpu",
        scenario="gtx1080-580",
        code="FW401",
        cause="cpu-only-build",
        fix=(f'"torch==2.13.0" --index-url {WHEELS}/cu126',),
    ),
    Case(
        environment="torch215",
        scenario="rtx4090-550",
        code="FW111",
        cause="driver-too-old",
        fix=(f'"torch==2.14.1" --index-url {WHEELS}/cu126',),
    ),
    Case(
        environment="torch215",
        scenario="gtx1080-580",
        code="FW403",
        cause="gpu-arch-too-old",
        fix=(f'"torch==2.14.1" --index-url {WHEELS}/cu126',),
    ),
    Case(
        environment="tf221",
        scenario="rtx4090-550",
        code="FW504",
        cause="cuda-lib-missing",
        fix=('"tensorflow[and-cuda]==2.20.0"',),
    ),
    Case(
        environment="tf220",
        scenario="rtx4090-550",
        code="FW504",
        cause="cuda-lib-missing",
        fix=('"tensorflow[and-cuda]==2.20.0"',),
    ),
    Case(
        environment="tf221cuda",
        scenario="rtx4090-550",
        code="FW201",
        cause="cuda-lib-missing",
        fix=('"tensorflow[and-cuda]==2.20.0"',),
    ),
    Case(
        environment="both",
        scenario="healthy-h200-580",
        code="FW801",
        cause="cuda-lib-conflict",
        fix=(
            "uninstall",
            "nvidia-cudnn-cu12 nvidia-cudnn-cu13 nvidia-nccl-cu12 nvidia-nccl-cu13",
            '"torch==2.10.0" "tensorflow[and-cuda]==2.20.0"',
        ),
        others=("FW201",),
    ),
    Case(
        environment="clean",
        scenario="rtx5090-580",
        code="FW505",
        cause="gpu-arch-too-new",
        fix=('"tensorflow=2.19.1=cuda12*"',),
    ),
)


def check(
    fake_gpu: FakeGpuFactory, scenario: str, name: str, *words: str
) -> tuple[int | None, Any]:
    """Exit code and report of the installed command."""
    prefix = prefix_of(name)
    argv = [str(COMMAND), "check", "--prefix", str(prefix), "--format", "json", *words]
    result = fake_gpu(scenario).run(argv)
    assert result.status == "exited", result
    assert result.stderr == ""
    return result.returncode, json.loads(result.stdout)


def alarms(report: Any) -> list[Any]:
    return [
        finding
        for finding in report["findings"]
        if finding["severity"] != "info" and finding["cause"] not in HARMLESS_CAUSES
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_first_cause_and_fix(fake_gpu: FakeGpuFactory, case: Case) -> None:
    code, report = check(fake_gpu, case.scenario, case.environment)
    first, *others = alarms(report)
    assert (first["code"], first["cause"]) == (case.code, case.cause)
    assert first["role"] == "cause"
    separate = [f["code"] for f in others if f["role"] != "consequence"]
    assert separate == list(case.others)
    commands = "\n".join(first["fix"][0]["commands"])
    position = 0
    for part in case.fix:
        found = commands.find(part, position)
        assert found >= 0, commands
        position = found + len(part)
    assert code == 1


@pytest.mark.parametrize(
    ("environment", "scenario"),
    [
        ("clean", "healthy-h200-580"),
        ("clean", "driver-580"),
        ("torch215", "healthy-h200-580"),
        ("torch215", "rtx5090-580"),
        ("torch215", "driver-610"),
    ],
)
def test_no_alarm_where_nothing_is_wrong(
    fake_gpu: FakeGpuFactory, environment: str, scenario: str
) -> None:
    code, report = check(fake_gpu, scenario, environment)
    assert alarms(report) == []
    assert report["verdict"] == "healthy"
    usable = {name: v["gpu_usable"] for name, v in report["frameworks"].items()}
    assert set(usable.values()) == {True}, usable
    assert code == 0


@pytest.mark.parametrize(
    "environment", ["torch213cpu", "torch215", "tf221", "tf220", "clean"]
)
def test_a_machine_without_a_gpu_is_calm(
    fake_gpu: FakeGpuFactory, environment: str
) -> None:
    """A build for GPUs does no harm where there is none."""
    code, report = check(fake_gpu, "no-gpu", environment)
    assert alarms(report) == []
    assert report["verdict"] == "nothing-to-check"
    assert code == 0


@pytest.mark.parametrize(
    ("environment", "expected"), [("both", "FW801"), ("tf221cuda", "FW201")]
)
def test_an_installation_that_would_fail_anywhere_is_told(
    fake_gpu: FakeGpuFactory, environment: str, expected: str
) -> None:
    """CUDA libraries were installed on purpose, and would not be found on a GPU."""
    code, report = check(fake_gpu, "no-gpu", environment)
    assert alarms(report)[0]["code"] == expected
    assert code == 1
