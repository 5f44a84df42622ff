"""TensorFlow on native Windows has no GPU support in this release.

What it checks
--------------
TensorFlow on Windows (not WSL2) with an NVIDIA GPU, in a release whose Windows wheels
were built without CUDA.

Why it matters
--------------
No driver, toolkit or cuDNN changes it: the wheel contains no CUDA code.

How to fix
----------
Use WSL2, where the Linux wheels run with the Windows driver, or stay on the last
release with Windows CUDA wheels and the Python it needs.

References
----------
- https://www.tensorflow.org/install/pip#windows-native
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import parse_version
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.snapshot import Snapshot

PLATFORM = "windows-x86_64"


@rule(
    "FW502",
    "tensorflow-native-windows",
    cause="no-wheel-for-platform",
    needs=("host.os", "target.tensorflow"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A CPU build of TensorFlow on native Windows with an NVIDIA GPU."""
    target = snapshot.target
    tensorflow = target.tensorflow if target else None
    if tensorflow is None or tensorflow.kind == "cuda" or snapshot.host.is_wsl:
        return
    if snapshot.host.os != "windows" or not presence.has_nvidia_gpu(snapshot):
        return
    if (tensorflow.package or "").startswith("tensorflow-directml"):
        return
    product = presence.product_name("tensorflow", tensorflow)
    last = _last_release_for(PLATFORM, matrices)
    is_sure = tensorflow.kind == "cpu" or _is_newer(tensorflow.version, last)
    if tensorflow.version is not None and not is_sure:
        return
    until = f"; {last.version} is the last release with one" if last else ""
    yield Problem(
        subject=product,
        message=f"{product} has no CUDA build for native Windows",
        detail=f"its Windows wheels are CPU builds{until}",
        evidence=(Evidence(fact="os", value="windows", source="host"),),
        fix=_fixes(last),
        severity=None if is_sure else "warning",
        certainty="proven" if is_sure else "likely",
        blocks=("tensorflow",),
    )


def _last_release_for(platform: str, matrices: Matrices) -> Release | None:
    """The newest release with a CUDA build of the main package for a platform."""
    for version in reversed(matrices.versions("tensorflow")):
        release = matrices.find_release("tensorflow", version)
        if release and any(
            variant.cuda and platform in variant.platforms
            for variant in release.variants
        ):
            return release
    return None


def _is_newer(version: str | None, last: Release | None) -> bool:
    """Whether a version is surely beyond the last release with CUDA for Windows."""
    found = parse_version(version)
    known = parse_version(last.version) if last else None
    return found is not None and known is not None and found > known


def _fixes(last: Release | None) -> tuple[Fix, ...]:
    wsl = Fix(
        effort="environment",
        commands=("wsl --install", 'pip install "tensorflow[and-cuda]"'),
        why="use WSL2 and install TensorFlow inside it",
    )
    if last is None:
        return (wsl,)
    pin = f'pip install "tensorflow=={last.version}" "numpy<2"'
    newest = last.python[-1] if last.python else "an older Python"
    stay = Fix(
        effort="environment",
        commands=(pin,),
        why=f"the last release with Windows CUDA wheels, for Python up to {newest}",
    )
    return (wsl, stay)
