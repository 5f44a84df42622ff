"""Memory of the GPU stays taken after the smoke test.

What it checks
--------------
After the model and the data were deleted, the framework still holds more GPU memory
than its own workspaces need.

Why it matters
--------------
In long-running programs and notebooks memory runs out after some trainings.

How to fix
----------
Ending the process frees it. A newer release of the framework may have mended it.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management
- https://www.tensorflow.org/api_docs/python/tf/config/experimental/get_memory_info
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
    "FW912",
    "smoke-memory-not-released",
    cause="gpu-memory",
    severity="warning",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Memory that was not given back."""
    del matrices
    for result in smoke.failures(snapshot, "not-released"):
        product = smoke.subject(snapshot, result)
        yield Problem(
            subject=product,
            message=f"{product} keeps memory of {result.device} after training",
            detail=result.detail,
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="environment",
                    why="end the process to free it",
                    verify=smoke.again(snapshot, result),
                ),
            ),
        )
