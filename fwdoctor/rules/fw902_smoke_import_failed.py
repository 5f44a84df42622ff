"""The framework could not be imported for the smoke test.

What it checks
--------------
The examined environment's own Python tried to import the framework, in a child
process, and the import raised an exception, crashed, or did not end.

Why it matters
--------------
A framework that cannot be imported can do nothing. The exception names what is in the
way.

How to fix
----------
Look at the exception. `fwdoctor check --deep` judges the import with all its rules;
where nothing else is found, install the framework into a new environment.

References
----------
- https://docs.pytorch.org/docs/stable/
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import smoke_failures as smoke
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW902",
    "smoke-import-failed",
    cause="host-runtime-lib",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A failure in the first stage, whatever its kind."""
    del matrices
    for result in smoke.failures(snapshot, stages=("start", "import")):
        if result.kind in ("missing", "unsupported"):
            continue
        product = smoke.subject(snapshot, result)
        yield Problem(
            subject=product,
            message=f"{product} cannot be imported",
            detail=result.detail,
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=(f"{fixes.check_command(snapshot.target)} --deep",),
                    why="judge the import with every rule",
                    verify=smoke.again(snapshot, result),
                ),
            ),
            blocks=(result.framework,),
        )
