"""Training with several processes or GPUs together failed.

What it checks
--------------
Each device trains alone, but the processes could not exchange numbers: NCCL, gloo or
TensorFlow's collective operations raised an error.

Why it matters
--------------
Training on several GPUs needs them to reach each other: over NVLink, over PCIe, or
through shared memory, which containers limit to 64 MB by default.

How to fix
----------
Read NCCL's own messages. In a container start it with `--ipc=host` or a larger
`--shm-size`; try with peer-to-peer traffic off.

References
----------
- https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
- https://docs.pytorch.org/docs/stable/distributed.html
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


_STAGES = ("together", "all-reduce")


@rule(
    "FW913",
    "smoke-together-failed",
    cause="shm-or-limits",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """An exception while several work together."""
    del matrices
    for result in smoke.failures(snapshot, "error", stages=_STAGES):
        product = smoke.subject(snapshot, result)
        again = smoke.again(snapshot, result)
        commands = (f"NCCL_DEBUG=INFO {again}", f"NCCL_P2P_DISABLE=1 {again}")
        yield Problem(
            subject=product,
            message=f"{product} cannot train on several devices together",
            detail=result.detail,
            certainty="likely",
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=(again,) if result.device == "cpu" else commands,
                    why="see the communication library's own messages",
                    verify=again,
                ),
            ),
        )
