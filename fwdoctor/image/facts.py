"""What is said about an image: its configuration, where it runs, what it wastes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from fwdoctor.model.finding import Report
from fwdoctor.model.lazy_dataclass import dataclass
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

ImageKind = Literal["root", "bundle", "oci", "docker", "tar", "build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """The image as its archive and its configuration describe it."""

    kind: ImageKind
    platform: str | None = None
    digest: str | None = None
    tags: tuple[str, ...] = ()
    layers: int = 0
    stored_bytes: int = 0
    user: str | None = None
    working_dir: str | None = None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Which hosts and GPUs one framework of an image runs on."""

    framework: Literal["torch", "tensorflow"]
    product: str  # "torch 2.9.1"
    environment: str  # prefix
    kind: str  # cuda, cpu, rocm …
    cuda: CudaVersion | None = None
    min_driver: DriverVersion | None = None  # by minor-version compatibility
    full_driver: DriverVersion | None = None  # that speaks the build's own CUDA
    # Older branches that a compat package in the image makes do, on data-centre GPUs.
    compat_package: str | None = None
    compat_branches: tuple[int, ...] = ()
    native: tuple[ComputeCapability, ...] = ()
    ptx_only: tuple[ComputeCapability, ...] = ()
    not_at_all: tuple[ComputeCapability, ...] = ()
    unknown: tuple[ComputeCapability, ...] = ()
    reason: str = ""  # why it runs nowhere, or what is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """Bytes of the image that nothing here needs."""

    what: str
    size_bytes: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport(Report):
    """A report on an image, with the answer: where does it run?"""

    image: ImageFacts
    reach: tuple[Reach, ...] = ()
    min_driver: DriverVersion | None = None  # of all frameworks together
    require_cuda: str | None = None  # what NVIDIA_REQUIRE_CUDA should be
    require_cuda_now: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # to stamp on it
    waste: tuple[Waste, ...] = ()
