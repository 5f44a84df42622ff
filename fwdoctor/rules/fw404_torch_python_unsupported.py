"""The installed PyTorch release has no wheel for this Python.

What it checks
--------------
The Python version of the environment against the wheels that were published of the
installed PyTorch release. Only wheels are looked at; conda and own builds are not.

Why it matters
--------------
PyTorch is compiled for one Python version. A copy for another one cannot be imported:
«No module named 'torch._C'». When pip is asked for such a pair it says «No matching
distribution found», because wheels carry no upper bound that it could name.

How to fix
----------
Make the environment with a Python that the release was built for, or install a release
that has wheels for this Python.

References
----------
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://pypi.org/project/torch/#files
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import find_published, is_imported_fine
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Snapshot


@rule(
    "FW404",
    "torch-python-unsupported",
    cause="python-unsupported",
    severity="warning",
    needs=("target.torch", "target.python_version"),
    explains=("FW407",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The release's wheels against the environment's Python."""
    target = snapshot.target
    torch = target.torch if target else None
    if target is None or torch is None or is_imported_fine(torch):
        return
    if snapshot.origin == "pasted":
        return  # Python and PyTorch may be named from two environments
    release = find_published("torch", torch, matrices)
    python = minor_of(target)
    if release is None or python is None:
        return
    verdict = compat.python_runs(release, python, None)
    if verdict.ok is not False:
        return
    product = presence.product_name("torch", torch)
    yield Problem(
        subject=product,
        message=f"{product} has no wheel for Python {python}",
        detail=verdict.reason,
        certainty="likely",
        evidence=(
            Evidence(
                fact="python_version",
                value=target.python_version or "",
                source=target.prefix,
            ),
        ),
        fix=(
            *working_builds(snapshot, matrices, "torch"),
            _other_python(verdict.needs),
        ),
    )


def minor_of(environment: Environment) -> str | None:
    """The environment's Python as "3.12"."""
    parts = (environment.python_version or "").split(".")
    return ".".join(parts[:2]) if len(parts) > 1 else None


def _other_python(span: str | None) -> Fix:
    return Fix(effort="environment", why=f"make the environment with Python {span}")
