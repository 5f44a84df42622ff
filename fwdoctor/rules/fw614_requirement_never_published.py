"""An install command asks for a build that was never published.

What it checks
--------------
In a pasted report only: the framework versions that an install command pins, with their
CUDA label (`torch==1.8.1+cu114`), their index (`/whl/cu114`) or their `cudatoolkit`,
against the builds in our data. conda is compared with the channels it was given.

Why it matters
--------------
pip answers «No matching distribution found», or finds a build for the CPU elsewhere.
conda silently takes a build for the CPU, or another release.

How to fix
----------
Ask for a build that exists: the nearest CUDA version of the same release, or a release
that has this CUDA version.

References
----------
- https://pytorch.org/get-started/previous-versions/
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.package_decisions import find_published, find_wanted
from fwdoctor.rules.registry import rule
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.snapshot import Command, Snapshot
    from fwdoctor.rules.package_decisions import Wanted

_INDEX = re.compile(r"download\.pytorch\.org/whl/(cu\d{2,3})\b")
_CONDA = ("conda", "mamba", "micromamba", "pixi")
_TOOLKIT = re.compile(r"(?:cudatoolkit|pytorch-cuda|cuda-version)=+(\d+\.\d+)")
_CHANNELS = ("pytorch", "conda-forge")


class _Fault(NamedTuple):
    asked: str
    known: tuple[str, ...]  # what exists of the same release


@rule(
    "FW614",
    "requirement-never-published",
    cause="wrong-index-or-pin",
    severity="warning",
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each install command of the report against the published builds."""
    for command in snapshot.commands:
        fault = _find_fault(command, matrices)
        if fault is None:
            continue
        known = ", ".join(fault.known)
        yield Problem(
            subject=command.tool,
            message=f"{fault.asked} was never published",
            detail=f"there are: {known}" if known else "",
            certainty="likely",
            evidence=(
                Evidence(
                    fact="command", value=command.text, source=f"line {command.line}"
                ),
            ),
            fix=(
                Fix(
                    effort="environment",
                    why=f"ask for {fault.known[-1]}"
                    if fault.known
                    else "ask for a version and a CUDA build that exist",
                ),
            ),
        )


def _find_fault(command: Command, matrices: Matrices) -> _Fault | None:
    texts = [text.replace("===", "==") for text in command.requirements]
    wanted = [found for text in texts if (found := find_wanted(_pep(text, command)))]
    for item in wanted:
        release = find_published(item.framework, item.version, matrices)
        if release is None:
            continue
        if command.tool in _CONDA:
            fault = _conda_fault(item, release, command)
        else:
            fault = _pip_fault(item, release, command)
        if fault is not None:
            return fault
    return None


def _pep(text: str, command: Command) -> str:
    """A pin in conda's spelling as pip's: pytorch=1.9.0 is torch==1.9.0."""
    if command.tool not in _CONDA:
        return text
    name, _, rest = text.partition("=")
    version = rest.lstrip("=").split("=")[0]
    plain = "torch" if name.strip() == "pytorch" else name.strip()
    return f"{plain}=={version}" if version else plain


def _pip_fault(wanted: Wanted, release: Release, command: Command) -> _Fault | None:
    label = wanted.label or next(
        (found[1] for text in command.sources if (found := _INDEX.search(text))), None
    )
    packages = {variant.package for variant in release.variants}
    if packages and wanted.package not in packages:
        known = tuple(f"{name} {release.version}" for name in sorted(packages))
        return _Fault(str(wanted), tuple(k for k in known if wanted.framework in k)[:1])
    labels = sorted(
        {v.variant for v in release.variants if v.package == wanted.package}
    )
    if label is None or not label.startswith("cu") or label in labels or not labels:
        return None
    known = tuple(f"+{name}" for name in labels if name.startswith("cu"))
    return _Fault(f"{wanted.package} {release.version}+{label}", known)


def _conda_fault(wanted: Wanted, release: Release, command: Command) -> _Fault | None:
    joined = " ".join(command.requirements)
    toolkit = _TOOLKIT.search(joined)
    channels = [name for name in _CHANNELS if name in command.sources]
    if toolkit is None or not channels:
        return None
    builds = [b for b in release.conda if b.index in channels and b.cuda]
    if not builds or _has_cuda(builds, toolkit[1]):
        return None
    known = sorted({b.cuda for b in builds if b.cuda})
    asked = f"{wanted} for CUDA {toolkit[1]} on {' or '.join(channels)}"
    return _Fault(asked, tuple(f"CUDA {cuda}" for cuda in known))


def _has_cuda(builds: list[Variant], text: str) -> bool:
    wanted = CudaVersion.parse(text)
    return any(build.cuda == wanted for build in builds)
