"""The system's C library is older than the framework's wheels need.

What it checks
--------------
The glibc of this system against the newest glibc symbol that the installed wheel of
PyTorch or TensorFlow uses (measured from the wheels; where it is not known which one is
installed, from most of the release's), and with `--deep` whether the import said
«version `GLIBC_… not found».

Why it matters
--------------
pip refuses such a wheel with «No matching distribution found» and takes an older
release without a word. Where one was copied in, the import fails.

How to fix
----------
Install a release whose wheels suit this glibc, or use a newer distribution or container
image. glibc itself cannot be upgraded alone.

References
----------
- https://peps.python.org/pep-0600/
- https://github.com/mayeut/pep600_compliance
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import (
    find_published,
    find_variant,
    is_imported_fine,
)
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot

# Records hold what was measured on the x86-64 wheels.
_MEASURED_MACHINES = ("x86_64", None)


@rule(
    "FW002",
    "glibc-too-old",
    cause="glibc-or-cpu",
    needs=("host.libc_version", "target"),
    explains=("FW407",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each framework's glibc floor against the system's."""
    if snapshot.host.libc != "glibc":
        return
    for name, framework in presence.frameworks(snapshot.target).items():
        floor = _floor_above(name, framework, snapshot, matrices)
        if floor or "GLIBC_" in _import_error(framework):
            yield _problem(name, framework, floor, snapshot, matrices)


def _floor_above(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> str | None:
    """The glibc the release needs, where this system's is older."""
    release = find_published(name, framework, matrices)
    libc = snapshot.host.libc_version
    if release is None or libc is None or is_imported_fine(framework):
        return None
    if snapshot.host.machine not in _MEASURED_MACHINES:
        return None
    if snapshot.origin == "pasted":
        return None  # older collect_env prints the glibc Python was built for
    variant = find_variant(release, framework, snapshot)
    return compat.glibc_runs(release, libc, variant).needs


def _import_error(framework: Framework) -> str:
    return (framework.deep.error if framework.deep else None) or ""


def _problem(
    name: str,
    framework: Framework,
    floor: str | None,
    snapshot: Snapshot,
    matrices: Matrices,
) -> Problem:
    product = presence.product_name(name, framework)
    libc = snapshot.host.libc_version
    need = f"glibc {floor}" if floor else "a newer glibc"
    is_helped = floor is not None and presence.has_nvidia_gpu(snapshot) is True
    least = f"glibc {floor} or newer" if floor else need
    newer = Fix(
        effort="ask",
        why=f"use a distribution or container image with {least}",
        verify="ldd --version",
    )
    return Problem(
        subject=product,
        message=f"{product} needs {need}, and this system has glibc {libc}",
        detail=_import_error(framework),
        evidence=(Evidence(fact="libc_version", value=str(libc), source="host"),),
        fix=(*(working_builds(snapshot, matrices, name) if is_helped else ()), newer),
        blocks=(name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )
