"""compat.py against NVIDIA's documented rules, with the shipped matrices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor import compat
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.matrix import Release
from fwdoctor.model.snapshot import Framework
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

MATRICES = Matrices()


def capabilities(*texts: str) -> tuple[ComputeCapability, ...]:
    return tuple(map(ComputeCapability.parse, texts))


@pytest.mark.parametrize(
    ("cuda", "driver", "ok", "how"),
    [
        # https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ table 3
        ("12.8", "570.26", True, "native"),
        ("12.8", "525.60.13", True, "minor-version"),
        ("12.8", "525.60.11", False, None),
        ("12.8", "470.256.02", False, None),
        ("13.0", "580.65.06", True, "native"),
        ("13.0", "575.57.08", False, None),
        ("11.8", "450.80.02", True, "minor-version"),
        ("11.8", "615.71.09", True, "native"),
        ("10.2", "440.33", True, "native"),
        ("10.2", "418.87", False, None),  # no minor-version compatibility before 11
        ("10.1", "418.39", True, "native"),
        ("9.0", "384.81", True, "native"),
    ],
)
def test_driver_runs_on_linux(
    cuda: str, driver: str, ok: bool, how: str | None
) -> None:
    verdict = compat.driver_runs(
        CudaVersion.parse(cuda), MATRICES, driver=DriverVersion.parse(driver)
    )
    assert (verdict.ok, verdict.how) == (ok, how)


@pytest.mark.parametrize(
    ("driver", "speaks", "ok"),
    [("450.51.06", (11, 0), False), ("450.80.02", (11, 0), True)],
)
def test_a_branch_has_minor_versions_from_its_floor_on(
    driver: str, speaks: tuple[int, int], ok: bool
) -> None:
    verdict = compat.driver_runs(
        CudaVersion(11, 8),
        MATRICES,
        driver=DriverVersion.parse(driver),
        driver_cuda=CudaVersion(*speaks),
    )
    assert verdict.ok is ok


def test_driver_numbers_of_windows_are_not_those_of_linux() -> None:
    driver = DriverVersion.parse("527.41")
    cuda = CudaVersion(12, 0)
    on_windows = compat.driver_runs(cuda, MATRICES, driver=driver, os_name="windows")
    assert on_windows.ok is True
    assert compat.least_driver(
        cuda, MATRICES, os_name="windows"
    ) != compat.least_driver(cuda, MATRICES)


def test_what_the_driver_says_outranks_the_table() -> None:
    verdict = compat.driver_runs(
        CudaVersion(13, 2),
        MATRICES,
        driver=DriverVersion.parse("550.54.14"),
        driver_cuda=CudaVersion(13, 3),  # a compat libcuda
    )
    assert verdict.ok is True


def test_no_minor_version_compatibility_across_majors() -> None:
    verdict = compat.driver_runs(
        CudaVersion(13, 0), MATRICES, driver_cuda=CudaVersion(12, 9)
    )
    assert verdict.ok is False
    assert verdict.needs == "580.65.06"


def test_unknown_cuda_is_unknown() -> None:
    verdict = compat.driver_runs(
        CudaVersion(99, 0), MATRICES, driver=DriverVersion.parse("580.65.06")
    )
    assert verdict.ok is None


@given(
    st.sampled_from([t.version for t in MATRICES.toolkits()]),
    st.tuples(st.integers(340, 700), st.integers(0, 200)),
    st.tuples(st.integers(340, 700), st.integers(0, 200)),
)
def test_a_newer_driver_never_loses_a_cuda(
    cuda: CudaVersion, one: tuple[int, int], other: tuple[int, int]
) -> None:
    older, newer = (DriverVersion.parse(f"{b}.{m:02}") for b, m in sorted((one, other)))
    before = compat.driver_runs(cuda, MATRICES, driver=older).ok
    after = compat.driver_runs(cuda, MATRICES, driver=newer).ok
    assert not (before is True and after is False)


@pytest.mark.parametrize(
    ("cc", "sass", "ptx", "ok", "how"),
    [
        ("8.9", ("8.0", "8.6", "9.0"), (), True, "same-major-cubin"),
        ("8.6", ("8.6",), (), True, "native"),
        ("12.1", ("12.0",), (), True, "same-major-cubin"),
        ("7.5", ("7.0",), (), True, "same-major-cubin"),
        ("8.6", ("7.0", "7.5"), (), False, None),
        ("12.0", ("9.0", "10.0"), (), False, None),
        ("12.0", ("9.0",), ("9.0",), True, "ptx-jit"),
        ("12.0", ("9.0",), ("9.0a",), False, None),
        ("9.0", ("9.0a",), (), True, "same-major-cubin"),
        ("9.0", (), ("9.0a",), True, "ptx-jit"),
        ("8.7", ("8.6",), (), False, None),  # Tegra
        ("6.1", ("5.0", "6.0"), (), True, "same-major-cubin"),
        ("3.5", ("3.7",), (), False, None),
        ("10.3", ("10.0f",), (), True, "same-major-cubin"),
    ],
)
def test_gpu_runs(
    cc: str, sass: tuple[str, ...], ptx: tuple[str, ...], ok: bool, how: str | None
) -> None:
    verdict = compat.gpu_runs(
        ComputeCapability.parse(cc),
        MATRICES,
        sass=capabilities(*sass),
        ptx=capabilities(*ptx),
        build_cuda=CudaVersion(12, 8),
    )
    assert (verdict.ok, verdict.how) == (ok, how)


def test_tegra_takes_desktop_cubins_from_cuda_13_2() -> None:
    for cuda, ok in ((CudaVersion(13, 0), False), (CudaVersion(13, 2), True)):
        verdict = compat.gpu_runs(
            ComputeCapability(8, 7), MATRICES, sass=capabilities("8.0"), build_cuda=cuda
        )
        assert verdict.ok is ok


def test_ptx_of_a_newer_toolkit_may_not_compile() -> None:
    verdict = compat.gpu_runs(
        ComputeCapability(12, 0),
        MATRICES,
        sass=capabilities("8.0"),
        ptx=capabilities("9.0"),
        build_cuda=CudaVersion(12, 8),
        driver_cuda=CudaVersion(12, 4),
    )
    assert verdict.ok is None
    assert "12.4" in verdict.reason


def test_a_build_without_known_targets_is_unknown() -> None:
    assert compat.gpu_runs(ComputeCapability(8, 9), MATRICES, sass=()).ok is None


@pytest.mark.parametrize(
    ("cc", "targets", "too_old"),
    [
        ("3.7", ("5.0", "8.0"), True),
        ("12.0", ("5.0", "9.0"), False),
        ("6.1", ("5.0", "7.0"), True),
    ],
)
def test_too_old_or_too_new(cc: str, targets: tuple[str, ...], too_old: bool) -> None:
    verdict = compat.is_gpu_too_old(
        ComputeCapability.parse(cc),
        capabilities(*targets),
        MATRICES,
        CudaVersion(12, 6),
    )
    assert verdict is too_old


@pytest.mark.parametrize(
    ("cc", "driver", "ok"),
    [
        ("6.1", "580.65.06", True),
        ("6.1", "590.44.01", False),
        ("3.7", "470.256.02", True),
        ("3.7", "535.54.03", False),
        ("12.0", "550.54.14", False),
        ("12.0", "570.86.10", True),
        ("7.5", "615.71.09", True),
    ],
)
def test_driver_drives(cc: str, driver: str, ok: bool) -> None:
    verdict = compat.driver_drives(
        ComputeCapability.parse(cc), DriverVersion.parse(driver), MATRICES
    )
    assert verdict.ok is ok


@pytest.mark.parametrize(
    ("cudnn", "cc", "ok"),
    [
        ("9.10.2.21", "7.0", True),
        ("9.11.0.98", "7.0", False),
        ("9.11.0.98", "7.5", True),
        ("42.0", "9.0", None),
    ],
)
def test_cudnn_runs(cudnn: str, cc: str, ok: bool | None) -> None:
    assert compat.cudnn_runs(cudnn, ComputeCapability.parse(cc), MATRICES).ok is ok


@pytest.mark.parametrize(
    ("built", "loaded", "ok"),
    [
        ("9.3.0", "9.10.2", True),
        ("9.10.2", "9.3.0", False),
        ("8.9", "9.1.0", False),
        ("9", "9.26.0", True),
        ("9.1.0", "unknown", None),
    ],
)
def test_cudnn_agrees(built: str, loaded: str, ok: bool | None) -> None:
    assert compat.cudnn_agrees(built, loaded).ok is ok


def test_python_and_glibc() -> None:
    release = Release(
        framework="torch", version="1.0", python=("3.10", "3.11"), glibc_min="2.28"
    )
    assert compat.python_runs(release, "3.11", None).ok is True
    refused = compat.python_runs(release, "3.14", None)
    assert refused.ok is False
    assert refused.needs == "3.10 to 3.11"
    assert (
        compat.python_runs(Release(framework="t", version="1"), "3.9", None).ok is None
    )
    assert compat.glibc_runs(release, "2.17").ok is False
    assert compat.glibc_runs(release, "2.39").ok is True
    assert compat.glibc_runs(Release(framework="t", version="1"), "2.17").ok is None


def test_a_target_is_listed_once() -> None:
    build = Framework(
        version="9.9",
        kind="cuda",
        cuda=CudaVersion(12, 9),
        compute_capabilities=(ComputeCapability(12, 0),),
        ptx=(ComputeCapability(12, 0),),
    )
    verdict = compat.build_runs("torch", build, ComputeCapability(6, 1), MATRICES)
    assert verdict.reason == "the build has code for 12.0, none of it for 6.1"
