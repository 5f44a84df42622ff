"""Triton is not the version this PyTorch release asks for.

What it checks
--------------
The installed triton against the requirement in PyTorch's own metadata, or where that
was not read, against the requirement of the release on PyPI. Conda's and other people's
builds are left alone.

Why it matters
--------------
`torch.compile` drives Triton's internals, which change with every release: with another
one it fails with import errors, or with «ptxas fatal» on a GPU that is too new for it.
Ordinary PyTorch code does not use Triton.

How to fix
----------
Install the triton that PyTorch asks for.

References
----------
- https://github.com/triton-lang/triton
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import (
    CONDA_SOURCES,
    asked_for,
    find_installed,
    find_published,
    is_outside,
    parse_spec,
    parse_version,
)
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import install_like

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot


@rule(
    "FW408",
    "triton-mismatch",
    cause="companion-mismatch",
    severity="warning",
    needs=("target.torch", "target.packages"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The installed triton against what PyTorch asks for."""
    torch = snapshot.target.torch if snapshot.target else None
    triton = find_installed(snapshot.target, "triton")
    if torch is None or triton is None or torch.kind != "cuda":
        return
    if torch.source in CONDA_SOURCES or snapshot.host.os != "linux":
        return
    asked = _asked(torch, snapshot, matrices)
    if asked is None or not is_outside(parse_version(triton.version), asked):
        return
    product = presence.product_name("torch", torch)
    wanted = str(asked).removeprefix("==")
    yield Problem(
        subject=f"triton {triton.version}",
        message=f"{product} asks for triton {wanted},"
        f" and {triton.version} is installed",
        certainty="likely",
        evidence=(
            Evidence(
                fact="triton", value=triton.version, source=triton.location or "triton"
            ),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(
                    install_like(
                        snapshot.target, triton, f"triton{asked}", torch=torch
                    ),
                ),
                why="install the triton of this PyTorch release",
                verify=fixes.python_command(
                    snapshot.target, "import triton; print(triton.__version__)"
                ),
            ),
        ),
    )


def _asked(
    torch: Framework, snapshot: Snapshot, matrices: Matrices
) -> SpecifierSet | None:
    """PyTorch's requirement for triton: its own metadata first, then the record."""
    package = find_installed(snapshot.target, torch.package or "torch")
    if package is not None and package.requires:
        return asked_for(package, snapshot, prefix="triton").get("triton")
    if find_published("torch", torch, matrices) is None:
        return None
    record = matrices.raw(f"torch/{torch.version}.json").get("triton")
    return parse_spec(record.get("spec") if isinstance(record, dict) else None)
