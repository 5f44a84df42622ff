"""The fake libcuda through ctypes, in child processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fwdoctor.testing.machine import FakeMachine
    from fwdoctor.testing.plugin import FakeGpuFactory

READER = str(Path(__file__).with_name("read_cuda.py"))
MIB = 1024 * 1024


def read(machine: FakeMachine) -> Any:
    """What a program sees that opens libcuda.so.1."""
    result = machine.run([sys.executable, READER])
    assert result.is_success, result.stderr
    return json.loads(result.stdout)


def test_healthy_gpu(fake_gpu: FakeGpuFactory) -> None:
    facts = read(fake_gpu("healthy-h100"))
    assert facts["init"] == 0
    assert facts["version"] == 12040
    (gpu,) = facts["gpus"]
    assert gpu["name"] == "NVIDIA H100 80GB HBM3"
    assert gpu["cc"] == [9, 0]
    assert gpu["memory"] == 81559 * MIB
    assert gpu["uuid"] == "5d2f7a348c1e4f5b9b0d0a1b2c3d4e5f"
    assert gpu["pci"] == "0000:01:00.0"
    assert gpu["context"] == 801


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("cuinit-34-stub", 34, "CUDA_ERROR_STUB_LIBRARY"),
        ("cuinit-100", 100, "CUDA_ERROR_NO_DEVICE"),
        ("cuinit-802", 802, "CUDA_ERROR_SYSTEM_NOT_READY"),
        ("cuinit-803", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        ("cuinit-804", 804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"),
        ("cuinit-999", 999, "CUDA_ERROR_UNKNOWN"),
        ("mig-without-instances", 100, "CUDA_ERROR_NO_DEVICE"),
        ("visible-devices-empty", 100, "CUDA_ERROR_NO_DEVICE"),
    ],
)
def test_start_failures(
    fake_gpu: FakeGpuFactory, name: str, code: int, error: str
) -> None:
    facts = read(fake_gpu(name))
    assert (facts["init"], facts["error"]) == (code, error)
    assert facts["count_code"] == 3


def test_compat_library_speaks_a_newer_cuda(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("forward-compat-h100")
    facts = read(machine)
    assert (facts["init"], facts["version"]) == (0, 12040)
    assert facts["file"].endswith("/usr/local/cuda/compat/libcuda.so.550.54.14")


@pytest.mark.parametrize(
    ("visible", "profile"),
    [
        (None, "3g.20gb"),
        ("MIG-11111111-2222-3333-4444-555555555551", "1g.5gb"),
        ("1", "1g.5gb"),
        ("0,1", "3g.20gb"),
    ],
)
def test_one_mig_instance_is_the_device(
    fake_gpu: FakeGpuFactory, visible: str | None, profile: str
) -> None:
    machine = fake_gpu("mig-with-instances", {"env.CUDA_VISIBLE_DEVICES": visible})
    (gpu,) = read(machine)["gpus"]
    assert gpu["name"] == f"NVIDIA A100-SXM4-40GB MIG {profile}"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("1,0", ["Tesla P40", "NVIDIA GeForce RTX 4090"]),
        ("1", ["Tesla P40"]),
        ("0,7,1", ["NVIDIA GeForce RTX 4090"]),
        ("GPU-5d2f7a34-8c1e-4f5b-9b0d-0a1b2c3d4e60", ["Tesla P40"]),
        ("-1", []),
        ("", []),
    ],
)
def test_visible_devices(
    fake_gpu: FakeGpuFactory, value: str, names: list[str]
) -> None:
    facts = read(fake_gpu("mixed-4090-p40", {"env.CUDA_VISIBLE_DEVICES": value}))
    assert [gpu["name"] for gpu in facts["gpus"]] == names


def test_lost_gpu_is_no_device(fake_gpu: FakeGpuFactory) -> None:
    assert len(read(fake_gpu("two-gpus-one-lost"))["gpus"]) == 1


def test_busy_gpu_gives_no_context(fake_gpu: FakeGpuFactory) -> None:
    assert read(fake_gpu("exclusive-mode"))["gpus"][0]["context"] == 46


def test_functions_are_found_by_name(fake_gpu: FakeGpuFactory) -> None:
    found = read(fake_gpu("healthy-h100"))["lookup"]
    assert found == {
        "cuDeviceTotalMem": [0, 0, True],
        "cuLaunchKernel": [500, 1, False],
    }
    assert read(fake_gpu("old-library-symbols-missing"))["lookup"] == {}


def test_hanging_start_can_be_killed(fake_gpu: FakeGpuFactory) -> None:
    result = fake_gpu("hang-cuinit").run([sys.executable, READER], timeout_s=1.0)
    assert result.status == "timeout"


def test_aborting_start_dies_by_its_signal(fake_gpu: FakeGpuFactory) -> None:
    result = fake_gpu("crash-cuinit").run([sys.executable, READER])
    assert (result.status, result.signal_name) == ("signalled", "SIGABRT")


def test_without_library_nothing_opens(fake_gpu: FakeGpuFactory) -> None:
    result = fake_gpu("container-utility-only").run([sys.executable, READER])
    assert "libcuda.so.1: cannot open shared object file" in result.stderr
