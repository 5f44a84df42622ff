"""Version numbers inside free text."""

from __future__ import annotations

import pytest

from fwdoctor.intake.numbers import (
    find_driver_version,
    find_framework_version,
    split_cuda_cudnn,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v2.11.0-rc2-15-g6290819256d 2.11.0", "2.11.0"),
        ("2.0.1+cu117", "2.0.1+cu117"),
        ("1.12.0a0+2c916ef.nv22.3", "1.12.0a0+2c916ef.nv22.3"),
        ("2.5.0.dev20210106 (tf-nightly)", "2.5.0.dev20210106"),
        ("1.0.1.post2", "1.0.1.post2"),
        ("1.14 (source)", "1.14"),
        ("N/A", None),
    ],
)
def test_frameworks(text: str, version: str | None) -> None:
    assert find_framework_version(text) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("450.66", "450.66"),
        ("Driver 515.48.07", "515.48.07"),
        ("390", "390"),
        ("535.x", "535"),
        ("other than 535.183.01", None),
        ("nvidia-driver-535-open", None),
    ],
)
def test_drivers(text: str, version: str | None) -> None:
    assert find_driver_version(text) == version


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("12.1 / 8.x", {"cuda_name": "12.1", "cudnn": "8"}),
        ("CUDA11.0/ cuDNN8", {"cuda_name": "11.0", "cudnn": "8"}),
        ("10.0.130/7.6.5", {"cuda_name": "10.0.130", "cudnn": "7.6.5"}),
        ("11.2", {"cuda_name": "11.2"}),
        ("unknown/unknown", {}),
        ("cuDNN: Driver Version: 561.17", {}),
    ],
)
def test_a_field_for_both(text: str, facts: dict[str, str]) -> None:
    assert split_cuda_cudnn(text) == facts
