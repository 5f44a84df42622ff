"""There was not enough memory for the smoke test.

What it checks
--------------
A stage of the smoke test ended with the framework's own out-of-memory error.

Why it matters
--------------
The test needs less than one gigabyte. Other programs hold the rest, or a limit is set.

How to fix
----------
See which programs hold the memory of the GPU, stop them or take another GPU.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management
- https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth
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
    "FW905",
    "smoke-gpu-memory-full",
    cause="gpu-memory",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The framework's own word for no memory."""
    del matrices
    for result in smoke.failures(snapshot, "out-of-memory"):
        product = smoke.subject(snapshot, result)
        is_gpu = result.device != "cpu"
        commands = ("nvidia-smi",) if is_gpu else ("free -h",)
        yield Problem(
            subject=product,
            message=f"{product} found no memory{smoke.place(result)}",
            detail=result.detail,
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=commands,
                    why="see which programs hold the memory",
                    verify=smoke.again(snapshot, result),
                ),
            ),
        )
