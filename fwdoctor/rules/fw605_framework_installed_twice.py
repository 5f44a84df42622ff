"""One framework was installed twice, over its own files.

What it checks
--------------
Several distributions that own the folder `tensorflow` (tensorflow, tensorflow-gpu,
tensorflow-cpu, tf-nightly …), two records of torch in one folder, conda's pytorch
beside a pip torch of another version, and `~orch` folders that pip left behind. Pairs
in which one distribution asks for the other are as they should be.

Why it matters
--------------
Each installation writes over the other's files: what runs is a mixture, or the CPU
build that came last. Uninstalling one of them takes files from the other.

How to fix
----------
Uninstall all of them, then install the one that is wanted.

References
----------
- https://www.tensorflow.org/install/pip
- https://github.com/pypa/pip/issues/7269
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import asked_for
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import index_of, install_like, managed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Package, Snapshot

# All of these own the folder `tensorflow`.
TENSORFLOW = (
    "tensorflow",
    "tensorflow-gpu",
    "tensorflow-cpu",
    "tensorflow-intel",
    "tensorflow-cpu-aws",
    "tensorflow-macos",
    "tensorflow-rocm",
    "intel-tensorflow",
    "tf-nightly",
    "tf-nightly-gpu",
    "tf-nightly-cpu",
)
# What `tensorflow` itself draws in on Windows, Linux aarch64 and macOS.
_DRAWN_IN = ("tensorflow-intel", "tensorflow-cpu-aws", "tensorflow-macos")
LEFTOVER_MARK = "~"  # pip renames what it removes: torch → ~orch


@rule(
    "FW605",
    "framework-installed-twice",
    cause="duplicate-or-shadowed-install",
    needs=("target.packages",),
    explains=("FW407", "FW501"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Double installations of TensorFlow and PyTorch, and leftovers."""
    del matrices
    target = snapshot.target
    if target is None:
        return
    wheels = [package for package in target.packages or () if package.channel is None]
    tensorflows = _rivals(wheels, snapshot)
    if len(tensorflows) > 1:
        yield _tensorflow_twice(tensorflows, target, snapshot)
    torches = _torches(target)
    if len(torches) > 1:
        yield _torch_twice(torches, target)
    leftovers = [p for p in wheels if p.name.startswith(LEFTOVER_MARK)]
    if leftovers:
        yield _leftover(leftovers)


def _rivals(wheels: list[Package], snapshot: Snapshot) -> list[Package]:
    """TensorFlow distributions of one folder that nobody asked for together."""
    found = [package for package in wheels if package.name in TENSORFLOW]
    if len(found) < 2:
        return []
    asked = {name for package in found for name in asked_for(package, snapshot)}
    if any(package.name == "tensorflow" for package in found):
        asked.update(_DRAWN_IN)
    alone = [package for package in found if package.name not in asked]
    places = {package.location for package in alone}
    return alone if len(places) == 1 else []


def _tensorflow_twice(
    packages: list[Package], target: Environment, snapshot: Snapshot
) -> Problem:
    """TensorFlow under several names; what is on disk decides how bad it is."""
    kind = target.tensorflow.kind if target.tensorflow else "unknown"
    keep = next((p for p in packages if not p.name.endswith("-cpu")), packages[0])
    is_lost = (
        kind == "cpu"
        and not keep.name.endswith("-cpu")
        and presence.has_nvidia_gpu(snapshot) is True
    )
    names = [package.name for package in packages]
    return Problem(
        subject="tensorflow",
        message=f"{_listed(packages)} are installed over each other",
        detail="the files now there are those of a build without CUDA"
        if is_lost
        else "whichever was installed last wrote its files over the others'",
        severity="error" if is_lost else "warning",
        evidence=_evidence(packages),
        fix=(
            Fix(
                effort="environment",
                commands=(
                    fixes.uninstall_command(managed(target, keep), names),
                    install_like(target, keep, f"{keep.name}=={keep.version}"),
                ),
                why="keep one of them",
                verify=fixes.check_command(target),
            ),
        ),
        blocks=("tensorflow",) if is_lost else (),
    )


def _torches(target: Environment) -> list[Package]:
    """PyTorch records that contradict each other, in one environment's folder."""
    packages = target.packages or ()
    torches = [p for p in packages if p.name == "torch"]
    conda = [p for p in packages if p.name == "pytorch" and p.channel]
    if len({p.location for p in torches}) > 1:
        return []  # one hides the other: FW604's
    found = [*torches, *conda]
    versions = {package.version.partition("+")[0] for package in found}
    return found if len(versions) > 1 else []


def _torch_twice(packages: list[Package], target: Environment) -> Problem:
    torch = target.torch
    running = ""
    if torch is not None and torch.problem is None:
        running = f"; the files now there are of {torch.version}"
    return Problem(
        subject="torch",
        message=f"{_listed(packages)} are installed over each other",
        detail=f"one environment has room for one PyTorch{running}",
        severity="warning",
        certainty="likely",
        evidence=_evidence(packages),
        fix=(
            Fix(
                effort="environment",
                commands=_keep_one_torch(packages, target),
                why="remove the wheel, and put the files of the other back"
                if packages[-1].channel
                else "remove both and install one",
                verify=fixes.python_command(target, "import torch; print(torch)"),
            ),
        ),
    )


def _keep_one_torch(packages: list[Package], target: Environment) -> tuple[str, ...]:
    """Conda's PyTorch stays where there is one; else the release on disk does."""
    wheel, last = packages[0], packages[-1]
    remove = fixes.uninstall_command(managed(target, wheel), [wheel.name])
    if last.channel and fixes.manager_of(target) == "pixi":
        return (remove, "pixi reinstall pytorch")
    if last.channel:
        manager = fixes.manager_of(target)
        again = f"{manager} install --force-reinstall pytorch={last.version}"
        return (remove, again)
    # Twice on the disk, not in a project's lock file: only the folder is mended.
    target = replace(target, project=None)
    remove = fixes.uninstall_command(target, [wheel.name])
    torch = target.torch
    pin = presence.product_pin("torch", torch) if torch else wheel.name
    index = index_of(torch) if torch else None
    return (remove, remove, fixes.install_command(target, [pin], index_url=index))


def _leftover(packages: list[Package]) -> Problem:
    names = " and ".join(package.name for package in packages)
    return Problem(
        subject=packages[0].name,
        message=f"{names} is what pip left of an interrupted removal",
        detail="pip ignores it with a warning",
        severity="info",
        evidence=_evidence(packages),
        fix=(
            Fix(
                effort="environment",
                why=f"delete the folders {names}* in site-packages",
            ),
        ),
    )


def _listed(packages: list[Package]) -> str:
    names = [f"{package.name} {package.version}" for package in packages]
    return " and ".join(names)


def _evidence(packages: list[Package]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(fact=p.name, value=p.version, source=p.location or p.channel or "")
        for p in packages
    )
