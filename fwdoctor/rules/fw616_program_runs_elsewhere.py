"""The program runs in another Python environment than the one that sees the GPU.

What it checks
--------------
In a pasted report only: the report shows one framework twice, in different versions.
One copy sees the GPU, the other does not, and no container stands between them.

Why it matters
--------------
What was installed and tried by hand is not what the program imports. It runs with
another interpreter, so mending the environment that works changes nothing.

How to fix
----------
Ask the failing program which interpreter it runs, and install into that one.

References
----------
- https://packaging.python.org/en/latest/tutorials/installing-packages/
- https://docs.python.org/3/library/sys.html#sys.executable
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.rules.report_facts import is_in_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Framework, Snapshot

_ASK = 'python -c "import sys; print(sys.executable)"'


@rule(
    "FW616",
    "program-runs-elsewhere",
    cause="duplicate-or-shadowed-install",
    severity="warning",
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Two copies of a framework in one report, of which one sees the GPU."""
    del matrices
    if snapshot.origin != "pasted" or is_in_container(snapshot):
        return
    for name in presence.FRAMEWORK_NAMES:
        copies = [
            (environment, framework)
            for environment in snapshot.environments
            if (framework := presence.frameworks(environment).get(name)) is not None
        ]
        seeing = [copy for copy in copies if copy[1].gpu_available is True]
        blind = [copy for copy in copies if copy[1].gpu_available is False]
        if seeing and blind and seeing[0][1].version != blind[0][1].version:
            yield _problem(name, seeing[0], blind[0])


def _problem(
    name: str,
    seeing: tuple[Environment, Framework],
    blind: tuple[Environment, Framework],
) -> Problem:
    product = presence.product_name(name, blind[1])
    return Problem(
        subject=product,
        message=f"{_place(name, seeing)} sees the GPU, and {_place(name, blind)}"
        " does not: they are two installations",
        certainty="likely",
        evidence=tuple(
            Evidence(
                fact=presence.product_name(name, framework),
                value=f"gpu_available {framework.gpu_available}",
                source="pasted",
            )
            for _, framework in (seeing, blind)
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(_ASK,),
                why="run this as the failing program does, and install into that one",
            ),
        ),
    )


def _place(name: str, copy: tuple[Environment, Framework]) -> str:
    environment, framework = copy
    python = environment.python_version
    where = f" of Python {python}" if python else ""
    return f"{presence.product_name(name, framework)}{where}"
