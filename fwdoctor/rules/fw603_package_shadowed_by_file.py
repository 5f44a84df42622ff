"""A file of one's own hides an installed package.

What it checks
--------------
Files and packages called torch, tensorflow, keras, numpy, torchvision or triton in the
working folder or on PYTHONPATH, which Python would import instead of what is installed.

Why it matters
--------------
A script called torch.py in the folder one works in is imported in PyTorch's place:
«module 'torch' has no attribute …» or «partially initialized module». The same happens
in a checkout of PyTorch's own sources.

How to fix
----------
Rename the file, or start Python from another folder.

References
----------
- https://docs.python.org/3/library/sys_path_init.html
- https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Snapshot

_SITE_FOLDERS = ("/site-packages/", "/dist-packages/")
_BLOCKS: dict[str, Literal["torch", "tensorflow"]] = {
    "torch": "torch",
    "tensorflow": "tensorflow",
}


@rule(
    "FW603",
    "package-shadowed-by-file",
    cause="duplicate-or-shadowed-install",
    needs=("target",),
    explains=("FW407",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Files outside any site-packages that come before an installed package."""
    del matrices
    target = snapshot.target
    for path in target.shadowing if target else ():
        if target is not None and not is_in_site_packages(path):
            yield _problem(path, target)


def is_in_site_packages(path: str) -> bool:
    """Whether a path belongs to a folder that installers fill."""
    return any(folder in path for folder in _SITE_FOLDERS)


def module_of(path: str) -> str:
    """The module that a file or folder is imported as."""
    return path.rpartition("/")[2].removesuffix(".py")


def _problem(path: str, target: Environment) -> Problem:
    module = module_of(path)
    framework = _BLOCKS.get(module)
    other = f"{module}_.py" if path.endswith(".py") else f"{module}_"
    renamed = f"{path.rpartition('/')[0]}/{other}"
    is_source = not path.endswith(".py")
    code = f"import {module}; print({module}.__file__)"
    return Problem(
        subject=module,
        message=f"{path} hides the installed {module}",
        detail="Python takes it when it is started in that folder or finds it on"
        " PYTHONPATH",
        severity="error" if framework else "warning",
        certainty="likely",
        evidence=(Evidence(fact=module, value=path, source="environments"),),
        fix=(
            Fix(
                effort="environment",
                commands=() if is_source else (_move(path, renamed),),
                why="start Python from another folder, or rename this one"
                if is_source
                else "rename the file",
                verify=fixes.python_command(target, code),
            ),
        ),
        blocks=(framework,) if framework else (),
    )


def _move(path: str, renamed: str) -> str:
    return f"mv {fixes.shell_word(path)} {fixes.shell_word(renamed)}"
