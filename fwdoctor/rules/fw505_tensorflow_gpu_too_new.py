"""The GPU is newer than the compute capabilities TensorFlow was built for.

What it checks
--------------
The compute capabilities in TensorFlow's build record, as machine code and as PTX,
against each GPU. PTX for one architecture only (9.0a) cannot be compiled for another.

Why it matters
--------------
TensorFlow lists the GPU, and the first operation fails with CUDA_ERROR_INVALID_PTX,
CUDA_ERROR_INVALID_HANDLE or «no kernel image is available».

How to fix
----------
Install a release with code for the GPU, or a conda package built for it.

References
----------
- https://github.com/tensorflow/tensorflow/issues/99592
- https://github.com/conda-forge/tensorflow-feedstock
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
    "FW505",
    "tensorflow-gpu-too-new",
    cause="gpu-arch-too-new",
    needs=("gpus", "target.tensorflow"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs newer than every target of the installed TensorFlow."""
    yield from unserved_gpus("tensorflow", snapshot, matrices, too_old=False)
