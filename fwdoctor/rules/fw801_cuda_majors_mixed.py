"""Libraries for two CUDA major versions overwrote each other's files.

What it checks
--------------
NVIDIA's wheels for two CUDA majors (`nvidia-cudnn-cu12` and `nvidia-cudnn-cu13`, the
`nvidia-nccl` pair and others) list the same files in their RECORD. The rule compares
the recorded sizes with the disk and says whose files are there now.

Why it matters
--------------
It happens when PyTorch built for CUDA 13 and `tensorflow[and-cuda]`, which is built for
CUDA 12, are installed together. pip, uv and `pip check` see no conflict: whichever
package was written last wins, and the other framework loads libraries that were not
made for it. Uninstalling one of the two deletes the other's files, which is all there
is to know where only a leftover was overwritten that nobody loads.

How to fix
----------
Uninstall both packages, then reinstall the one that is needed. Both frameworks in one
environment need releases built for the same CUDA major; otherwise give each its own
environment.

References
----------
- https://github.com/recommenders-team/recommenders/pull/2379
- https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import cuda_major_of, mixed_clashes, shared_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Severity
    from fwdoctor.model.snapshot import Environment, FileClash, Snapshot


@rule(
    "FW801",
    "cuda-majors-mixed",
    cause="cuda-lib-conflict",
    needs=("target.clashes",),
    explains=("FW202", "FW301", "FW302", "FW303", "FW612", "FW613"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """One problem for all files that wheels of two CUDA majors share."""
    target = snapshot.target
    clashes = mixed_clashes(target)
    if target is not None and clashes:
        yield _problem(target, clashes, snapshot, matrices)


def _problem(
    target: Environment,
    clashes: list[FileClash],
    snapshot: Snapshot,
    matrices: Matrices,
) -> Problem:
    owners = sorted({owner for clash in clashes for owner in clash.owners})
    winners = sorted({clash.winner for clash in clashes if clash.winner})
    losers = [owner for owner in owners if owner not in winners]
    hurt = _frameworks_of(target, {cuda_major_of(owner) for owner in losers})
    subject = hurt[0] if hurt else (losers or owners)[0]
    files = "1 file" if len(clashes) == 1 else f"{len(clashes)} files"
    return Problem(
        subject=subject,
        message=f"{_join(winners or owners)} overwrote"
        f" {files} of {_join(losers or owners)}",
        detail=_detail(target, hurt, clashes),
        evidence=tuple(
            Evidence(
                fact=clash.path,
                value=f"the file of {clash.winner or 'neither'}",
                source=f"RECORD of {' and '.join(clash.owners)}",
            )
            for clash in clashes
        ),
        fix=_fixes(target, owners, snapshot, matrices),
        severity=_severity(hurt, clashes),
    )


def _severity(hurt: list[str], clashes: list[FileClash]) -> Severity:
    """A leftover that nobody loads is only a note: its removal would hurt."""
    if hurt:
        return "error"
    return "info" if all(clash.winner for clash in clashes) else "warning"


def _frameworks_of(target: Environment, majors: set[int | None]) -> list[str]:
    """Installed products built for one of these CUDA majors."""
    return [
        presence.product_name(name, framework)
        for name, framework in presence.frameworks(target).items()
        if framework.cuda is not None and framework.cuda.major in majors
    ]


def _detail(target: Environment, hurt: list[str], clashes: list[FileClash]) -> str:
    built = " and ".join(
        f"{presence.product_name(name, framework)} is built for CUDA {framework.cuda}"
        for name, framework in presence.frameworks(target).items()
        if framework.cuda is not None
    )
    first = clashes[0].path.rpartition("/")[2]
    if hurt:
        return f"{built}; {' and '.join(hurt)} loads the other's {first}"
    lead = f"{built}; " if built else ""
    return f"{lead}uninstalling either package takes {first} along"


def _fixes(
    target: Environment, owners: list[str], snapshot: Snapshot, matrices: Matrices
) -> tuple[Fix, ...]:
    remove = fixes.uninstall_command(target, owners)
    pair = shared_pair(snapshot, matrices)
    found = [pair] if pair is not None else []
    for name, framework in presence.frameworks(target).items():
        if framework.cuda is not None:
            found.append(_keep_one(name, owners, target, remove))
    return tuple(found)


def _keep_one(name: str, owners: list[str], target: Environment, remove: str) -> Fix:
    """Give one framework its libraries back; the other moves out."""
    framework = presence.frameworks(target)[name]
    major = framework.cuda.major if framework.cuda else None
    wanted = [_pinned(o, target) for o in owners if cuda_major_of(o) == major]
    again = fixes.install_command(target, wanted, force=True, no_deps=True)
    title = presence.FRAMEWORK_NAMES[name]
    is_alone = len(presence.frameworks(target)) == 1
    rest = "" if is_alone else "; the other then needs its own environment"
    return Fix(
        effort="environment",
        commands=(remove, again),
        why=f"give {title} its files back{rest}",
        verify=fixes.check_command(target),
    )


def _pinned(owner: str, target: Environment) -> str:
    version = presence.find_package(target, owner)
    return f"{owner}=={version}" if version else owner


def _join(names: list[str]) -> str:
    return " and ".join(names)
