"""Versions and machines named in sentences."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.sentences import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "I use torch 2.0.1+cu118, python 3.8, driver 515.48.07, cudnn 8.9.",
            {
                "torch": "2.0.1+cu118",
                "python": "3.8",
                "driver": "515.48.07",
                "cudnn": "8.9",
            },
        ),
        (
            "With TensorFlow 2.4 and CUDA 11.2 nothing works",
            {"tensorflow": "2.4", "cuda_name": "11.2"},
        ),
        ("My nvidia-smi says CUDA 12.2", {"driver_cuda": "12.2"}),
        ("nvcc --version: 11.8", {"nvcc": "11.8"}),
        ("Running under WSL2.", {"os": "linux", "is_wsl": "true"}),
        ("On an NVIDIA Jetson board.", {"os": "linux", "is_tegra": "true"}),
        ("Running in a docker container.", {"container": "docker"}),
        ("We are in a Kubernetes pod", {"container": "kubernetes"}),
        ("In Google Colab.", {"os": "linux", "distribution": "Google Colab"}),
        ("It fails on Windows 11", {"os": "windows", "distribution": "Windows 11"}),
        (
            "I upgraded from TensorFlow 2.3 to TensorFlow 2.4.1",
            {"tensorflow": "2.4.1"},
        ),
        ("It is in my Mac laptop.", {"os": "macos", "distribution": "Mac laptop"}),
        ("The latest stable version of PyTorch (1.3.1) fails", {"torch": "1.3.1"}),
        ("version python:3.12.0", {"python": "3.12.0"}),
        ("On macOS.", {"os": "macos", "distribution": "macOS"}),
        ("torch.cuda.is_available() returns False", {"torch_gpu": "false"}),
    ],
)
def test_what_the_reporter_has(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It needs torch 2.1 or CUDA 11.8.",
        "OS Platform and Distribution (e.g., Linux Ubuntu 16.04):",
        "I upgraded from TensorFlow 2.3, instead of CUDA 10.1",
        "It works on an RTX 3090",
        "On my other machine with Ubuntu 20.04 and an RTX 3090 it runs",
        "RuntimeError: this build needs driver 535",
        "gcc (Ubuntu 9.4.0-1ubuntu1~20.04.1) 9.4.0",
        "supported by this version of PyTorch is (7.0) - (12.0)",
        "2024-03-10 19:15:45.018171: I tensorflow 2.15 python 3.9",
        "Set LD_LIBRARY_PATH on Linux or DYLD_LIBRARY_PATH on Mac OS.",
    ],
)
def test_what_somebody_else_has(text: str) -> None:
    assert said(parse(text)) == {}


def test_gpus_and_other_makers() -> None:
    facts = parse("On Linux with a RTX A6000.")
    assert facts is not None
    assert facts.gpus is not None
    assert facts.gpus[0].name == "RTX A6000"
    other = parse("I use a Radeon RX 590.")
    assert other is not None
    assert other.gpus is None
    assert other.vendors == ("amd",)


@pytest.mark.parametrize(
    ("title", "system"),
    [
        ("(OSX) Torch not compiled with CUDA enabled", "macos"),
        ("[macOS 13] RuntimeError: no CUDA", "macos"),
        ("(WSL2) Error: libcuda.so.1 not found", "linux"),
        ("'Error: no CUDA GPUs are available' on Windows 11", "windows"),
    ],
)
def test_a_title_that_quotes_an_error_may_name_the_place(
    title: str, system: str
) -> None:
    assert said(parse(f"\n{title}\n\nIt stops here.\n"))["os"] == system


def test_a_title_that_quotes_an_error_may_name_the_maker() -> None:
    facts = parse("'Error: Torch not compiled with CUDA enabled' on Apple M1\n")
    assert facts is not None
    assert facts.vendors == ("apple",)


def test_a_gpu_without_a_name_may_have_a_capability() -> None:
    facts = parse("It fails on a Pascal card (sm_61).\n")
    assert facts is not None
    assert [str(gpu.compute_capability) for gpu in facts.gpus or ()] == ["6.1"]


@pytest.mark.parametrize(
    "text",
    [
        "This build supports GPUs with compute capability 7.5.",
        "It was compiled for sm_80 and sm_90.",
        "It works fine on GPUs with compute capability 8.0",
    ],
)
def test_a_capability_of_something_else(text: str) -> None:
    facts = parse(text)
    assert facts is None or not facts.gpus
