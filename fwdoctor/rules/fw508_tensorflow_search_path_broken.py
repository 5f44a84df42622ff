"""A TensorFlow release that does not find the libraries it was installed with.

What it checks
--------------
In a pasted report only: TensorFlow was installed with its CUDA libraries as packages,
in a release whose own search path leaves out some of their folders. The folders were
measured from the published wheels. On a live machine FW201 sees the files themselves.

Why it matters
--------------
The libraries are there, and TensorFlow says «Could not find cuda drivers» or «Cannot
dlopen some GPU libraries» all the same.

How to fix
----------
Take a release whose search path has them all.

References
----------
- https://github.com/tensorflow/tensorflow/issues/63362
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import parse_version
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.snapshot import Environment, Snapshot

EXTRA = "[and-cuda]"


@rule(
    "FW508",
    "tensorflow-search-path-broken",
    cause="cuda-lib-missing",
    severity="warning",
    needs=("target.tensorflow.version",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The measured gaps of the release, where its libraries came as packages."""
    target = snapshot.target
    tensorflow = target.tensorflow if target else None
    if snapshot.origin != "pasted" or target is None or tensorflow is None:
        return
    if tensorflow.gpu_available is True or snapshot.host.os not in (None, "linux"):
        return
    release = matrices.find_release("tensorflow", tensorflow.version or "")
    if release is None or not release.runpath_lacks:
        return
    if not _has_wheels(snapshot, target):
        return
    product = presence.product_name("tensorflow", tensorflow)
    folders = ", ".join(release.runpath_lacks)
    yield Problem(
        subject=product,
        message=f"{product} does not search {len(release.runpath_lacks)} folders that"
        " its CUDA packages fill",
        detail=f"left out: {folders}",
        certainty="likely",
        evidence=(
            Evidence(fact="runpath_lacks", value=folders, source="published wheel"),
        ),
        fix=_fix(release, target, matrices),
    )


def _has_wheels(snapshot: Snapshot, target: Environment) -> bool:
    asked = (text for c in snapshot.commands for text in c.requirements)
    return any(EXTRA in text for text in asked) or bool(
        presence.nvidia_packages(target)
    )


def _fix(release: Release, target: Environment, matrices: Matrices) -> tuple[Fix, ...]:
    """The next release after it, or else the last before it, without a gap."""
    here = parse_version(release.version)
    whole = [
        found
        for found in matrices.releases("tensorflow")
        if "and-cuda" in found.extras
        and not (found.runpath_lacks or found.prerelease or found.yanked)
    ]
    after = [r for r in whole if here and (parse_version(r.version) or here) > here]
    chosen = after[:1] or whole[-1:]
    return tuple(
        Fix(
            effort="environment",
            commands=(
                fixes.install_command(target, [f"tensorflow{EXTRA}=={r.version}"]),
            ),
            why=f"TensorFlow {r.version} searches them all",
        )
        for r in chosen
    )
