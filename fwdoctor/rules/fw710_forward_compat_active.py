"""A forward-compatibility libcuda is in use, and works.

What it checks
--------------
The loader takes a `cuda-compat` libcuda that is not older than the driver, and CUDA
starts.

Why it matters
--------------
Nothing is wrong. It explains why CUDA and `nvidia-smi` name a newer CUDA version than
the driver has by itself, and that a host with a newer driver, or a GeForce card, would
not run the same image this way.

How to fix
----------
Nothing needs to be done.

References
----------
- https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
- https://docs.nvidia.com/deploy/cuda-compatibility/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW710",
    "forward-compat-active",
    cause="forward-compat",
    severity="info",
    needs=("driver.libcuda",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A compat libcuda that works."""
    libcuda = state.libcuda_of(snapshot)
    if libcuda is None or libcuda.kind != "compat" or not state.cuda_works(snapshot):
        return
    driver = snapshot.driver.kernel_module or snapshot.driver.version
    if driver is None or (libcuda.version is not None and libcuda.version < driver):
        return  # FW112
    speaks = libcuda.cuda_driver_version
    newer = f" and lends it CUDA {speaks}" if speaks else ""
    yield Problem(
        subject="driver",
        message=f"a forward-compatibility libcuda works on driver {driver}{newer}",
        evidence=(
            Evidence(fact="libcuda", value=libcuda.path or "", source="libcuda"),
            state.code_evidence("cuda-driver", libcuda.init_code, matrices),
        ),
    )
