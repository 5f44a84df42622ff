"""The GPU is older than the compute capabilities TensorFlow was built for.

What it checks
--------------
The compute capabilities in TensorFlow's build record, against each GPU.

Why it matters
--------------
TensorFlow says «Ignoring visible gpu device … minimum required Cuda capability» and
computes on the CPU.

How to fix
----------
Install the newest release that still has code for the GPU, with a Python it has wheels
for. A newer driver does not help.

References
----------
- https://www.tensorflow.org/install/pip
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
    "FW506",
    "tensorflow-gpu-too-old",
    cause="gpu-arch-too-old",
    needs=("gpus", "target.tensorflow"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """GPUs older than every target of the installed TensorFlow."""
    yield from unserved_gpus("tensorflow", snapshot, matrices, too_old=True)
