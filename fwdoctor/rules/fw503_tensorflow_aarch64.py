"""TensorFlow's aarch64 wheels have no CUDA code.

What it checks
--------------
TensorFlow from PyPI on Linux aarch64 (Grace Hopper, Grace Blackwell, DGX Spark) with an
NVIDIA GPU. Jetson has builds of its own from NVIDIA and is left out.

Why it matters
--------------
The `and-cuda` extra installs NVIDIA's libraries without complaint, and they are never
used: the wheel itself was built for the CPU.

How to fix
----------
Use NVIDIA's container, or a conda package built for aarch64 with CUDA.

References
----------
- https://catalog.ngc.nvidia.com/orgs/nvidia/containers/tensorflow
- https://github.com/AnacondaRecipes/tensorflow-feedstock
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW503",
    "tensorflow-aarch64",
    cause="no-wheel-for-platform",
    needs=("host.machine", "target.tensorflow"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A CPU build of TensorFlow on aarch64 with an NVIDIA GPU."""
    del matrices
    host, target = snapshot.host, snapshot.target
    tensorflow = target.tensorflow if target else None
    if tensorflow is None or tensorflow.kind == "cuda" or host.is_tegra:
        return
    if host.machine not in ("aarch64", "arm64") or host.os != "linux":
        return
    if presence.has_nvidia_gpu(snapshot) is not True:
        return
    product = presence.product_name("tensorflow", tensorflow)
    yield Problem(
        subject=product,
        message=f"{product} has no CUDA build for Linux aarch64",
        detail="PyPI's aarch64 wheels of TensorFlow are CPU builds",
        evidence=(Evidence(fact="machine", value=host.machine, source="host"),),
        fix=(
            Fix(
                effort="environment",
                commands=("conda create -n tensorflow defaults::tensorflow-gpu",),
                why="a conda package with CUDA code for aarch64",
            ),
            Fix(effort="ask", why="NVIDIA's TensorFlow container from NGC"),
        ),
        blocks=("tensorflow",),
    )
