"""Packages from outside the environment are mixed into it.

What it checks
--------------
Whether the user's own site-packages (`~/.local/lib/…`), or another folder of packages
on PYTHONPATH, comes before the environment's own and brings the same frameworks, or
brings NVIDIA libraries beside them. For the system's own Python, where this is the
usual way to install, nothing is said.

Why it matters
--------------
`conda list` and `pip list` show one thing, and Python imports another. A numpy or torch
installed long ago with `pip install --user` breaks a new environment of the same Python
version.

How to fix
----------
Tell Python to leave the user's folder out, or uninstall the packages there.

References
----------
- https://docs.python.org/3/library/site.html
- https://docs.python.org/3/using/cmdline.html#envvar-PYTHONNOUSERSITE
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.fw603_package_shadowed_by_file import (
    is_in_site_packages,
    module_of,
)
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Snapshot

_USER_FOLDER = "/.local/"


@rule(
    "FW604",
    "user-site-mixed",
    cause="duplicate-or-shadowed-install",
    severity="warning",
    needs=("target",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """One problem for each foreign folder that comes first."""
    del matrices
    target = snapshot.target
    if target is None or target.kind == "system":
        return
    paths = [path for path in target.shadowing if is_in_site_packages(path)]
    for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        modules = [module_of(p) for p in paths if p.rpartition("/")[0] == folder]
        yield _problem(folder, modules, target)


def _problem(folder: str, modules: list[str], target: Environment) -> Problem:
    hidden = [module for module in modules if module != "nvidia"]
    named = " and ".join(hidden)
    verb = "hide" if len(hidden) > 1 else "hides"
    is_user = _USER_FOLDER in folder
    command = "export PYTHONNOUSERSITE=1" if is_user else "unset PYTHONPATH"
    code = "import sys; print(sys.path)"
    return Problem(
        subject=folder,
        message=f"{named} in {folder} {verb} the environment's own"
        if hidden
        else f"NVIDIA libraries in {folder} mix with the environment's",
        detail=f"the environment is {target.prefix}",
        severity="warning" if hidden else "info",
        certainty="likely" if hidden else "possible",
        evidence=tuple(
            Evidence(fact=module, value=f"{folder}/{module}", source="environments")
            for module in modules
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(command,),
                why="import from the environment alone",
                verify=fixes.python_command(target, code),
            ),
        ),
    )
