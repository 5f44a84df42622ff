"""A compiled extension was built for another PyTorch.

What it checks
--------------
Packages that name their PyTorch: by an exact requirement (xformers, torchtext), or in
the version's label (`+pt25cu124` of torch-scatter, `+cu12torch2.5` of flash-attn).

Why it matters
--------------
Such packages hold code compiled against one PyTorch release. With another, importing
them fails with «undefined symbol», or they quietly fall back to slow code: «xFormers
can't load C++/CUDA extensions».

How to fix
----------
Install the build of the extension that was made for the installed PyTorch.

References
----------
- https://github.com/facebookresearch/xformers#installing-xformers
- https://pytorch-geometric.readthedocs.io/en/latest/install/installation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.fw405_companion_release_mismatch import COMPANIONS
from fwdoctor.rules.installed import (
    asked_for,
    cuda_major_of_label,
    has_same_minor,
    is_outside,
    label_of,
    parse_version,
    torch_minors_of_label,
)
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import managed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.version import Version

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Severity
    from fwdoctor.model.snapshot import Framework, Package, Snapshot


@rule(
    "FW608",
    "extension-built-for-other-torch",
    cause="companion-mismatch",
    needs=("target.torch.version", "target.packages"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Labels and exact requirements against the installed PyTorch."""
    del matrices
    target = snapshot.target
    torch = target.torch if target else None
    version = parse_version(torch.version if torch else None)
    if target is None or torch is None or version is None or version.is_prerelease:
        return
    for package in target.packages or ():
        if package.name in ("torch", *COMPANIONS) or package.channel is not None:
            continue
        found = _by_label(package, torch, version)
        found = found or _by_requirement(package, version, snapshot)
        if found is not None:
            yield _problem(package, torch, found, snapshot)


_Found = tuple[str, "Severity"]


def _by_label(package: Package, torch: Framework, version: Version) -> _Found | None:
    """What the label says it was built for, where that is something else."""
    label = label_of(package.version)
    minors = torch_minors_of_label(label)
    if not minors:
        return None
    if version.release[:2] not in minors:
        return f"its label +{label} names another PyTorch", "error"
    major = cuda_major_of_label(label)
    if torch.kind != "cuda" or torch.cuda is None or major is None:
        return None
    if major == torch.cuda.major:
        return None
    built = f"CUDA {major}" if major else "the CPU alone"
    return f"its label +{label} names {built}, PyTorch has CUDA {torch.cuda}", "warning"


def _by_requirement(
    package: Package, version: Version, snapshot: Snapshot
) -> _Found | None:
    """An exact requirement that this PyTorch does not meet."""
    asked = asked_for(package, snapshot, prefix="torch").get("torch")
    if asked is None or not is_outside(version, asked):
        return None
    pins = [parse_version(item.version) for item in asked if item.operator == "=="]
    if not pins:
        return f"it asks for torch {asked}", "warning"
    is_near = any(pin is not None and has_same_minor(pin, version) for pin in pins)
    return f"it asks for torch {asked}", "warning" if is_near else "error"


def _problem(
    package: Package, torch: Framework, found: _Found, snapshot: Snapshot
) -> Problem:
    reason, severity = found
    product = presence.product_name("torch", torch)
    wheel = f"{package.name} {package.version}"
    return Problem(
        subject=wheel,
        message=f"{wheel} was not built for {product}",
        detail=reason,
        severity=severity,
        certainty="likely",
        evidence=(
            Evidence(
                fact=package.name,
                value=package.version,
                source=package.location or "",
            ),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(
                    fixes.uninstall_command(
                        managed(snapshot.target, package), [package.name]
                    ),
                ),
                why=f"then install the {package.name} that was built for {product}",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
    )
