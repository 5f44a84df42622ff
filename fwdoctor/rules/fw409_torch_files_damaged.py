"""PyTorch counts as installed, but its files are gone or cannot be read.

What it checks
--------------
Whether the folder `torch` of an installed PyTorch is there and `torch/version.py` says
which build it is. Editable and local installations keep their files elsewhere and are
left out. Files that this user may not read are only a note.

Why it matters
--------------
An interrupted installation or a removal by hand leaves the package's record without its
files. pip then says «Requirement already satisfied», and importing fails.

How to fix
----------
Reinstall PyTorch and tell the installer to replace what is recorded.

References
----------
- https://packaging.python.org/en/latest/specifications/recording-installed-packages/
- https://pip.pypa.io/en/stable/cli/pip_install/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import find_installed
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import reinstall_torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot


@rule(
    "FW409",
    "torch-files-damaged",
    cause="duplicate-or-shadowed-install",
    needs=("target.torch",),
    explains=("FW407",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """What kept PyTorch's files from being read."""
    del matrices
    torch = snapshot.target.torch if snapshot.target else None
    if torch is None or torch.problem is None or _is_elsewhere(torch, snapshot):
        return
    if _is_denied(torch):
        yield _not_ours(torch)
        return
    is_gone = torch.path is None
    product = presence.product_name("torch", torch)
    yield Problem(
        subject=product,
        message=f"the files of {product} are gone, though it counts as installed"
        if is_gone
        else f"the files of {product} cannot be read",
        detail=torch.problem,
        severity="error" if is_gone else "warning",
        certainty="proven" if is_gone else "possible",
        evidence=(
            Evidence(fact="torch.problem", value=torch.problem, source="environments"),
        ),
        fix=(_fix(torch, snapshot),),
        blocks=("torch",) if is_gone else (),
    )


def _is_denied(torch: Framework) -> bool:
    return (torch.problem or "").lower().endswith("permission denied")


def _not_ours(torch: Framework) -> Problem:
    """Files that only others may read say nothing against the installation."""
    product = presence.product_name("torch", torch)
    return Problem(
        subject=product,
        message=f"the files of {product} may not be read by this user",
        detail=torch.problem or "",
        severity="info",
        cause="not-an-install-problem",
        evidence=(
            Evidence(fact="torch.problem", value=torch.problem or "", source="torch"),
        ),
        fix=(
            Fix(effort="environment", why="run fwdoctor as a user who may read them"),
        ),
    )


def _is_elsewhere(torch: Framework, snapshot: Snapshot) -> bool:
    """Whether it was installed from a folder, or imports well wherever it is."""
    package = find_installed(snapshot.target, torch.package or "torch")
    is_local = package is not None and (package.direct_url or "").startswith("file:")
    return is_local or (torch.deep is not None and torch.deep.stage != "import")


def _fix(torch: Framework, snapshot: Snapshot) -> Fix:
    return Fix(
        effort="environment",
        commands=(reinstall_torch(snapshot.target, torch),),
        why="put the files back",
        verify=fixes.python_command(snapshot.target, "import torch"),
    )
