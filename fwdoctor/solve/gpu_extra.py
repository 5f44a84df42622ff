"""What to install beside a wheel: TensorFlow's [and-cuda] extra, and its cuDNN.

The extra of some releases names a TensorRT that pip cannot have, and that of others
leaves cuDNN open, whose newest releases dropped old GPUs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor import compat
from fwdoctor.solve.candidates import fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.solve.candidates import Candidate, Machine
    from fwdoctor.versions import CudaVersion

AND_CUDA = "and-cuda"
_CUDA_BUILD = re.compile(r"^(\*?cuda\d\d)\d\*$")  # cuda129*, *cuda130*


def uses_extra(build: Candidate) -> bool:
    """Whether the extra brings NVIDIA's wheels and nothing that pip cannot have."""
    extra = build.release.extras.get(AND_CUDA, {})
    is_gpu = build.variant.cuda is not None
    return is_gpu and bool(extra) and all(n.startswith("nvidia-") for n in extra)


def listed_libraries(release: Release) -> dict[str, str]:
    """The extra's NVIDIA wheels one by one, without TensorRT, which is optional."""
    extra = sorted(release.extras.get(AND_CUDA, {}).items())
    return {name: spec for name, spec in extra if name.startswith("nvidia-")}


def build_pattern(build: Candidate, machine: Machine, matrices: Matrices) -> str | None:
    """The build string to ask for: any of this CUDA major, where all of them serve.

    `cuda-version` bounds the minor; recipes come and go with single CUDA minors.
    """
    pattern, cuda = build.variant.build or "", build.variant.cuda
    wider = _CUDA_BUILD.sub(r"\1*", pattern)
    if cuda is None or wider == pattern:
        return build.variant.build
    siblings = [
        variant
        for variant in build.release.conda
        if (variant.index, variant.package)
        == (build.variant.index, build.variant.package)
        and variant.cuda is not None
        and variant.cuda.major == cuda.major
        and machine.platform in variant.platforms
    ]
    fitting = [fit(build.release, v, machine, matrices) for v in siblings]
    return wider if all(fitting) else pattern


def requirements_of(
    build: Candidate, machine: Machine, matrices: Matrices
) -> list[str]:
    """All that one install command has to name for this build to work here."""
    if build.variant.build:
        return list(_match_specs(build, machine, matrices))
    held = held_cudnn(build, machine, matrices)
    own = [f"{held.name}=={held.version}"] if held else []
    if uses_extra(build) or AND_CUDA not in build.release.extras:
        return [build.requirement, *own]
    plain = build.requirement.replace(f"[{AND_CUDA}]", "")
    libraries = listed_libraries(build.release)
    return [plain, *(f"{name}{spec}" for name, spec in libraries.items()), *own]


def _match_specs(
    build: Candidate, machine: Machine, matrices: Matrices
) -> Iterator[str]:
    variant, pattern = build.variant, build_pattern(build, machine, matrices)
    yield f"{variant.package}={build.release.version}={pattern}"
    cuda = variant.cuda
    line = last_cudnn_line(cuda, machine, matrices) if cuda else None
    if line is not None:
        yield f"cudnn<{line_after(line, matrices)}"


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


def line_after(line: str, matrices: Matrices) -> str:
    """The cuDNN line that follows: the first that an old GPU must not get."""
    lines = [release.version for release in matrices.cudnn_releases()]
    return lines[lines.index(line) + 1]


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
