"""Contract of the fake libnvidia-ml with the real nvidia-ml-py, in child processes."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

from fwdoctor.testing.scenario import load_scenario, scenario_names

if TYPE_CHECKING:
    from fwdoctor.testing.machine import FakeMachine
    from fwdoctor.testing.plugin import FakeGpuFactory

pytestmark = pytest.mark.skipif(
    Version(version("nvidia-ml-py")) < Version("13"),
    reason="nvidia-ml-py 12 does not have every call",
)
READER = str(Path(__file__).with_name("read_nvml.py"))
ABSENT = 12
NO_FUNCTION = 13
NOT_SUPPORTED = 3
MIB = 1024 * 1024
NO_ANSWER = ("hang-nvml", "crash-nvml")


def read(machine: FakeMachine) -> Any:
    """What nvidia-ml-py sees on the machine."""
    result = machine.run([sys.executable, READER])
    assert result.is_success, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", sorted(set(scenario_names()) - set(NO_ANSWER)))
def test_every_scenario_answers_as_written(fake_gpu: FakeGpuFactory, name: str) -> None:
    scenario = load_scenario(name)
    facts = read(fake_gpu(name))
    without = "nvml" in scenario.words("file.without")
    assert facts["init"] == (ABSENT if without else scenario.number("nvml_init"))
    if facts["init"]:
        return
    assert facts["driver"] == scenario.get("driver")
    assert facts["cuda"] == scenario.number("cuda")
    assert len(facts["gpus"]) == scenario.gpu_count
    if not scenario.get("after_calls"):
        for index, gpu in enumerate(facts["gpus"]):
            assert_gpu(gpu, scenario.under(f"gpu.{index}."), scenario.number)


def assert_gpu(gpu: dict[str, Any], wanted: dict[str, str], number: Any) -> None:
    """One GPU's answers against its keys."""
    if "handle" in gpu:
        assert gpu["handle"] in (4, 15)
        return
    assert gpu["Name"] == wanted["name"]
    assert ".".join(map(str, gpu["CudaComputeCapability"])) == wanted["cc"]
    if "return.nvmlDeviceGetMemoryInfo" in wanted:
        assert gpu["memory"] == {"error": NOT_SUPPORTED}
    else:
        assert gpu["memory"][0] == int(wanted["memory_mib"]) * MIB
    assert gpu["ComputeMode"] == int(wanted.get("compute_mode", 0))


def test_healthy_gpu_in_full(fake_gpu: FakeGpuFactory) -> None:
    facts = read(fake_gpu("healthy-h100"))
    gpu = facts["gpus"][0]
    assert facts["library"] == "12.550.54.14"
    assert gpu["UUID"] == "GPU-5d2f7a34-8c1e-4f5b-9b0d-0a1b2c3d4e5f"
    assert gpu["pci"] == ["00000000:01:00.0", "0000:01:00.0", 1, 0x233010DE]
    assert gpu["memory"] == [81559 * MIB, 551 * MIB, (81559 - 551) * MIB]
    assert gpu["memory_v2"] == [81559 * MIB, 0, (81559 - 551) * MIB]
    assert gpu["fabric"] == [[3, 0], [3, 0], [3, 0]]
    assert gpu["Architecture"] == 9
    assert gpu["temperature"] == 34
    assert gpu["PowerUsage"] == 71520
    assert gpu["GspFirmwareVersion"] == "550.54.14"
    assert gpu["processes"] == []
    assert gpu["EccMode"] == [1, 1]
    assert gpu["retired"] == [{"error": NOT_SUPPORTED}, {"error": NOT_SUPPORTED}]


def test_mig_instances(fake_gpu: FakeGpuFactory) -> None:
    gpu = read(fake_gpu("mig-with-instances"))["gpus"][0]
    assert gpu["MigMode"] == [1, 1]
    assert [(part[0], part[2] // MIB, part[3], part[4]) for part in gpu["mig"]] == [
        ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", 19968, 1, 1),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4864, 9, 1),
    ]
    assert read(fake_gpu("mig-without-instances"))["gpus"][0]["mig"] == []
    assert read(fake_gpu("rtx4090-550"))["gpus"][0]["MigMode"] == {"error": 3}


@pytest.mark.parametrize(
    ("name", "fact", "value"),
    [
        ("ecc-errors", "ecc_uncorrected", 3),
        ("ecc-errors", "ecc_corrected", 12),
        ("ecc-errors", "ecc_lifetime", 5),
        ("remap-pending", "RemappedRows", [0, 1, 1, 0]),
        ("remap-failed", "RemappedRows", [0, 8, 0, 1]),
        ("retired-pages-pending", "RetiredPagesPendingStatus", 1),
        ("retired-pages-pending", "retired", [4, 2]),
        ("fabric-in-progress", "fabric", [[2, 0]] * 3),
        ("gpu-memory-full", "processes", [[4711, 79000 * MIB], [4712, 1200 * MIB]]),
        ("exclusive-mode", "ComputeMode", 3),
        ("gb10-580", "memory", {"error": 3}),
    ],
)
def test_special_facts(
    fake_gpu: FakeGpuFactory, name: str, fact: str, value: object
) -> None:
    assert read(fake_gpu(name))["gpus"][0][fact] == value


def test_one_of_two_gpus_lost(fake_gpu: FakeGpuFactory) -> None:
    first, second = read(fake_gpu("two-gpus-one-lost"))["gpus"]
    assert first["Name"] == "NVIDIA GeForce RTX 4090"
    assert second == {"handle": 15}


def test_gpu_lost_after_some_calls(fake_gpu: FakeGpuFactory) -> None:
    gpu = read(fake_gpu("gpu-lost-while-asking"))["gpus"][0]
    assert gpu["Name"] == "NVIDIA GeForce RTX 4090"
    assert gpu["temperature"] == {"error": 15}


def test_failure_of_one_gpu_only(fake_gpu: FakeGpuFactory) -> None:
    changes = {"gpu.1.after_calls": "0:15", "gpu.0.return.nvmlDeviceGetUUID": 4}
    first, second = read(fake_gpu("mixed-4090-p40", changes))["gpus"]
    assert first["Name"] == "NVIDIA GeForce RTX 4090"
    assert first["UUID"] == {"error": 4}
    assert second["Name"] == {"error": 15}


def test_omitted_functions_are_really_absent(fake_gpu: FakeGpuFactory) -> None:
    facts = read(fake_gpu("old-library-symbols-missing"))
    gpu = facts["gpus"][0]
    assert facts["cuda_v2"] == facts["branch"] == {"error": NO_FUNCTION}
    assert facts["cuda"] == 11000
    assert gpu["memory_v2"] == gpu["MigMode"] == {"error": NO_FUNCTION}
    assert gpu["memory"][0] == 15360 * MIB


def test_driver_branch_on_newer_drivers(fake_gpu: FakeGpuFactory) -> None:
    assert read(fake_gpu("driver-610"))["branch"] == "r610_00"
    assert read(fake_gpu("driver-550"))["branch"] == {"error": NO_FUNCTION}


@pytest.mark.parametrize("code", [1, 2, 4, 9, 15, 17, 18, 999])
def test_any_init_code(fake_gpu: FakeGpuFactory, code: int) -> None:
    assert read(fake_gpu("healthy-h100", {"nvml_init": code})) == {"init": code}


def test_without_a_scenario_the_library_fails_aloud(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("healthy-h100", {"env.FWDOCTOR_FAKE_GPU": "/does/not/exist"})
    result = machine.run([sys.executable, READER])
    assert json.loads(result.stdout) == {"init": 999}
    assert "FWDOCTOR_FAKE_GPU names no readable file" in result.stderr


def test_hanging_library_can_be_killed(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("hang-nvml")
    started = time.perf_counter()
    result = machine.run([sys.executable, READER], timeout_s=1.0)
    assert result.status == "timeout"
    assert time.perf_counter() - started < 5


def test_crashing_library_dies_by_its_signal(fake_gpu: FakeGpuFactory) -> None:
    result = fake_gpu("crash-nvml").run([sys.executable, READER])
    assert (result.status, result.signal_name) == ("signalled", "SIGSEGV")


def test_slow_start_waits_and_answers(fake_gpu: FakeGpuFactory) -> None:
    result = fake_gpu("slow-start").run([sys.executable, READER])
    assert result.is_success
    assert result.seconds > 1.5
