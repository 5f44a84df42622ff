"""PyTorch's own warnings and errors."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.torch_log import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


MISMATCH = (
    "The detected CUDA version (10.1) mismatches the version that was used to"
    " compile PyTorch (12.1)."
)


def test_a_gpu_that_is_not_served() -> None:
    facts = parse(
        "UserWarning: \nNVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not"
        " compatible with the current PyTorch installation.\n"
        "The current PyTorch install supports CUDA capabilities sm_50 sm_90.\n"
    )
    assert facts is not None
    assert said(facts) == {"torch_archs": "sm_50 sm_90", "torch_kind": "cuda"}
    assert facts.gpus is not None
    assert facts.gpus[0].name == "NVIDIA GeForce RTX 5090"
    assert str(facts.gpus[0].compute_capability) == "12.0"


def test_the_newer_words() -> None:
    facts = parse("Found GPU0 NVIDIA TITAN Xp which is of cuda capability 6.1.\n")
    assert facts is not None
    assert facts.gpus is not None
    assert facts.gpus[0].name == "NVIDIA TITAN Xp"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The NVIDIA driver on your system is too old (found version 10010).",
            {"libcuda_cuda": "10.1"},
        ),
        (
            "Unexpected error from cudaGetDeviceCount(). Error 804: forward compat",
            {"cuinit_code": "804"},
        ),
        (
            "was compiled  against (8, 7, 0) but found runtime version (8, 5, 0)",
            {"torch_cudnn": "8.7.0"},
        ),
        ("AssertionError: Torch not compiled with CUDA enabled", {"torch_kind": "cpu"}),
        (
            MISMATCH,
            {"nvcc": "10.1", "torch_cuda": "12.1", "torch_kind": "cuda"},
        ),
    ],
)
def test_lines(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected
