"""Packages that exclude each other are installed together.

What it checks
--------------
Distributions that are builds of one library and share its folder: onnxruntime and
onnxruntime-gpu, the CuPy builds for different CUDA versions, faiss-cpu and faiss-gpu,
paddlepaddle and paddlepaddle-gpu.

Why it matters
--------------
The build that was installed last wins. ONNX Runtime then offers no CUDA provider
although onnxruntime-gpu is installed; CuPy warns that it may not function correctly.

How to fix
----------
Uninstall all of them, then install the one that is wanted.

References
----------
- https://onnxruntime.ai/docs/install/
- https://docs.cupy.dev/en/stable/install.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import install_like, managed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Package, Snapshot

# The library → the names its builds are distributed under.
_FAMILIES = {
    "onnxruntime": re.compile(r"onnxruntime(-gpu|-directml|-rocm|-openvino)?"),
    "cupy": re.compile(r"cupy(-cuda\d+x?|-rocm-[\d-]+)?"),
    "faiss": re.compile(r"faiss-(cpu|gpu(-cu\d+)?)"),
    "paddle": re.compile(r"paddlepaddle(-gpu)?"),
}


@rule(
    "FW607",
    "exclusive-packages-together",
    cause="duplicate-or-shadowed-install",
    severity="warning",
    needs=("target.packages",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Two builds of one library in one folder."""
    del matrices
    target = snapshot.target
    if target is None:
        return
    for library, names in _FAMILIES.items():
        builds = [p for p in target.packages or () if names.fullmatch(p.name)]
        is_conda = any(package.channel is not None for package in builds)
        is_shared = len({package.location for package in builds}) == 1
        if len({package.name for package in builds}) > 1 and is_shared and not is_conda:
            yield _problem(library, builds, target)


def _problem(library: str, builds: list[Package], target: Environment) -> Problem:
    listed = " and ".join(f"{p.name} {p.version}" for p in builds)
    keep = max(builds, key=lambda p: ("gpu" in p.name or "cuda" in p.name, p.name))
    names = [package.name for package in builds]
    return Problem(
        subject=library,
        message=f"{listed} are installed together and share one folder",
        evidence=tuple(
            Evidence(fact=p.name, value=p.version, source=p.location or "")
            for p in builds
        ),
        fix=(
            Fix(
                effort="environment",
                commands=(
                    fixes.uninstall_command(managed(target, keep), names),
                    install_like(target, keep, f"{keep.name}=={keep.version}"),
                ),
                why="keep one of them",
                verify=fixes.python_command(target, f"import {library}"),
            ),
        ),
    )
