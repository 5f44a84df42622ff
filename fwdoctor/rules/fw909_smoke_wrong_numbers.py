"""The smoke test ran and computed wrong numbers.

What it checks
--------------
Products, convolutions, sums over processes, or the losses of a training differ from
the right ones by more than rounding explains. Every training starts from the same
weights and sees the same images, so its losses are known beforehand.

Why it matters
--------------
Nothing stops and nothing is reported: models come out worse, or useless. Reasons are
failing GPU memory, peer-to-peer traffic through an IOMMU, a mixture of libraries, or a
patched or miscompiled framework.

How to fix
----------
Run the test again, then on another GPU and on the CPU, to see what the error goes
with. Look at the GPU's memory errors.

References
----------
- https://docs.nvidia.com/deploy/gpu-debug-guidelines/index.html
- https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
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
    "FW909",
    "smoke-wrong-numbers",
    cause="hardware-fault",
    explains=("FW910",),
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """What ran and disagrees."""
    del matrices
    for result in smoke.failures(snapshot, "wrong-numbers"):
        product = smoke.subject(snapshot, result)
        is_gpu = result.device != "cpu"
        commands = ("nvidia-smi -q -d ECC,ROW_REMAPPER",) if is_gpu else ()
        yield Problem(
            subject=product,
            message=f"{product} computes wrong numbers{smoke.place(result)}",
            detail=result.detail,
            certainty="likely",
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=(*commands, smoke.again(snapshot, result)),
                    why="see whether it happens again, and elsewhere too",
                    verify=smoke.again(snapshot, result),
                ),
            ),
        )
