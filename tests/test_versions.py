from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("470.82.01", "470.256.02"),
        ("525.60.13", "525.105.17"),
        ("550.54.14", "550.144.03"),
        ("580.65.06", "580.159.04"),
        ("390.46", "390.144"),
    ],
)
def test_driver_versions_sort_as_numbers(older: str, newer: str) -> None:
    assert DriverVersion.parse(older) < DriverVersion.parse(newer)


def test_driver_version_keeps_its_text() -> None:
    assert str(DriverVersion.parse("550.054.04")) == "550.054.04"
    assert DriverVersion.parse(" 535.86.10\n").branch == 535


@pytest.mark.parametrize(
    "text", ["", "abc", "550", "550.x", "1.2.3.4", "N/A", "9999999"]
)
def test_driver_version_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not an NVIDIA driver version"):
        DriverVersion.parse(text)


def test_cuda_version_from_code_and_text() -> None:
    assert (
        CudaVersion.from_code(12040)
        == CudaVersion.parse("12.4.1")
        == CudaVersion(12, 4)
    )
    assert CudaVersion(13, 0).variant == "cu130"
    assert str(CudaVersion(9, 2)) == "9.2"


@pytest.mark.parametrize("text", ["", "12", "cu128", "12.x", "N/A"])
def test_cuda_version_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not a CUDA version"):
        CudaVersion.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sm_90a", ComputeCapability(9, 0, "a")),
        ("compute_120", ComputeCapability(12, 0)),
        ("sm_37", ComputeCapability(3, 7)),
        ("sm_100f", ComputeCapability(10, 0, "f")),
        ("86", ComputeCapability(8, 6)),
    ],
)
def test_capability_from_sm(text: str, expected: ComputeCapability) -> None:
    assert ComputeCapability.from_sm(text) == expected


@pytest.mark.parametrize("text", ["", "sm_", "sm_x", "sm_9", "gfx906"])
def test_capability_from_sm_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not an SM architecture"):
        ComputeCapability.from_sm(text)


@given(st.integers(1, 99), st.integers(0, 9), st.sampled_from(["", "a", "f"]))
def test_capability_survives_its_text(major: int, minor: int, suffix: str) -> None:
    capability = ComputeCapability(major, minor, suffix)
    assert ComputeCapability.parse(str(capability)) == capability
    assert ComputeCapability.from_sm(capability.sm) == capability


@given(st.tuples(st.integers(10, 9999), st.integers(0, 999), st.integers(0, 999)))
def test_driver_version_survives_its_text(parts: tuple[int, int, int]) -> None:
    text = ".".join(map(str, parts))
    assert DriverVersion.parse(text).parts == parts
    assert str(DriverVersion.parse(text)) == text
