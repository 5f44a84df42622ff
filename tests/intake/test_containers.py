"""Containers: run lines, Dockerfiles, compose files."""

from __future__ import annotations

import pytest

from fwdoctor.intake.containers import parse
from fwdoctor.intake.facts import Facts


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


RUN_LINES = {
    "$ docker run -it --gpus all -p 8888:8888 tensorflow/tensorflow:latest": (
        *("tensorflow/tensorflow:latest", "--gpus all"),
    ),
    "docker run --gpus=all nvidia/cuda:11.0-base nvidia-smi": (
        *("nvidia/cuda:11.0-base", "--gpus all"),
    ),
    "sudo docker run -v /a:/b --name x mine:1 bash": ("mine:1", None),
    "docker run --runtime=nvidia mine:1": ("mine:1", "--runtime nvidia"),
    "nvidia-docker run mine:1": ("mine:1", "nvidia-docker"),
    "podman run --device nvidia.com/gpu=all mine:1": (
        *("mine:1", "--device nvidia.com/gpu=all"),
    ),
    "singularity exec --nv mine.sif python": ("mine.sif", "--nv"),
}


@pytest.mark.parametrize("text", RUN_LINES)
def test_run_lines(text: str) -> None:
    image, gpus = RUN_LINES[text]
    facts = parse(text)
    assert facts is not None
    assert facts.commands[0].image == image
    assert facts.commands[0].gpus == gpus
    assert "container" in said(facts)


def test_a_build_names_no_image_to_run() -> None:
    facts = parse("docker build -t mine:1 .")
    assert facts is not None
    assert facts.commands[0].image is None
    assert "container" not in said(facts)


def test_a_dockerfile() -> None:
    facts = parse("FROM nvidia/cuda:11.8.0-base AS base\nRUN pip install torch\n")
    assert facts is not None
    assert facts.commands[0].tool == "dockerfile"
    assert facts.commands[0].image == "nvidia/cuda:11.8.0-base"


def test_a_compose_file() -> None:
    facts = parse(
        "services:\n  train:\n    image: pytorch/pytorch:2.1.0\n"
        "    deploy:\n      resources:\n        reservations:\n          devices:\n"
        "            - driver: nvidia\n              capabilities: [gpu]\n"
    )
    assert facts is not None
    assert facts.commands[0].image == "pytorch/pytorch:2.1.0"
    assert facts.commands[0].gpus is not None


def test_text_of_the_toolkit_comes_from_a_container() -> None:
    facts = parse("nvidia-container-cli: initialization error: nvml error\n")
    assert said(facts) == {"container": "docker"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("root@3f2a1b4c5d6e:/workspace# nvidia-smi\n", "docker"),
        ("(container) $ nvidia-smi -L\n", "docker"),
        ("  limits:\n    nvidia.com/gpu: 1\n", "kubernetes"),
        ("$ kubectl logs pod\n", "kubernetes"),
        ("running on this host (train-5f7d446b77-kmsxn): it\n", "kubernetes"),
        ("cuda_diagnostics.cc:176] hostname: 3f2a1b4c5d6e\n", "docker"),
    ],
)
def test_signs_of_containers(text: str, kind: str) -> None:
    assert said(parse(text)) == {"container": kind}


def test_a_user_of_a_machine_is_no_container() -> None:
    assert parse("me@workstation-01:~$ nvidia-smi\n") is None
    assert parse("cuda_diagnostics.cc:176] hostname: workstation-01\n") is None
