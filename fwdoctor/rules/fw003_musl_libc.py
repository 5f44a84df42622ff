"""The system uses musl, for which PyTorch and TensorFlow have no wheels.

What it checks
--------------
The C library of the system. Alpine Linux and images made from it use musl instead of
glibc.

Why it matters
--------------
PyPI has no musllinux wheels of PyTorch or TensorFlow, so pip says «No matching
distribution found» for every release. A glibc wheel that was forced in does not load,
and NVIDIA's driver libraries need glibc as well.

How to fix
----------
Use an image or distribution with glibc, such as Debian or Ubuntu.

References
----------
- https://peps.python.org/pep-0656/
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import is_imported_fine
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_WHEEL_SOURCES = ("pypi", "pytorch-index")


@rule("FW003", "musl-libc", cause="no-wheel-for-platform", explains=("FW407",))
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Glibc wheels on musl, or a GPU with no framework that could be installed."""
    del matrices
    if snapshot.host.libc != "musl":
        return
    system = snapshot.host.distribution or "this system"
    found = presence.frameworks(snapshot.target)
    for name, framework in found.items():
        if framework.source in _WHEEL_SOURCES and not is_imported_fine(framework):
            product = presence.product_name(name, framework)
            yield Problem(
                subject=product,
                message=f"{product} is a glibc wheel, and {system} uses musl",
                certainty="likely",
                evidence=_evidence(snapshot),
                fix=(_FIX,),
                blocks=(name,),  # type: ignore[arg-type]  # torch or tensorflow
            )
    if not found and presence.has_nvidia_gpu(snapshot):
        yield Problem(
            subject="host",
            message=f"{system} uses musl, and PyTorch and TensorFlow need glibc",
            severity="warning",
            evidence=_evidence(snapshot),
            fix=(_FIX,),
        )


def _evidence(snapshot: Snapshot) -> tuple[Evidence, ...]:
    version = snapshot.host.libc_version or ""
    return (Evidence(fact="libc", value=f"musl {version}".strip(), source="host"),)


_FIX = Fix(
    effort="ask",
    why="use an image or distribution with glibc, such as `python:slim` or Ubuntu",
    verify="ldd --version",
)
