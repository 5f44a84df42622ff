"""The headline of a report: true of every framework, and of other makers' GPUs."""

from __future__ import annotations

from typing import Any

import pytest

from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import decode_snapshot
from fwdoctor.model.finding import Report

H100 = {"index": 0, "name": "NVIDIA H100", "compute_capability": "9.0"}
R550: dict[str, Any] = {
    "version": "550.54.14",
    "cuda_driver_version": "12.4",
    "nvml_code": 0,
    "libcuda": {"init_code": 0, "cuda_driver_version": "12.4", "device_count": 1},
}
TORCH: dict[str, Any] = {
    "version": "2.10.0",
    "package": "torch",
    "kind": "cuda",
    "cuda": "12.8",
    "source": "pypi",
    "path": "/torch",
    "compute_capabilities": ["8.0", "9.0"],
}
OPEN_TENSORFLOW: dict[str, Any] = {
    "version": "2.20.0",
    "package": "tensorflow",
    "kind": "cuda",
    "cuda": "12.5",
    "source": "pypi",
    "path": "/tensorflow",
    "compute_capabilities": ["6.0", "8.0"],
    "ptx": ["9.0"],  # newer than the driver speaks: may or may not be compiled
}
RADEON = {
    "address": "0000:03:00.0",
    "vendor": "amd",
    "device_id": "744c",
    "kind": "gpu",
    "kernel_driver": "amdgpu",
}


def _report(
    *, packages: tuple[str, ...] = (), os: str = "linux", **facts: Any
) -> Report:
    frameworks: dict[str, Any] = {
        key: facts.pop(key) for key in ("torch", "tensorflow") if key in facts
    }
    target: dict[str, Any] = {
        "prefix": "/env",
        "python_version": "3.12.1",
        "is_target": True,
        "packages": [{"name": name, "version": "1.0"} for name in packages],
        **frameworks,
    }
    data = {
        "schema_version": 1,
        "host": {"os": os, "machine": "x86_64"},
        "environments": [target],
        **facts,
    }
    return judge(decode_snapshot(data), Matrices())


def _headline(**facts: Any) -> str:
    return _report(**facts).headline


def test_a_framework_nothing_is_known_of_is_named() -> None:
    said = _headline(
        gpus=[H100], pci=[], driver=R550, torch=TORCH, tensorflow=OPEN_TENSORFLOW
    )
    assert said == "PyTorch can use the GPU; whether TensorFlow can is not known."


@pytest.mark.parametrize(
    ("kind", "name"), [("rocm", "ROCm"), ("xpu", "XPU"), ("metal", "Metal")]
)
def test_another_makers_build_does_not_run_on_the_cpu(kind: str, name: str) -> None:
    said = _headline(
        pci=[RADEON], gpus=[], driver={"nvml_code": 12}, torch={**TORCH, "kind": kind}
    )
    assert said == f"No NVIDIA GPU here; PyTorch uses {name}, which is not judged."


def test_a_cpu_build_does_run_on_the_cpu() -> None:
    cpu = {**TORCH, "kind": "cpu"}
    said = _headline(pci=[RADEON], gpus=[], driver={"nvml_code": 12}, torch=cpu)
    assert said == "No NVIDIA GPU here; PyTorch runs on the CPU."


def test_directml_is_not_the_cpu() -> None:
    report = _report(
        packages=("torch-directml",),
        gpus=[H100],
        pci=[],
        driver=R550,
        torch={**TORCH, "kind": "cpu"},
    )
    assert report.frameworks["torch"].gpu_usable is None
    assert not [f for f in report.findings if f.severity != "info"]


def test_a_mac_is_not_said_to_run_on_the_cpu() -> None:
    said = _headline(os="macos", gpus=[], pci=[], torch={**TORCH, "kind": "cpu"})
    assert "CPU" not in said
    assert "PyTorch" in said


def test_a_gpu_of_a_virtual_machine_is_not_ours() -> None:
    passed = {
        "address": "0000:01:00.0",
        "vendor": "nvidia",
        "device_id": "2684",
        "kind": "gpu",
        "kernel_driver": "vfio-pci",
    }
    report = _report(pci=[passed], driver={"nvml_code": 12}, torch=TORCH)
    assert report.verdict == "nothing-to-check"


def test_nothing_is_usable_through_a_libcuda_that_does_not_open() -> None:
    driver = {
        "version": "550.54.14",
        "cuda_driver_version": "12.4",
        "nvml_code": 12,
        "libcuda": {"load_error": "libcuda.so.1: cannot open shared object file"},
    }
    report = _report(gpus=[H100], pci=[], driver=driver, torch=TORCH)
    assert report.verdict == "findings"
    assert report.frameworks["torch"].gpu_usable is False
