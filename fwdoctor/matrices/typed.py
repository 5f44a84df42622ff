"""The JSON objects of the matrices as the typed records of `model/matrix.py`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fwdoctor.model.matrix import (
    Architecture,
    CudaToolkit,
    CudnnRelease,
    DriverBranch,
    ErrorCode,
    GpuModel,
    Pair,
    Release,
    Variant,
)
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

if TYPE_CHECKING:
    from fwdoctor.matrices.record import Record

# The same few dozen texts stand in every file: each is parsed once.
_capability = functools.cache(ComputeCapability.parse)
_cuda = functools.cache(CudaVersion.parse)
_driver = DriverVersion.parse


def read_variant(row: Record) -> Variant:
    """One published build."""
    return Variant(
        package=row.text("package"),
        variant=row.get("variant", str) or ("cpu" if not row.get("cuda", str) else ""),
        index=row.get("index", str) or row.get("channel", str) or "",
        cuda=row.parsed("cuda", _cuda),
        cudnn=row.get("cudnn", str),
        platforms=row.texts("platforms"),
        python=row.texts("python"),
        compute_capabilities=row.parsed_list("compute_capabilities", _capability),
        ptx=row.parsed_list("ptx", _capability),
        kernel_ptx=row.parsed_list("generated_kernel_ptx", _capability) or None,
        nvidia_pins=row.mapping("nvidia_pins"),
        build=row.get("build", str),
        glibc_min=row.get("glibc_min", str),
    )


def read_companions(record: Record) -> dict[str, tuple[str, ...]]:
    """Companion packages with their versions."""
    found = record.mapping("companions")
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in found.items()
        if value
    }


def read_release(measured: Record) -> Release:
    """A whole file of a framework's release, hand-written facts included."""
    record = measured.with_authored()
    numpy = record.inner("numpy")
    return Release(
        framework=record.text("framework"),
        version=record.text("version"),
        released=record.get("released", str),
        prerelease=record.get("prerelease", bool) or False,
        yanked=record.get("yanked", str),
        python=record.texts("python"),
        python_free_threaded=record.texts("python_free_threaded"),
        glibc_min=record.get("glibc_min", str),
        macos_min=record.get("macos_min", str),
        numpy_specs=numpy.one_or_more("spec"),
        numpy2=numpy.mapping("numpy2"),
        requires=record.mapping("requires"),
        extras=record.mapping("extras"),
        companions=read_companions(record),
        variants=record.rows("variants", read_variant),
        conda=record.rows("conda", read_variant),
        runpath_lacks=record.inner("loader").texts("runpath_lacks"),
    )


def read_pair(row: Record) -> Pair:
    """One pair of releases."""
    return Pair(
        torch=row.text("torch"),
        tensorflow=row.text("tensorflow"),
        outcome=row.text("outcome"),
        extra=row.get("extra", str),
        python=row.texts("python"),
        platform=row.get("platform", str),
        colliding=row.texts("colliding"),
        builds=tuple(row.rows("builds", _read_builds)),
    )


def _read_builds(row: Record) -> tuple[str, str]:
    return row.text("torch"), row.text("tensorflow")


def read_toolkit(row: Record) -> CudaToolkit:
    """A CUDA toolkit line."""
    return CudaToolkit(
        version=row.needed("version", _cuda),
        min_driver=row.parsed_values("min_driver", _driver),
        minor_version_floor=row.parsed_values("minor_version_floor", _driver),
        sass=row.parsed_list("sass", _capability),
        ptx_isa=row.get("ptx_isa", str),
    )


def read_branch(row: Record) -> DriverBranch:
    """A driver branch."""
    return DriverBranch(
        branch=row.get("branch", int, required=True) or 0,
        cuda=row.parsed("cuda", _cuda),
        kind=row.get("kind", str),
        end_of_life=row.get("end_of_life", str),
        windows_branches=row.numbers("windows_branches"),
        platform=row.get("platform", str) or "linux",
        architectures=row.texts("architectures"),
        open_modules=row.get("open_modules", str),
    )


def read_architecture(row: Record) -> Architecture:
    """A compute capability."""
    return Architecture(
        compute_capability=row.needed("compute_capability", _capability),
        architecture=row.text("architecture"),
        first_cuda=row.parsed("first_cuda", _cuda),
        last_cuda=row.parsed("last_cuda", _cuda),
        first_driver_branch=row.get("first_driver_branch", int),
        last_driver_branch=row.get("last_driver_branch", int),
        is_tegra=row.get("tegra", bool) or False,
        rejects_cubins_of=row.parsed_list("rejects_cubins_of", _capability),
        rejects_until_cuda=row.parsed("rejects_until_cuda", _cuda),
        open_modules=row.get("open_modules", str),
    )


def read_gpu(row: Record) -> GpuModel:
    """A GPU product name."""
    return GpuModel(
        name=row.text("name"),
        compute_capability=row.needed("compute_capability", _capability),
        aliases=row.texts("aliases"),
        pci_device_ids=row.texts("pci_device_ids"),
        segment=row.get("segment", str),
        first_driver=row.get("first_driver", str),
        is_nvswitch_board=row.get("nvswitch", bool) or False,
        has_forward_compat=row.get("forward_compat", bool),
    )


def read_cudnn(row: Record) -> CudnnRelease:
    """A cuDNN release line."""
    return CudnnRelease(
        version=row.text("version"),
        first=row.get("first", str),
        cuda_majors=row.numbers("cuda_majors"),
        compute_capabilities=row.parsed_list("compute_capabilities", _capability),
    )


def read_code(row: Record) -> ErrorCode:
    """An NVML, CUDA or Xid code."""
    return ErrorCode(
        family=row.text("family"),
        code=row.get("code", int, required=True) or 0,
        name=row.text("name"),
        meaning=row.text("meaning"),
        cause=row.get("cause", str),
        is_hardware=row.get("hardware", bool),
    )
