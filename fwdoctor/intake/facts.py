"""What one parser found in a paste: partial facts, each with its source and line.

Values stay text here; `assemble` turns them into the typed fields of a Snapshot. A
parser collects the first value it meets for a fact and leaves the judging of sources
that disagree to `merge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import (
    Command,
    Gpu,
    Library,
    Package,
    PciDevice,
    XidEvent,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

FactName = Literal[
    # host
    "os",
    "distribution",
    "kernel",
    "machine",
    "libc_version",
    "is_wsl",
    "is_tegra",
    "tegra_release",
    "gcc",
    "secure_boot",  # enabled, disabled
    "cpu_model",
    # driver
    "driver",
    "driver_cuda",  # CUDA driver API version: nvidia-smi's header
    "cuda_name",  # a «CUDA version» of unknown origin
    "kernel_module",
    "modules",  # of lsmod, or "none"
    "libcuda",
    "libcuda_cuda",
    "nvml_code",
    "nvml_version",
    "cuinit_code",
    "smi_version",
    "smi_error",
    "gpu_count",
    "missing_node",  # a device file that is not there
    # toolkit
    "nvcc",
    "cuda_home",
    "cudnn",  # a cuDNN found outside the framework, or of unknown origin
    # environment
    "python",
    "manager",
    "bits",
    # frameworks
    "torch",
    "torch_cuda",
    "torch_cudnn",
    "torch_kind",
    "torch_build_unknown",  # "CUDA used to build: Could not collect"
    "torch_gpu",
    "torch_archs",
    "tensorflow",
    "tensorflow_package",
    "tensorflow_cuda",
    "tensorflow_cudnn",
    "tensorflow_kind",
    "tensorflow_gpu",
    # surroundings
    "container",
    "scheduler",
    "scheduler_gpus",
]
Vendor = Literal["nvidia", "amd", "intel", "apple"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One established value, as written, and the line it stands on."""

    value: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one parser established; everything else is unknown to it."""

    source: str
    values: Mapping[FactName, Fact] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] | None = None
    vendors: tuple[Vendor, ...] = ()  # whose GPUs are named besides
    pci: tuple[PciDevice, ...] = ()  # where the bus was listed
    packages: tuple[Package, ...] = ()
    libraries: tuple[Library, ...] = ()
    xids: tuple[XidEvent, ...] = ()
    commands: tuple[Command, ...] = ()
    env_vars: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: FactName) -> str | None:
        """The value of a fact, or None."""
        found = self.values.get(name)
        return found.value if found else None


class Collector:
    """Gathers the facts of one parser while it walks over its text."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.text = text
        self.values: dict[FactName, Fact] = {}
        self.gpus: list[Gpu] = []
        self.vendors: list[Vendor] = []
        self.pci: list[PciDevice] = []
        self.packages: list[Package] = []
        self._known: set[Package] = set()
        self.libraries: list[Library] = []
        self.xids: list[XidEvent] = []
        self.commands: list[Command] = []
        self.env_vars: dict[str, str] = {}

    def add(self, name: FactName, value: str | None, offset: int = 0) -> None:
        """Keep the first value of a fact; None and blanks establish nothing."""
        stripped = (value or "").strip()
        if stripped and name not in self.values:
            line = self.text.count("\n", 0, offset) + 1
            self.values[name] = Fact(stripped, line)

    def add_match(
        self, name: FactName, match: re.Match[str] | None, group: int | str = 1
    ) -> None:
        """Keep a group of a match, if both are there."""
        if match and match[group] is not None:
            self.add(name, match[group], match.start(group))

    def add_all(self, values: Mapping[FactName, str], offset: int = 0) -> None:
        """Keep several facts read out of one place."""
        for name, value in values.items():
            self.add(name, value, offset)

    def add_packages(self, packages: Iterable[Package]) -> None:
        """Keep packages; a distribution listed twice in the same words counts once."""
        for package in packages:
            if package not in self._known:
                self._known.add(package)
                self.packages.append(package)

    def facts(self) -> Facts | None:
        """All that was collected, or None when that is nothing."""
        facts = Facts(
            source=self.source,
            values=self.values,
            gpus=tuple(self.gpus) or None,
            vendors=tuple(self.vendors),
            pci=tuple(self.pci),
            packages=tuple(self.packages),
            libraries=tuple(self.libraries),
            xids=tuple(self.xids),
            commands=tuple(self.commands),
            env_vars=self.env_vars,
        )
        return None if facts == Facts(source=self.source) else facts
