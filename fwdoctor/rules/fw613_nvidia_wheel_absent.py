"""PyTorch was installed without the NVIDIA wheels it needs.

What it checks
--------------
Where the loader would not find a CUDA library of PyTorch: whether NVIDIA wheels that
PyTorch's metadata asks for are not installed.

Why it matters
--------------
PyTorch's Linux wheels hold no CUDA libraries; these come as packages of their own. With
`--no-deps`, or after some were uninstalled, the import ends in «cannot open shared
object file».

How to fix
----------
Ask the installer for PyTorch again: it then adds what is absent.

References
----------
- https://github.com/pytorch/pytorch/issues/88802
- https://pip.pypa.io/en/stable/cli/pip_install/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import find_installed
from fwdoctor.rules.nvidia_pins import find_pins
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import index_of, managed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Framework, Snapshot


@rule(
    "FW613",
    "nvidia-wheel-absent",
    cause="cuda-lib-missing",
    needs=("target.torch.libraries", "target.packages"),
    explains=("FW201", "FW407"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Absent wheels, where a library is really not found."""
    target = snapshot.target
    torch = target.torch if target else None
    if torch is None or presence.is_observed_working(torch):
        return
    lost = [
        lib for lib in torch.libraries or () if lib.path is None and not lib.intended
    ]
    if not lost:
        return
    pins = find_pins("torch", torch, snapshot, matrices)
    absent = [name for name in pins if presence.find_package(target, name) is None]
    if not absent:
        return
    product = presence.product_name("torch", torch)
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    yield Problem(
        subject=product,
        message=f"{product} was installed without {absent[0]}{more}",
        detail=f"{lost[0].needed_by} does not find {lost[0].soname}",
        evidence=tuple(
            Evidence(fact=name, value="not installed", source=str(pins[name]))
            for name in absent
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(_install(torch, target),),
                why="let the installer add the packages that are absent",
                verify=fixes.python_command(target, "import torch"),
            ),
        ),
        blocks=("torch",),
    )


def _install(torch: Framework, target: Environment | None) -> str:
    """Ask for the same PyTorch again, without replacing it."""
    package = find_installed(target, torch.package or "torch")
    place = managed(target, package) if package else target
    pin = presence.product_pin("torch", torch)
    return fixes.install_command(place, [pin], index_url=index_of(torch))
