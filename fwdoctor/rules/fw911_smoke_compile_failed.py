"""Training works, and the compiler behind the framework does not.

What it checks
--------------
With `--deep`: torch.compile (through Triton or a C++ compiler) or TensorFlow's XLA
raised an exception, where the same model runs without it.

Why it matters
--------------
Compiled models are faster, and some libraries insist on them. Without them everything
still works.

How to fix
----------
For torch.compile install a C++ compiler and the Triton that belongs to this torch.

References
----------
- https://docs.pytorch.org/docs/stable/torch.compiler_troubleshooting.html
- https://www.tensorflow.org/xla
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
    "FW911",
    "smoke-compile-failed",
    cause="compiler-toolchain",
    severity="warning",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """An exception in the compile stage."""
    del matrices
    for result in smoke.failures(snapshot, "error", stages=("compile",)):
        product = smoke.subject(snapshot, result)
        name = "torch.compile" if result.framework == "torch" else "XLA"
        yield Problem(
            subject=product,
            message=f"{product} trains, but {name} does not work",
            detail=result.detail,
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="environment",
                    why="give it the compiler it asks for",
                    verify=f"{smoke.again(snapshot, result)} --deep",
                ),
            ),
        )
