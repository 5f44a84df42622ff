"""The smoke test was killed from outside.

What it checks
--------------
The child process that trained received SIGKILL, which it did not send itself and
fwdoctor did not send either.

Why it matters
--------------
Almost always it was the kernel, because the machine, the container or the job ran out
of memory. The kernel log and the container's events say so.

How to fix
----------
Give the container or the job more memory, or stop other programs.

References
----------
- https://docs.kernel.org/admin-guide/mm/concepts.html
- https://docs.docker.com/engine/containers/resource_constraints/
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
    "FW906",
    "smoke-killed",
    cause="shm-or-limits",
    needs=("smoke_test",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """SIGKILL from outside."""
    del matrices
    for result in smoke.failures(snapshot, "killed"):
        product = smoke.subject(snapshot, result)
        limit = snapshot.host.memory_limit_bytes
        said = f"; the memory limit here is {limit / 2**30:.1f} GiB" if limit else ""
        yield Problem(
            subject=product,
            message=f"{product} was killed{smoke.place(result)}",
            detail=f"{result.detail}{said}",
            certainty="likely",
            evidence=smoke.evidence(result),
            fix=(
                Fix(
                    effort="ask",
                    commands=("sudo dmesg | grep -i 'killed process'",),
                    why="see whether the kernel did it; then allow more memory",
                    verify=smoke.again(snapshot, result),
                ),
            ),
        )
