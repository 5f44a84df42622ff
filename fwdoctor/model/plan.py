"""What the solver says: which builds to install, from where, why, and why not others.

A Plan is data: `envs/` writes files from it, `report/` words it, nothing runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from fwdoctor.model.lazy_dataclass import dataclass
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

FrameworkName = Literal["torch", "tensorflow"]
Manager = Literal["pip", "uv", "conda", "pixi"]
Prefer = Literal["newest", "native"]
Role = Literal["framework", "companion", "library"]
PlanOutcome = Literal["complete", "partial", "impossible"]

PIP_FAMILY: tuple[Manager, ...] = ("pip", "uv")
CONDA_FAMILY: tuple[Manager, ...] = ("conda", "pixi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for; None leaves the choice to the solver."""

    frameworks: tuple[FrameworkName, ...] = ("torch", "tensorflow")
    constraints: Mapping[str, str] = field(default_factory=dict)  # torch: ">=2.6,<2.9"
    companions: tuple[str, ...] = ()  # torchvision, torchaudio
    manager: Manager | None = None
    python: str | None = None  # "3.12"
    prefer: Prefer = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The machine a plan is for, as files and reports name it."""

    gpus: tuple[str, ...] = ()  # names, in the machine's order
    gpu_keys: tuple[str, ...] = ()  # each as `--target gpu=` takes it
    capabilities: tuple[ComputeCapability, ...] = ()
    driver: DriverVersion | None = None
    driver_cuda: CudaVersion | None = None
    platform: str = "linux-x86_64"
    is_wsl: bool = False
    python: str | None = None  # of the environment in use
    glibc: str | None = None
    has_gpu: bool | None = None
    created_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNote:
    """Where a fact of the plan was had from."""

    subject: str  # "torch 2.10.0"
    source: str
    confidence: str  # measured, metadata, documented, inferred
    retrieved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One exact requirement, and the index or channel it comes from."""

    name: str
    version: str
    role: Role
    index: str = "pypi"  # "pypi", an index URL, or a conda channel's name
    extras: tuple[str, ...] = ()
    local_label: str | None = None  # cu126: the build of another index
    build: str | None = None  # conda build string pattern
    why: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether the version is one release, not a bound such as "<9.11"."""
        return self.version[:1].isdigit()

    @property
    def full_version(self) -> str:
        """The version with its local label: 2.9.1+cu126."""
        label = f"+{self.local_label}" if self.local_label else ""
        return f"{self.version}{label}"

    @property
    def requirement(self) -> str:
        """The requirement in pip's spelling."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        joint = "==" if self.is_exact else ""
        return f"{self.name}{extras}{joint}{self.full_version}"

    @property
    def match_spec(self) -> str:
        """The requirement in conda's spelling."""
        build = f"={self.build}" if self.build else ""
        joint = "=" if self.is_exact or self.version == "*" else ""
        return f"{self.name}{joint}{self.version}{build}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEnvironment:
    """One environment of the plan: everything that is installed together."""

    name: str
    frameworks: tuple[FrameworkName, ...]
    manager: Manager
    python: str
    pins: tuple[Pin, ...]
    channels: tuple[str, ...] = ()  # conda channels, or index URLs beside PyPI
    cuda: CudaVersion | None = None  # newest CUDA among its builds
    least_driver: DriverVersion | None = None
    virtual_packages: Mapping[str, str] = field(default_factory=dict)
    platform: str = "linux-x86_64"
    why: tuple[str, ...] = ()

    @property
    def is_conda(self) -> bool:
        """Whether conda packages are meant, not wheels."""
        return self.manager in CONDA_FAMILY

    def find_pin(self, name: str) -> Pin | None:
        """The pin of this package."""
        return next((pin for pin in self.pins if pin.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A newer release or another variant that was not taken, and why."""

    framework: FrameworkName
    version: str
    variants: tuple[str, ...] = ()  # empty: the whole release
    kind: str = ""  # driver, gpu, python, glibc, cudnn, loader …
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the machine or the wish that would make (more of) it possible."""

    kind: Literal["driver", "python", "gpu", "channel", "constraint", "platform"]
    what: str  # "upgrade the driver to R570 or newer"
    gives: str = ""  # "torch 2.9.1, CUDA 12.8"
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer to one request for one machine."""

    outcome: PlanOutcome
    headline: str
    target: Target
    request: Request
    environments: tuple[PlanEnvironment, ...] = ()
    missing: tuple[FrameworkName, ...] = ()  # asked for, not possible
    left_out: tuple[str, ...] = ()  # GPUs no environment serves
    notes: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    changes: tuple[Change, ...] = ()
    sources: tuple[SourceNote, ...] = ()
