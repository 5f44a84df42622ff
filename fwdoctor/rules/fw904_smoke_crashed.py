"""The framework crashed during the smoke test.

What it checks
--------------
The child process that trained died of a signal: a segmentation fault, an abort, an
illegal instruction. The stage it died in is named.

Why it matters
--------------
A crash comes from native code: libraries that do not belong together, a processor
without instructions the build needs, or a defect. Python cannot catch it.

How to fix
----------
Mend what the other findings say first. Then train without LD_LIBRARY_PATH, and in a new
environment that holds the framework only.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://man7.org/linux/man-pages/man7/signal.7.html
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


@rule(
    "FW904",
    "smoke-crashed",
    cause="cuda-lib-conflict",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A child that died of a signal after the import."""
    del matrices
    for result in smoke.failures(snapshot, "crashed"):
        if result.stage in ("start", "import"):
            continue
        product = smoke.subject(snapshot, result)
        yield Problem(
            subject=product,
            message=f"{product} crashed with {result.signal}{smoke.place(result)}",
            detail=result.detail,
            certainty="likely",
            evidence=smoke.evidence(result),
            fix=smoke.clean_environment(snapshot, result),
            blocks=smoke.blocked(result),
        )
