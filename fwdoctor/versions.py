"""Version-like values: NVIDIA driver versions, CUDA versions, compute capabilities.

Small immutable types with ordering; standard library only. Python package versions are
`packaging.version.Version` and do not belong here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DRIVER = re.compile(r"\d{2,4}\.\d{1,3}(?:\.\d{1,3})?")
_CUDA = re.compile(r"(\d{1,2})\.(\d{1,2})(?:\.\d+)*")
_CAPABILITY = re.compile(r"(\d{1,2})\.(\d)([af]?)")


@dataclass(frozen=True, slots=True, order=True)
class DriverVersion:
    """An NVIDIA driver version such as 550.144.03; the text is kept as found."""

    parts: tuple[int, ...]
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> DriverVersion:
        """Read `text`; raises ValueError when it is no driver version."""
        stripped = text.strip()
        if not _DRIVER.fullmatch(stripped):
            raise ValueError(f"not an NVIDIA driver version: {text!r}")
        return cls(tuple(int(part) for part in stripped.split(".")), stripped)

    @property
    def branch(self) -> int:
        """The driver branch, e.g. 550."""
        return self.parts[0]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class CudaVersion:
    """A CUDA version to the minor, e.g. 12.8: toolkit, runtime or driver API."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> CudaVersion:
        """Read "12.8" or "12.8.1"; raises ValueError otherwise."""
        found = _CUDA.fullmatch(text.strip())
        if not found:
            raise ValueError(f"not a CUDA version: {text!r}")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def from_code(cls, code: int) -> CudaVersion:
        """Decode NVIDIA's integer, major * 1000 + minor * 10 (12040 is 12.4)."""
        return cls(code // 1000, code % 1000 // 10)

    @property
    def variant(self) -> str:
        """The wheel variant built for this CUDA, e.g. cu128."""
        return f"cu{self.major}{self.minor}"

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True, order=True)
class ComputeCapability:
    """A GPU's compute capability, or a build target; `suffix` is a or f (9.0a)."""

    major: int
    minor: int
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> ComputeCapability:
        """Read "8.9", "9.0a"; raises ValueError otherwise."""
        found = _CAPABILITY.fullmatch(text.strip())
        if not found:
            raise ValueError(f"not a compute capability: {text!r}")
        return cls(int(found[1]), int(found[2]), found[3])

    @classmethod
    def from_sm(cls, text: str) -> ComputeCapability:
        """Read "sm_90a", "compute_120" or "90"; raises ValueError otherwise."""
        digits = text.strip().rpartition("_")[2]
        suffix = digits[-1] if digits[-1:] in ("a", "f") else ""
        number = digits.removesuffix(suffix)
        if not number.isdigit() or len(number) < 2:
            raise ValueError(f"not an SM architecture: {text!r}")
        return cls(int(number[:-1]), int(number[-1]), suffix)

    @property
    def sm(self) -> str:
        """The SM architecture name, e.g. sm_89."""
        return f"sm_{self.major}{self.minor}{self.suffix}"

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}{self.suffix}"
