"""The Python environment could not be read, or its interpreter is gone.

What it checks
--------------
Whether the packages of the environment to be judged could be listed, and whether
`bin/python` leads to an interpreter.

Why it matters
--------------
Nothing can be said about frameworks that cannot be seen. The other findings of this
report are about the machine alone. An environment that was moved, copied, or made with
a Python that has been removed since, has its packages and cannot run; one that is
mounted from a container may run there.

How to fix
----------
Name the environment with `--python` or `--prefix`, and run fwdoctor as a user who may
read it. Give an environment its interpreter back, or make it anew.

References
----------
- https://docs.python.org/3/library/venv.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Snapshot


@rule(
    "FW610",
    "environment-unreadable",
    cause="not-an-install-problem",
    severity="warning",
    needs=("target",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The reason why the environment was not read."""
    del matrices
    target = snapshot.target
    if target is None or target.problem is None:
        return
    if target.packages is not None:
        yield _without_interpreter(target, target.problem)
        return
    yield Problem(
        subject=target.prefix,
        message=f"the Python environment {target.prefix} could not be read",
        detail=target.problem,
        evidence=(
            Evidence(fact="problem", value=target.problem, source="environments"),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=("fwdoctor check --python PATH",),
                why="name the environment to look at",
            ),
        ),
    )


def _without_interpreter(target: Environment, problem: str) -> Problem:
    """Its packages are there, and the link to Python leads nowhere."""
    return Problem(
        subject=target.prefix,
        message=f"the Python of the environment {target.prefix} is gone",
        detail=problem,
        evidence=(Evidence(fact="problem", value=problem, source="environments"),),
        fix=(_give_interpreter(target),),
    )


def _give_interpreter(target: Environment) -> Fix:
    """A link mended in place by uv; venv would keep the broken one."""
    minor = ".".join((target.python_version or "").split(".")[:2])
    if target.kind == "venv" and fixes.manager_of(target) == "uv" and minor:
        prefix = fixes.shell_word(target.prefix)
        command = f"uv venv --allow-existing --python {minor} {prefix}"
        why = "give the environment its interpreter back"
        return Fix(effort="environment", commands=(command,), why=why)
    why = (
        f"install Python {minor or 'again'} where it was, or make the environment anew"
    )
    return Fix(effort="environment", why=why)
