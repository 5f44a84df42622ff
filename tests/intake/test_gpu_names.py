"""GPUs named in free text, and their capability out of the matrices."""

from __future__ import annotations

import pytest

from fwdoctor.intake.gpu_names import find_count, find_gpus, find_vendors, resolve
from fwdoctor.matrices.load import Matrices

MATRICES = Matrices()
# Names of chips and boards that nobody writes into a field for the GPU alone.
NOT_FOUND = {
    *("GK20A", "Xavier", "Xavier NX", "Orin", "Orin (nvgpu)", "Orin Nano", "Orin NX"),
    *("Grace Hopper", "Thor"),
}
GIBIBYTE = 1024**3


@pytest.mark.parametrize(
    ("text", "capability"),
    [
        ("GTX 1050 Ti 4GB", "6.1"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "8.6"),
        ("Tesla K80", "3.7"),
        ("Jetson AGX Orin", "8.7"),
        ("NVIDIA Jetson Orin Nano Super", "8.7"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("NVIDIA H100 80GB HBM3", "9.0"),
        ("gtx1080ti", "6.1"),
        ("rtx 3090ti 24gb", "8.6"),
        ("Quadro RTX 5000 with Max-Q Design", "7.5"),
        ("NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("RTX PRO 6000 Blackwell Server Edition", "12.0"),
        ("NVIDIA GB10 (DGX Spark)", "12.1"),
        ("NVIDIA T600 4GB", "7.5"),
        ("GRID T4-16Q", "7.5"),
        ("GTX 4090", "8.9"),  # a common slip
        ("Ampere sm_86", "8.6"),
        ("2080ti", "7.5"),
        ("3090, 24GB", "8.6"),
        ("GTX1660S", "7.5"),
        ("RTX 3090s", "8.6"),
        ("NVidia 940MX", "5.0"),
        ("NVIDIA 1080Ti", "6.1"),
        ("GeForce 780M", "3.0"),
    ],
)
def test_a_field_names_one_gpu(text: str, capability: str) -> None:
    gpus = resolve(find_gpus(text, is_field=True), MATRICES)
    assert [str(gpu.compute_capability) for gpu in gpus] == [capability]


def test_every_known_name_is_found_in_a_field() -> None:
    for gpu in MATRICES.gpus():
        for name in {gpu.name, *gpu.aliases} - NOT_FOUND:
            found = resolve(find_gpus(name, is_field=True), MATRICES)
            assert [g.compute_capability for g in found] == [gpu.compute_capability], (
                name
            )


def test_a_bare_number_is_a_gpu_in_a_field_only() -> None:
    assert find_gpus("I got 3090 images") == ()
    assert find_gpus("2048 MB", is_field=True) == ()


def test_several_and_their_numbers() -> None:
    names = [gpu.name for gpu in find_gpus("2x RTX 4090, Tesla T4", is_field=True)]
    assert names == ["RTX 4090", "RTX 4090", "Tesla T4"]
    assert find_count("a node with 4 GPUs") == 4


def test_memory_is_taken_from_the_field() -> None:
    (gpu,) = find_gpus("RTX 5080, 16GB", is_field=True)
    assert gpu.memory_bytes == 16 * GIBIBYTE
    (cloud,) = find_gpus("NVIDIA A10G", is_field=True)
    assert cloud.memory_bytes is None


@pytest.mark.parametrize(
    ("text", "vendors"),
    [
        ("AMD Radeon RX 6800", ("amd",)),
        ("RX 580", ("amd",)),
        ("Intel UHD Graphics 630", ("intel",)),
        ("M1 Mac", ("apple",)),
        ("Apple M2 Pro", ("apple",)),
        ("\u5728Mac M1\u4e0a", ("apple",)),
        ("Intel Core i7-9700", ()),
        ("NVIDIA RTX A6000", ()),
    ],
)
def test_other_makers(text: str, vendors: tuple[str, ...]) -> None:
    assert find_vendors(text) == vendors
    assert bool(find_gpus(text, is_field=True)) == ("NVIDIA" in text)


def test_in_a_sentence_a_short_chip_needs_company() -> None:
    assert [gpu.name for gpu in find_gpus("It runs on a T4 GPU in Colab")] == ["T4"]
    assert find_gpus("see chapter A10 and step T4 of the plan") == ()


def test_a_makers_name_makes_a_number_a_gpu() -> None:
    found = find_gpus("It fails on an nvidia 1080Ti with nvidia 535 and on nvidia 940M")
    assert [gpu.name for gpu in found] == ["nvidia 1080Ti", "nvidia 940M"]


def test_versions_and_file_names_are_no_gpus() -> None:
    assert find_gpus("torch-1.0-gt4000/a100.py and model_v100.bin") == ()
