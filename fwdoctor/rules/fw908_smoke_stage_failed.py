"""A stage of the smoke test ended in an error.

What it checks
--------------
A stage (allocate, matmul, convolution, train …) raised an exception. The message is
the framework's own.

Why it matters
--------------
The framework loads and does not work: what it needs for this stage is missing, does
not belong together, or the GPU refuses it.

How to fix
----------
Mend what the other findings say first. Then train without LD_LIBRARY_PATH, and in a new
environment that holds the framework only.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Problem
from fwdoctor.rules import smoke_failures as smoke
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


_OWN_RULE = ("start", "import", "compile", "together", "all-reduce")


@rule(
    "FW908",
    "smoke-stage-failed",
    cause="cuda-lib-conflict",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """An exception after the import."""
    del matrices
    for result in smoke.failures(snapshot, "error"):
        if result.stage in _OWN_RULE:
            continue
        product = smoke.subject(snapshot, result)
        yield Problem(
            subject=product,
            message=f"{product} failed{smoke.place(result)}",
            detail=result.detail,
            certainty="likely",
            evidence=smoke.evidence(result),
            fix=smoke.clean_environment(snapshot, result),
            blocks=smoke.blocked(result),
        )
