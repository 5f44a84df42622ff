"""The GPU is newer than the compute capabilities PyTorch was built for.

What it checks
--------------
The list of SM architectures compiled into the installed PyTorch (what
`torch.cuda.get_arch_list()` returns), against each GPU. Code for the same major
version and an equal or lower minor one runs (8.9 runs sm_86, 12.1 runs sm_120), and so
does PTX for anything older; the exact number is not asked for.

Why it matters
--------------
`torch.cuda.is_available()` is True, and the first kernel fails with «no kernel image is
available for execution on the device».

How to fix
----------
Install a build for a CUDA version that knows the GPU.

References
----------
- https://docs.nvidia.com/cuda/cuda-programming-guide/
- https://developer.nvidia.com/cuda-gpus
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
    "FW402",
    "torch-gpu-too-new",
    cause="gpu-arch-too-new",
    needs=("gpus", "target.torch"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs newer than every target of the installed PyTorch."""
    yield from unserved_gpus("torch", snapshot, matrices, too_old=False)
