"""The smoke test trained, and the model learnt nothing.

What it checks
--------------
The loss was not finite or did not fall, or the accuracy on the test images stays below
the mark of the model.

Why it matters
--------------
The framework runs, but not as it must: gradients or updates are wrong. With own images
(`--data`) it may also be that labels and images do not belong together.

How to fix
----------
Run the test on the bundled images and on the CPU, to see what it goes with.

References
----------
- https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
- https://keras.io/examples/vision/mnist_convnet/
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
    "FW910",
    "smoke-did-not-learn",
    cause="cuda-lib-conflict",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A loss or an accuracy that a sound framework does not give."""
    del matrices
    for result in smoke.failures(snapshot, "did-not-learn"):
        product = smoke.subject(snapshot, result)
        yield Problem(
            subject=product,
            message=f"{product} learnt nothing{smoke.place(result)}",
            detail=result.detail,
            certainty="possible",
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=(smoke.again(snapshot, result, device="cpu"),),
                    why="see whether it learns on the CPU, from the bundled images",
                    verify=smoke.again(snapshot, result),
                ),
            ),
        )
