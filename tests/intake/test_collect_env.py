"""collect_env in its generations, whole and broken."""

from __future__ import annotations

import pytest

from fwdoctor.intake.collect_env import parse
from fwdoctor.intake.facts import Facts


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


OLD = """\
Collecting environment information...
PyTorch version: 1.3.1
Is debug build: No
CUDA used to build PyTorch: Could not collect

OS: Ubuntu 18.04.4 LTS
GCC version: (Ubuntu 7.5.0-3ubuntu1~18.04) 7.5.0

Python version: 3.7
Is CUDA available: No
CUDA runtime version: 10.1.105
GPU models and configuration:
GPU 0: GeForce RTX 2080 Ti

Nvidia driver version: 430.64
cuDNN version: /usr/lib/x86_64-linux-gnu/libcudnn.so.7.6.5

[pip3] torch==1.3.1
[conda] pytorch 1.3.1 py3.7_cpu_0 pytorch
"""
PADDED = """\
==============================
       PyTorch Info
==============================
PyTorch version              : 2.6.0+cu124
Is debug build               : False
CUDA used to build PyTorch   : 12.4
ROCM used to build PyTorch   : N/A
OS                           : Ubuntu 22.04.4 LTS (x86_64)
Libc version                 : glibc-2.35
Python version               : 3.12.9 (main, Feb  5 2025) [GCC 11.4.0] (64-bit runtime)
Python platform              : Linux-5.15.0-58-generic-x86_64-with-glibc2.31
Is CUDA available            : True
GPU models and configuration :
GPU 0: NVIDIA H100 80GB HBM3
GPU 1: NVIDIA H100 80GB HBM3
Nvidia driver version        : 535.129.03
"""


def test_old_report() -> None:
    facts = parse(OLD)
    assert facts is not None
    values = said(facts)
    assert values["torch"] == "1.3.1"
    assert values["torch_build_unknown"] == "true"
    assert values["torch_gpu"] == "false"
    assert values["driver"] == "430.64"
    assert values["nvcc"] == "10.1.105"
    assert values["gcc"] == "7.5.0"
    assert values["distribution"] == "Ubuntu 18.04.4 LTS"
    assert facts.gpus is not None
    assert [gpu.name for gpu in facts.gpus] == ["GeForce RTX 2080 Ti"]
    assert [library.version for library in facts.libraries] == ["7.6.5"]
    assert [p.build_string for p in facts.packages] == [None, "py3.7_cpu_0"]
    assert facts.values["driver"].line == 15


def test_padded_report_of_vllm() -> None:
    facts = parse(PADDED)
    assert facts is not None
    values = said(facts)
    assert values["torch"] == "2.6.0+cu124"
    assert values["torch_cuda"] == "12.4"
    assert values["torch_gpu"] == "true"
    assert values["python"] == "3.12.9"
    assert values["libc_version"] == "2.35"
    assert facts.gpus is not None
    assert [gpu.index for gpu in facts.gpus] == [0, 1]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("CUDA used to build PyTorch: None", "cpu"),
        ("CUDA used to build PyTorch: N/A\nROCM used to build PyTorch: 5.7.3", "rocm"),
        ("CUDA used to build PyTorch: 11.8", "cuda"),
    ],
)
def test_kinds_of_builds(line: str, kind: str) -> None:
    assert said(parse(f"PyTorch version: 2.1.0\n{line}\n"))["torch_kind"] == kind


def test_torch_that_did_not_import_says_nothing() -> None:
    facts = parse(
        "PyTorch version: N/A\nCUDA used to build PyTorch: N/A\n"
        "OS: Microsoft Windows 11 Home\nIs CUDA available: N/A\n"
    )
    assert said(facts) == {"os": "windows", "distribution": "Microsoft Windows 11 Home"}


def test_quoted_without_colons_and_with_odd_capitals() -> None:
    facts = parse(
        "Pytorch version 1.5.0\nIs CUDA available True\n"
        "Nvidia driver version 440.33.01\n"
    )
    values = said(facts)
    assert values["torch"] == "1.5.0"
    assert values["torch_gpu"] == "true"
    assert values["driver"] == "440.33.01"
