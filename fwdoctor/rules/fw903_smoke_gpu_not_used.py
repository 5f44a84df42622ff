"""A GPU was asked for, and the CPU would have been used.

What it checks
--------------
`fwdoctor smoke` was asked for a GPU (by `--device`, by `--require-gpu`, or because the
machine has one) and the framework sees none, or left tensors on another device.

Why it matters
--------------
Frameworks fall back to the CPU without an error. Training then works, many times
slower, and looks well.

How to fix
----------
The first finding of the report says why the framework does not see the GPU; mend that
one first. Where a model was left on the CPU, the framework itself is damaged.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://www.tensorflow.org/guide/gpu
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
    "FW903",
    "smoke-gpu-not-used",
    cause="cuda-lib-conflict",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """No GPU seen, or tensors elsewhere."""
    del matrices
    for result in smoke.failures(snapshot, "no-gpu", "not-on-device"):
        product = smoke.subject(snapshot, result)
        if result.kind == "no-gpu":
            message = f"{product} did not train on a GPU, although one was asked for"
        else:
            message = f"{product} did not stay on {result.device}{smoke.place(result)}"
        yield Problem(
            subject=product,
            message=message,
            detail=result.detail,
            certainty="likely",
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=(f"{fixes.check_command(snapshot.target)} --deep",),
                    why="find out why the GPU is not used",
                    verify=smoke.again(snapshot, result),
                ),
            ),
            blocks=(result.framework,),
        )
