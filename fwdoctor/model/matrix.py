"""Records of the compatibility matrices, as `matrices/load.py` reads them.

Facts that were not established are None or empty, never guessed. Sources stay in the
JSON files; `Matrices.raw` gives them back for display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from fwdoctor.model.lazy_dataclass import dataclass
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One published build of a framework release."""

    package: str  # torch, tensorflow, tensorflow-gpu …
    variant: str  # cu128, cpu, rocm6.4, xpu
    index: str  # "pypi", an index URL, or a conda channel's name
    cuda: CudaVersion | None = None
    cudnn: str | None = None
    platforms: tuple[str, ...] = ()  # linux-x86_64, windows-x86_64 …
    python: tuple[str, ...] = ()  # "3.12"
    compute_capabilities: tuple[ComputeCapability, ...] = ()  # SASS
    ptx: tuple[ComputeCapability, ...] = ()
    # PTX of the kernels that decide what newer GPUs can run, where it was measured
    # apart from the build record's:
    kernel_ptx: tuple[ComputeCapability, ...] | None = None
    nvidia_pins: Mapping[str, str] = field(default_factory=dict)
    build: str | None = None  # conda build string pattern
    glibc_min: str | None = None  # where it differs from the release's


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of PyTorch or TensorFlow with all its published builds."""

    framework: str
    version: str
    released: str | None = None
    prerelease: bool = False
    yanked: str | None = None
    python: tuple[str, ...] = ()
    python_free_threaded: tuple[str, ...] = ()
    glibc_min: str | None = None
    macos_min: str | None = None
    numpy_specs: tuple[str, ...] = ()  # ">=1.26,<2; python_version >= '3.12'"
    numpy2: Mapping[str, bool] = field(default_factory=dict)
    requires: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    companions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variants: Sequence[Variant] = ()
    conda: Sequence[Variant] = ()
    # folders of NVIDIA wheels its own library search does not reach (measured):
    runpath_lacks: tuple[str, ...] = ()

    @property
    def kernel_ptx(self) -> tuple[ComputeCapability, ...] | None:
        """Measured PTX of the kernels in the main build; None: not measured."""
        measured = (v.kernel_ptx for v in self.variants if v.package == self.framework)
        return next((ptx for ptx in measured if ptx is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaToolkit:
    """A CUDA toolkit release line and the drivers it needs, by operating system."""

    version: CudaVersion
    min_driver: Mapping[str, DriverVersion] = field(default_factory=dict)
    minor_version_floor: Mapping[str, DriverVersion] = field(default_factory=dict)
    sass: tuple[ComputeCapability, ...] = ()
    ptx_isa: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverBranch:
    """A driver branch, its CUDA driver API version and lifecycle."""

    branch: int
    cuda: CudaVersion | None = None
    kind: str | None = None
    end_of_life: str | None = None
    windows_branches: tuple[int, ...] = ()
    platform: str = "linux"
    architectures: tuple[str, ...] = ()
    open_modules: str | None = None  # optional, default


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A compute capability: its architecture and the toolkits and drivers with it."""

    compute_capability: ComputeCapability
    architecture: str
    first_cuda: CudaVersion | None = None
    last_cuda: CudaVersion | None = None
    first_driver_branch: int | None = None
    last_driver_branch: int | None = None
    is_tegra: bool = False
    # cubins of the same major and lower minor that nevertheless do not run here:
    rejects_cubins_of: tuple[ComputeCapability, ...] = ()
    rejects_until_cuda: CudaVersion | None = None
    open_modules: str | None = None  # impossible, possible, required


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuModel:
    """A GPU product name."""

    name: str
    compute_capability: ComputeCapability
    aliases: tuple[str, ...] = ()
    pci_device_ids: tuple[str, ...] = ()
    segment: str | None = None
    first_driver: str | None = None
    is_nvswitch_board: bool = False
    has_forward_compat: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CudnnRelease:
    """A cuDNN release line, with the GPUs and CUDA majors it serves."""

    version: str  # "9.10"
    first: str | None = None
    cuda_majors: tuple[int, ...] = ()
    compute_capabilities: tuple[ComputeCapability, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCode:
    """A numbered NVML, CUDA or Xid code and its meaning."""

    family: str  # nvml, cuda-driver, cuda-runtime, xid
    code: int
    name: str
    meaning: str
    cause: str | None = None
    is_hardware: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Whether two framework releases of one origin can share one environment."""

    torch: str
    tensorflow: str
    outcome: str  # clean, conflict, clobber, unknown
    extra: str | None = None
    python: tuple[str, ...] = ()
    platform: str | None = None
    colliding: tuple[str, ...] = ()
    # Patterns of (torch, tensorflow) build strings that agree, of a conda channel:
    builds: tuple[tuple[str, str], ...] = ()
