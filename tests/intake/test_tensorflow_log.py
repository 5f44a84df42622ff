"""TensorFlow's own lines, with and without time stamps."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.tensorflow_log import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


def test_device_lines() -> None:
    facts = parse(
        "2024-03-10 19:15:45.018171: I tensorflow/core/gpu/gpu_device.cc:1304]"
        " Created TensorFlow device (/device:GPU:0 with 7007 MB memory) -> physical GPU"
        " (device: 0, name: GeForce RTX 3070, pci bus id: 0000:01:00.0,"
        " compute capability: 8.6)\n"
    )
    assert facts is not None
    assert said(facts)["tensorflow_gpu"] == "true"
    assert facts.gpus is not None
    assert facts.gpus[0].name == "GeForce RTX 3070"
    assert str(facts.gpus[0].compute_capability) == "8.6"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "libcuda reported version is: 450.142\nkernel reported version is: 450.66",
            {"libcuda": "450.142", "kernel_module": "450.66"},
        ),
        (
            "kernel version 384.90.0 does not match DSO version 384.111.0",
            {"kernel_module": "384.90", "libcuda": "384.111"},
        ),
        ("failed call to cuInit: UNKNOWN ERROR (303)", {"cuinit_code": "303"}),
        (
            "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device",
            {"cuinit_code": "CUDA_ERROR_NO_DEVICE"},
        ),
        (
            "Loaded runtime CuDNN library: 8.0.5 but source was compiled with: 8.1.0.",
            {"tensorflow_cudnn": "8.1.0"},
        ),
        ("Num GPUs Available:  0", {"tensorflow_gpu": "false"}),
        (
            "Could not load dynamic library 'libcudart.so.10.1'; dlerror: not found",
            {"tensorflow_cuda": "10.1", "tensorflow_kind": "cuda"},
        ),
        ("v2.11.0-rc2-15-g6290819256d 2.11.0", {"tensorflow": "2.11.0"}),
        (
            "no NVIDIA GPU device is present: /dev/nvidia0 does not exist",
            {"missing_node": "/dev/nvidia0"},
        ),
    ],
)
def test_lines(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected
