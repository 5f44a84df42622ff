"""The smoke test was asked for a framework that is not installed.

What it checks
--------------
The interpreter of the examined environment finds no module of the framework that
`fwdoctor smoke` was asked to train in, or one too old to be trained.

Why it matters
--------------
Nothing was tested. Often the framework is in another environment than the one looked
at.

How to fix
----------
Install the framework into this environment, or name the right one with `--python`.

References
----------
- https://pytorch.org/get-started/locally/
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import smoke_failures as smoke
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW901",
    "smoke-framework-missing",
    cause="wrong-index-or-pin",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A framework that is not there, or too old."""
    del matrices
    for result in smoke.failures(snapshot, "missing", "unsupported"):
        title = presence.FRAMEWORK_NAMES[result.framework]
        where = snapshot.target.prefix if snapshot.target else "this environment"
        is_missing = result.kind == "missing"
        state = f"not installed in {where}" if is_missing else "too old to be trained"
        command = fixes.install_command(snapshot.target, (result.framework,))
        yield Problem(
            subject=smoke.subject(snapshot, result),
            message=f"{title} is {state}: nothing was trained in it",
            detail=result.detail,
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="environment",
                    commands=(f"fwdoctor recommend --for {result.framework}", command),
                    why="see which version suits this machine, then install it",
                    verify=smoke.again(snapshot, result),
                ),
            ),
        )
