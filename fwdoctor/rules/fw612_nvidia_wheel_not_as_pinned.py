"""An NVIDIA library wheel is not the version the framework asks for.

What it checks
--------------
The installed `nvidia-*` wheels against the pins in PyTorch's metadata, or where no
PyTorch for CUDA is installed, against TensorFlow's `and-cuda` extra. A newer version
within the same major is noted, an older one is a warning. For cuDNN its own rule
decides: same major, and not an older minor than the build's.

Why it matters
--------------
The libraries are tested together. Another package that asks for its own version changes
them without a word; an older cuDNN or nvJitLink ends in «undefined symbol» or «cuDNN
version incompatibility».

How to fix
----------
Install the pinned versions again, or reinstall the framework with its dependencies.

References
----------
- https://docs.nvidia.com/deeplearning/cudnn/backend/latest/developer/forward-compatibility.html
- https://github.com/pytorch/pytorch/issues/111469
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import (
    find_installed,
    is_outside,
    parse_version,
    short_spec,
)
from fwdoctor.rules.nvidia_pins import find_pins
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import managed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Severity
    from fwdoctor.model.snapshot import Framework, Package, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stray:
    """A wheel that is not as asked for."""

    package: Package
    asked: SpecifierSet
    severity: Severity


@rule(
    "FW612",
    "nvidia-wheel-not-as-pinned",
    cause="cuda-lib-conflict",
    severity="warning",
    needs=("target.packages",),
    explains=("FW407",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Installed wheels against the pins of the framework they belong to."""
    found = presence.frameworks(snapshot.target)
    torch = found.get("torch")
    name = "torch" if torch is not None and torch.kind == "cuda" else "tensorflow"
    framework = found.get(name)
    if framework is None:
        return
    strays = _strays(name, framework, snapshot, matrices)
    for severity in ("error", "warning", "info"):
        group = [stray for stray in strays if stray.severity == severity]
        if group:
            yield _problem(name, framework, group, snapshot)


def _strays(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> list[_Stray]:
    strays = []
    for wheel, asked in find_pins(name, framework, snapshot, matrices).items():
        package = find_installed(snapshot.target, wheel)
        version = parse_version(package.version if package else None)
        if package is not None and is_outside(version, asked):
            severity = _severity(package, asked, framework)
            strays.append(_Stray(package=package, asked=asked, severity=severity))
    return strays


def _severity(package: Package, asked: SpecifierSet, framework: Framework) -> Severity:
    """How much the difference matters."""
    floor = _floor(asked)
    version, least = parse_version(package.version), parse_version(floor)
    if "cudnn" in package.name and floor is not None:
        if compat.cudnn_agrees(floor, package.version).ok is False:
            return "warning" if presence.is_observed_working(framework) else "error"
        return "info"
    if version is None or least is None or presence.is_observed_working(framework):
        return "info"
    return "warning" if version < least or version.major != least.major else "info"


def _floor(asked: SpecifierSet) -> str | None:
    """The pinned or lowest version of a requirement."""
    floors = [item.version for item in asked if item.operator in ("==", ">=", "~=")]
    return floors[0] if floors else None


def _problem(
    name: str, framework: Framework, strays: list[_Stray], snapshot: Snapshot
) -> Problem:
    product = presence.product_name(name, framework)
    first = strays[0]
    more = f" (and {len(strays) - 1} more)" if len(strays) > 1 else ""
    seen = "; yet it was seen using the GPU"
    return Problem(
        subject=f"{first.package.name} {first.package.version}",
        message=f"{product} asks for {first.package.name} {_words(first.asked)},"
        f" and {first.package.version} is installed{more}",
        detail=f"pip and uv do not look at it again{seen}"
        if presence.is_observed_working(framework)
        else "",
        severity=first.severity,
        certainty="likely",
        evidence=tuple(
            Evidence(
                fact=stray.package.name,
                value=stray.package.version,
                source=stray.package.location or "",
            )
            for stray in strays
        ),
        fix=(_fix(strays, snapshot),),
        blocks=(name,) if first.severity == "error" else (),  # type: ignore[arg-type]  # torch or tensorflow
    )


def _words(asked: SpecifierSet) -> str:
    return short_spec(asked).removeprefix("==")


def _fix(strays: list[_Stray], snapshot: Snapshot) -> Fix:
    pins = [f"{stray.package.name}{short_spec(stray.asked)}" for stray in strays]
    place = managed(snapshot.target, strays[0].package)
    return Fix(
        effort="environment",
        commands=(fixes.install_command(place, pins),),
        why="install what the framework was tested with",
        verify=fixes.check_command(snapshot.target),
    )
