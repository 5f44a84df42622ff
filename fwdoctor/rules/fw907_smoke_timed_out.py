"""The smoke test did not end in its time.

What it checks
--------------
The child process that trained did not end before its deadline; it was stopped, and the
stage it was in is named.

Why it matters
--------------
Training that hangs on a GPU waits for the driver, for another process, or for a library
that compiles for a GPU it was not built for. On a busy CPU it may only be slow.

How to fix
----------
Try again with more time: `--seconds 900`. If it stays in the same stage, the other
findings and the kernel log say more.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import smoke_failures as smoke
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW907",
    "smoke-timed-out",
    cause="shm-or-limits",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A deadline that passed."""
    del matrices
    for result in smoke.failures(snapshot, "timeout"):
        if result.stage in ("start", "import"):
            continue
        product = smoke.subject(snapshot, result)
        yield Problem(
            subject=product,
            message=f"{product} did not come to an end{smoke.place(result)}",
            detail=result.detail,
            certainty="possible",
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=(f"{smoke.again(snapshot, result)} --seconds 900",),
                    why="try again with more time",
                ),
            ),
        )
