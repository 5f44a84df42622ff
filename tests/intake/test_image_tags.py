"""Tags of well-known images: the frameworks they hold."""

from __future__ import annotations

import pytest

from fwdoctor.intake.image_tags import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "$ docker run -it --gpus all tensorflow/tensorflow:2.6.0-gpu-jupyter",
            {
                "tensorflow": "2.6.0",
                "tensorflow_package": "tensorflow",
                "tensorflow_kind": "cuda",
            },
        ),
        (
            "docker run tensorflow/tensorflow:latest python -c 'import tensorflow'",
            {"tensorflow_package": "tensorflow-cpu", "tensorflow_kind": "cpu"},
        ),
        (
            "FROM pytorch/pytorch:1.9.0-cuda10.2-cudnn7-runtime",
            {"torch": "1.9.0", "torch_cuda": "10.2", "torch_kind": "cuda"},
        ),
        (
            "    image: nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04",
            {"nvcc": "11.8.0", "cudnn": "8"},
        ),
        ("docker run nvidia/cuda:11.0-base nvidia-smi", {"cuda_name": "11.0"}),
    ],
    ids=["tensorflow-gpu", "tensorflow-cpu", "pytorch", "devel", "base"],
)
def test_images_of_commands(text: str, expected: dict[str, str]) -> None:
    facts = parse(text)
    assert facts is not None
    assert {name: fact.value for name, fact in facts.values.items()} == expected


@pytest.mark.parametrize(
    "text",
    [
        "It works with tensorflow/tensorflow:2.4.1-gpu.",
        "docker run mine/tensorflow:2.6.0-gpu",
        "docker run --gpus all IMAGE",
    ],
)
def test_other_images_say_nothing(text: str) -> None:
    assert parse(text) is None
