"""Torchvision or torchaudio belongs to another PyTorch release.

What it checks
--------------
The installed torchvision and torchaudio against the installed PyTorch: first what their
own metadata asks for, and where that says nothing, the releases that were published for
each other. A difference in the last number alone only warns. Releases that ask for no
particular PyTorch, and ones newer than our data, are left alone.

Why it matters
--------------
They are compiled against one PyTorch release. With another, importing them fails with
«operator torchvision::nms does not exist» or «undefined symbol».

How to fix
----------
Install the partner release, from the same index as PyTorch.

References
----------
- https://github.com/pytorch/vision#installation
- https://pytorch.org/get-started/previous-versions/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import (
    asked_for,
    find_installed,
    has_same_minor,
    is_conda,
    is_outside,
    parse_version,
)
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import install_like

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Severity
    from fwdoctor.model.snapshot import Framework, Package, Snapshot

COMPANIONS = ("torchvision", "torchaudio")


@rule(
    "FW405",
    "companion-release-mismatch",
    cause="companion-mismatch",
    needs=("target.torch.version", "target.packages"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each companion's own requirement, then the published pairs."""
    torch = snapshot.target.torch if snapshot.target else None
    version = parse_version(torch.version if torch else None)
    if torch is None or version is None or version.is_prerelease:
        return  # a build of one's own has companions of its own
    for name in COMPANIONS:
        companion = find_installed(snapshot.target, name)
        if companion is None:
            continue
        asked = asked_for(companion, snapshot, prefix="torch").get("torch")
        if asked is not None:
            found = _by_metadata(version, asked, snapshot)
        else:
            found = _by_pairs(version, companion, matrices)
        if found is not None:
            yield _problem(torch, companion, found, snapshot, matrices)


_Found = tuple[str, "Severity"]


def _by_metadata(
    torch: Version, asked: SpecifierSet, snapshot: Snapshot
) -> _Found | None:
    """What the companion asks for, where this PyTorch is something else."""
    if not is_outside(torch, asked):
        return None
    pins = [parse_version(item.version) for item in asked if item.operator == "=="]
    is_near = any(pin is not None and has_same_minor(pin, torch) for pin in pins)
    if is_near and is_conda(snapshot):
        return None  # conda's own pins hold within a minor release
    return f"it asks for torch {asked}", "warning" if is_near else "error"


def _by_pairs(torch: Version, companion: Package, matrices: Matrices) -> _Found | None:
    """The PyTorch releases the companion was published for, where not this one."""
    installed = parse_version(companion.version)
    release = matrices.find_release("torch", str(torch))
    partners = release.companions.get(companion.name, ()) if release else ()
    known = [parse_version(text) for text in partners]
    if installed is None or installed.is_prerelease or not any(known):
        return None
    if any(partner and has_same_minor(partner, installed) for partner in known):
        return None
    owners = owners_of(companion, matrices)
    if not owners:
        return None  # newer than our data, or never published
    is_pinned = len(owners) == 1
    span = owners[0] if is_pinned else f"{owners[0]} to {owners[-1]}"
    return f"it was published for torch {span}", "error" if is_pinned else "warning"


def owners_of(companion: Package, matrices: Matrices) -> list[str]:
    """The PyTorch releases that name this companion release as theirs."""
    public = companion.version.partition("+")[0]
    return [
        release.version
        for release in matrices.releases("torch")
        if public in release.companions.get(companion.name, ())
    ]


def _problem(
    torch: Framework,
    companion: Package,
    found: _Found,
    snapshot: Snapshot,
    matrices: Matrices,
) -> Problem:
    reason, severity = found
    product = presence.product_name("torch", torch)
    return Problem(
        subject=f"{companion.name} {companion.version}",
        message=f"{companion.name} {companion.version} does not belong to {product}",
        detail=reason,
        severity=severity,
        certainty="likely" if severity == "warning" else "proven",
        evidence=(
            Evidence(
                fact=companion.name,
                value=companion.version,
                source=companion.location or "",
            ),
            Evidence(
                fact="torch", value=torch.version or "", source=torch.path or "torch"
            ),
        ),
        fix=_fixes(torch, companion, snapshot, matrices),
    )


def _fixes(
    torch: Framework, companion: Package, snapshot: Snapshot, matrices: Matrices
) -> tuple[Fix, ...]:
    release = matrices.find_release("torch", torch.version or "")
    partners = release.companions.get(companion.name, ()) if release else ()
    if not partners:
        return (Fix(effort="ask", why=f"install the {companion.name} of this release"),)
    pin = f"{companion.name}=={partners[-1]}"
    command = install_like(snapshot.target, companion, pin, torch=torch)
    return (
        Fix(
            effort="environment",
            commands=(command,),
            why=f"install the {companion.name} of this PyTorch release",
            verify=fixes.python_command(snapshot.target, f"import {companion.name}"),
        ),
    )
