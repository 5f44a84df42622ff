"""The GPU is older than the compute capabilities PyTorch was built for.

What it checks
--------------
The list of SM architectures compiled into the installed PyTorch, against each GPU.

Why it matters
--------------
Each CUDA version ends support for some generations: the CUDA 13 builds start at Turing,
the CUDA 12.8 builds left out Maxwell and Pascal. The GPU is found, and the first kernel
fails with «no kernel image is available for execution on the device».

How to fix
----------
Install the newest build that still has code for the GPU, often from another index
(cu126), or from conda-forge, which kept old GPUs longer. Upgrading the driver does not
help.

References
----------
- https://docs.nvidia.com/cuda/cuda-programming-guide/
- https://developer.nvidia.com/cuda-legacy-gpus
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.rules.arch_support import unserved_gpus
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Problem
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW403",
    "torch-gpu-too-old",
    cause="gpu-arch-too-old",
    needs=("gpus", "target.torch"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs older than every target of the installed PyTorch."""
    yield from unserved_gpus("torch", snapshot, matrices, too_old=True)
