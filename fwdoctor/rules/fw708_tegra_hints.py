"""A Jetson with a PyTorch or TensorFlow that was not made for its GPU.

What it checks
--------------
On a Jetson (Tegra): a build of PyTorch or TensorFlow without CUDA.

Why it matters
--------------
Jetson's GPU is driven by the JetPack release, not by a driver package, and wheels from
PyPI for Arm are often built without CUDA or for server GPUs. This is a hint, not a
fault: the doctor does not judge Jetson systems further.

How to fix
----------
Take NVIDIA's wheels or containers for the JetPack release.

References
----------
- https://docs.nvidia.com/deeplearning/frameworks/install-pytorch-jetson-platform/
- https://docs.nvidia.com/deeplearning/frameworks/install-tf-jetson-platform/
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
    "FW708",
    "tegra-hints",
    cause="no-wheel-for-platform",
    severity="info",
    needs=("host.is_tegra", "target"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Builds without CUDA on a Jetson."""
    del matrices
    if not snapshot.host.is_tegra:
        return
    release = snapshot.host.tegra_release
    for name, framework in presence.frameworks(snapshot.target).items():
        if framework.kind != "cpu":
            continue
        product = f"{framework.package or name} {framework.version or ''}".strip()
        yield Problem(
            subject=product,
            message=f"{product} is a build without CUDA, on a Jetson",
            detail=f"this system is {release}" if release else "",
            evidence=(
                Evidence(fact=f"{name}.kind", value="cpu", source="environments"),
            ),
            fix=(
                Fix(
                    effort="environment",
                    why="take NVIDIA's wheel or container for this JetPack release",
                    verify="python -c 'import torch; print(torch.cuda.is_available())'"
                    if name == "torch"
                    else "",
                ),
            ),
        )
