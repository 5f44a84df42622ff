"""Banners of YOLO, xformers and bitsandbytes."""

from __future__ import annotations

from fwdoctor.intake.banners import parse
from fwdoctor.intake.facts import Facts


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


def test_yolo_names_python_torch_and_gpu() -> None:
    facts = parse(
        "Ultralytics YOLOv8.2.15 \U0001f680 Python-3.10.9 torch-2.1.0+cu118"
        " CUDA:0 (NVIDIA GeForce RTX 3060, 12288MiB)\n"
    )
    assert said(facts) == {
        "python": "3.10.9",
        "torch": "2.1.0+cu118",
        "torch_gpu": "true",
        "torch_kind": "cuda",
    }
    assert facts is not None
    assert facts.gpus is not None
    assert facts.gpus[0].name == "NVIDIA GeForce RTX 3060"
    assert facts.gpus[0].memory_bytes == 12288 * 1024**2


def test_yolo_on_the_cpu() -> None:
    facts = parse("YOLOv5 v7.0-1 Python-3.9.16 torch-1.12.1+cpu CPU\n")
    assert said(facts)["torch_gpu"] == "false"


def test_xformers_says_what_is_installed() -> None:
    facts = parse(
        "xFormers was built for:\n"
        "    PyTorch 2.1.2+cu121 with CUDA 1201 (you have 2.1.2+cpu)\n"
        "    Python  3.10.11 (you have 3.10.8)\n"
    )
    assert said(facts) == {"torch": "2.1.2+cpu", "python": "3.10.8"}


def test_bitsandbytes_reads_the_build_of_torch() -> None:
    facts = parse(
        "CUDA SETUP: PyTorch settings found: CUDA_VERSION=117,"
        " Highest Compute Capability: 8.6.\n"
    )
    assert said(facts) == {"torch_cuda": "11.7", "torch_kind": "cuda"}
    assert facts is not None
    assert facts.gpus is not None
    assert str(facts.gpus[0].compute_capability) == "8.6"
