"""Files of an installed NVIDIA wheel are gone from the disk.

What it checks
--------------
The shared libraries listed in the RECORD of each installed `nvidia-*` wheel, against
the disk.

Why it matters
--------------
pip and uv still count the package as installed, and `pip check` finds nothing. It
happens when two wheels owned the same files and one of them was uninstalled, or when an
installation was interrupted.

How to fix
----------
Reinstall the wheel in the same version, without its dependencies.

References
----------
- https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import FileClash, Snapshot


@rule(
    "FW206",
    "wheel-files-missing",
    cause="cuda-lib-missing",
    needs=("target.clashes",),
    explains=("FW201",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """One problem for each wheel that lost files."""
    del matrices
    target = snapshot.target
    missing = [c for c in (target.clashes if target else None) or () if c.is_missing]
    for owner in sorted({clash.owners[0] for clash in missing if clash.owners}):
        lost = [clash for clash in missing if owner in clash.owners]
        yield _problem(owner, lost, snapshot)


def _problem(owner: str, lost: list[FileClash], snapshot: Snapshot) -> Problem:
    version = presence.find_package(snapshot.target, owner)
    pin = f"{owner}=={version}" if version else owner
    return Problem(
        subject=owner,
        message=f"{len(lost)} files of {owner} {version or ''} are gone,"
        f" among them {lost[0].path}"
        if len(lost) > 1
        else f"{lost[0].path} of {owner} {version or ''} is gone",
        detail="the package counts as installed; its RECORD lists what is missing",
        evidence=tuple(
            Evidence(fact=clash.path, value="missing", source=f"RECORD of {owner}")
            for clash in lost[:5]
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(
                    fixes.install_command(
                        snapshot.target, [pin], force=True, no_deps=True
                    ),
                ),
                why=f"put the files of {owner} back",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
    )
