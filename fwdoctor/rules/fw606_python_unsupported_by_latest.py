"""The environment's Python is newer than every PyTorch or TensorFlow release.

What it checks
--------------
Where no framework is installed on a machine with an NVIDIA GPU: whether any final
release of PyTorch and of TensorFlow in our data has wheels for the environment's
Python.

Why it matters
--------------
A new Python comes out months before the frameworks have wheels for it. pip then says
«No matching distribution found», or takes a release candidate.

How to fix
----------
Make the environment with a Python that the newest release supports.

References
----------
- https://pypi.org/project/tensorflow/#files
- https://pypi.org/project/torch/#files
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.fw404_torch_python_unsupported import minor_of
from fwdoctor.rules.installed import parse_version
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.snapshot import Environment, Snapshot


@rule(
    "FW606",
    "python-unsupported-by-latest",
    cause="python-unsupported",
    severity="info",
    needs=("target.python_version",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Frameworks that have no release for this Python yet."""
    target = snapshot.target
    if target is None or presence.frameworks(target):
        return
    if not presence.has_nvidia_gpu(snapshot):
        return
    for framework, title in presence.FRAMEWORK_NAMES.items():
        newest = _newest(framework, matrices)
        if newest is not None and _is_ahead(target, newest):
            yield _problem(title, newest, target)


def _newest(framework: str, matrices: Matrices) -> Release | None:
    """The newest final release in our data."""
    for version in reversed(matrices.versions(framework)):
        release = matrices.find_release(framework, version)
        if release is not None and not release.prerelease and not release.yanked:
            return release
    return None


def _is_ahead(target: Environment, newest: Release) -> bool:
    """Whether this Python came after all that the release has wheels for."""
    python = parse_version(minor_of(target))
    known = [parse_version(text) for text in newest.python]
    if python is None or not known:
        return False
    return all(version is not None and python > version for version in known)


def _problem(title: str, newest: Release, target: Environment) -> Problem:
    python = minor_of(target)
    span = f"{newest.python[0]} to {newest.python[-1]}"
    return Problem(
        subject=f"Python {python}",
        message=f"{title} has no final release for Python {python} in our data",
        detail=f"the newest, {newest.version}, has wheels for Python {span}",
        certainty="likely",
        evidence=(
            Evidence(
                fact="python_version",
                value=target.python_version or "",
                source=target.prefix,
            ),
        ),
        fix=(
            Fix(
                effort="environment",
                why=f"make the environment with Python {newest.python[-1]}",
            ),
        ),
    )
