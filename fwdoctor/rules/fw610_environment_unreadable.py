"""The Python environment could not be read.

What it checks
--------------
Whether the packages of the environment to be judged could be listed.

Why it matters
--------------
Nothing can be said about frameworks that cannot be seen. The other findings of this
report are about the machine alone.

How to fix
----------
Name the environment with `--python` or `--prefix`, and run fwdoctor as a user who may
read it.

References
----------
- https://docs.python.org/3/library/venv.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW610",
    "environment-unreadable",
    cause="not-an-install-problem",
    severity="warning",
    needs=("target",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The reason why the environment was not read."""
    del matrices
    target = snapshot.target
    if target is None or target.problem is None:
        return
    yield Problem(
        subject=target.prefix,
        message=f"the Python environment {target.prefix} could not be read",
        detail=target.problem,
        evidence=(
            Evidence(fact="problem", value=target.problem, source="environments"),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=("fwdoctor check --python PATH",),
                why="name the environment to look at",
            ),
        ),
    )
