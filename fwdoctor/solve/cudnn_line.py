"""The last cuDNN line that old GPUs still have, where a framework allows newer ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor import compat

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.solve.candidates import Candidate, Machine
    from fwdoctor.versions import CudaVersion

AND_CUDA = "and-cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCudnn:
    """The cuDNN wheel that must not become newer than its line."""

    name: str
    version: str
    line: str


def held_cudnn(
    build: Candidate, machine: Machine, matrices: Matrices
) -> HeldCudnn | None:
    """The wheel to hold beside a build that leaves cuDNN open; None for no need."""
    cuda = build.variant.cuda
    name = f"nvidia-cudnn-cu{cuda.major}" if cuda else ""
    spec = build.release.extras.get(AND_CUDA, {}).get(name, "")
    if cuda is None or build.release.framework != "tensorflow" or not spec:
        return None
    line = None if spec.startswith("==") else last_cudnn_line(cuda, machine, matrices)
    if line is None:
        return None
    version = known_cudnn(name, line, matrices) or f"{line}.*"
    return HeldCudnn(name=name, version=version, line=line)


def last_cudnn_line(
    cuda: CudaVersion, machine: Machine, matrices: Matrices
) -> str | None:
    """The last cuDNN line with all GPUs; None when the newest still has them."""
    lines = [r for r in matrices.cudnn_releases() if cuda.major in r.cuda_majors]
    serving = [
        r.version
        for r in lines
        if all(
            compat.cudnn_runs(r.version, cc, matrices).ok for cc in machine.capabilities
        )
    ]
    if not lines or not serving or serving[-1] == lines[-1].version:
        return None
    return serving[-1]


def known_cudnn(name: str, line: str, matrices: Matrices) -> str | None:
    """The newest exact version of a line that a PyTorch release pins."""
    found = {
        spec.removeprefix("==")
        for release in matrices.releases("torch")
        for variant in release.variants
        if (spec := variant.nvidia_pins.get(name, "")).startswith(f"=={line}.")
    }
    return max(found, key=_order, default=None)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
