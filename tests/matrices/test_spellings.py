"""Versions and names as people, distributions and programs write them."""

from __future__ import annotations

import pytest

from fwdoctor.matrices import spellings


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.5.1", "2.5.1"),
        (" 2.5.1 ", "2.5.1"),
        ("v2.5.1", "2.5.1"),
        ("2.5.1+cu124", "2.5.1"),
        ("==2.5.1", "2.5.1"),
        ("torch==2.5.1+cu124", "2.5.1"),
        ("torch 2.5.1", "2.5.1"),
        ("tensorflow-gpu==2.10.0", "2.10.0"),
        ("2.22.0rc0", "2.22.0rc0"),
        ("2.15.0.post1", "2.15.0.post1"),
        ("latest", "latest"),
        ("torch==2.5.*", "2.5"),
        (">=2.5", ">=2.5"),
        ("../cuda/toolkits", "../cuda/toolkits"),
        ("", ""),
    ],
)
def test_release_version(text: str, version: str) -> None:
    assert spellings.release_version(text) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("12.8", "12.8"),
        ("cuda-12.8", "12.8"),
        ("CUDA 12.8.1", "12.8.1"),
        ("cuda12.8", "12.8"),
        ("cu128", "12.8"),
        ("cu92", "9.2"),
        ("cu130", "13.0"),
        ("V12.4.131", "12.4.131"),
        ("release 12.4", "12.4"),
        ("release 12.4, V12.4.131", "12.4"),
        ("12,8", "12.8"),
        ("12", "12"),
        ("cuda12", "12"),
        ("nonsense", "nonsense"),
    ],
)
def test_cuda_version(text: str, version: str) -> None:
    assert spellings.cuda_version(text) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("9.10.2.21", "9.10.2.21"),
        ("8.9.7.29-1+cuda12.2", "8.9.7.29"),
        ("v9.1", "9.1"),
        ("cudnn 9.1", "9.1"),
        ("libcudnn.so.9.1.0", "9.1.0"),
        ("libcudnn.so.9", "9"),
        ("7605", "7.6"),
        ("8902", "8.9"),
        ("8500", "8.5"),
        ("90100", "9.1"),
        ("91002", "9.10"),
        ("92800", "9.28"),
        ("100000", "10.0"),
        ("nonsense", "nonsense"),
    ],
)
def test_cudnn_version(text: str, version: str) -> None:
    assert spellings.cudnn_version(text) == version


@pytest.mark.parametrize(
    ("text", "version", "os_name"),
    [
        ("550.54.14", "550.54.14", None),
        ("561.09", "561.09", None),
        ("560.35.03-1ubuntu1", "560.35.03", None),
        ("560.35.03-0ubuntu0.22.04.1", "560.35.03", None),
        ("v550.54.14", "550.54.14", None),
        ("nvidia-driver-550-server", "550", None),
        ("NVIDIA-SMI 550.54.14", "550.54.14", None),
        ("550.x", "550", None),
        ("R550", "R550", None),
        ("32.0.15.6109", "561.09", "windows"),
        ("31.0.15.3623", "536.23", "windows"),
        ("27.21.14.5671", "456.71", "windows"),
        ("newest", "newest", None),
        ("５５０", "５５０", None),  # digits of another script
    ],
)
def test_driver_version(text: str, version: str, os_name: str | None) -> None:
    assert spellings.driver_version(text) == (version, os_name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A100 80G", "A100 80GB"),
        ("A100  80 GiB", "A100 80GB"),
        ("A10G", "A10G"),
        ("NVIDIA® GeForce RTX™ 4090", "NVIDIA GeForce RTX 4090"),
        ("GeForce(R) RTX(TM) 4090", "GeForce RTX 4090"),
        ("RTX 4090 Mobile", "RTX 4090 Laptop GPU"),
        ("RTX 4090 Laptop GPU", "RTX 4090 Laptop GPU"),
    ],
)
def test_gpu_name(text: str, name: str) -> None:
    assert spellings.gpu_name(text) == name


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("8.9", "8.9"),
        ("sm_89", "8.9"),
        ("sm120", "12.0"),
        ("compute_90a", "9.0"),
        ("cc 8.6", "8.6"),
        ("750", None),
        ("T4", None),
    ],
)
def test_compute_capability(text: str, target: str | None) -> None:
    assert spellings.compute_capability(text) == target


def test_pci_device_id() -> None:
    assert spellings.pci_device_id("10de:2684") == "2684"
    assert spellings.pci_device_id("0x2684") == "2684"
    assert spellings.pci_device_id("1002:744c") is None
    assert spellings.pci_device_id("4090") is None


@pytest.mark.parametrize(
    ("text", "topic"),
    [("PyTorch", "torch"), ("tf", "tensorflow"), ("GPUs", "gpu"), ("jax", "jax")],
)
def test_topic_name(text: str, topic: str) -> None:
    assert spellings.topic_name(text) == topic
