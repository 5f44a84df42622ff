"""A forward-compatibility libcuda stands in front of a driver or GPU it cannot serve.

What it checks
--------------
cuInit answers 804 (forward compatibility was attempted on non supported hardware); or
the loader takes a `cuda-compat` libcuda and CUDA finds no device that NVML sees.

Why it matters
--------------
The `cuda-compat` libraries let an older driver run a newer CUDA, on data-centre GPUs
only. CUDA images carry them; on a GeForce card they keep CUDA from starting. In such a
container `nvidia-smi` shows a newer «CUDA Version» than the host does.

How to fix
----------
Take the compat folder off the loader's path, or remove the package, and use a build for
the CUDA that the driver itself speaks; or upgrade the driver, which makes the compat
libraries unnecessary.

References
----------
- https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
- https://github.com/NVIDIA/nvidia-docker/issues/1515
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.compat_library import remove_compat
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW110",
    "compat-library-unsupported",
    cause="forward-compat",
    needs=("driver.libcuda",),
    explains=("FW111", "FW125", "FW126"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The code 804 of cuInit, or a compat libcuda that finds no GPU."""
    libcuda = state.libcuda_of(snapshot)
    code = state.init_code(snapshot)
    if libcuda is None:
        return
    is_refused = code == state.CUDA_COMPAT_NOT_SUPPORTED
    finds_none = (
        libcuda.kind == "compat"
        and code == state.CUDA_NO_DEVICE
        and bool(snapshot.gpus)
        and libcuda.unmasked_init_code != 0
    )
    if not is_refused and not finds_none:
        return
    version = f" {libcuda.version}" if libcuda.version else ""
    names = state.listed(sorted({g.name for g in snapshot.gpus or () if g.name}))
    yield Problem(
        subject="driver",
        message=f"the forward-compatibility libcuda{version} does not serve"
        f" {names or 'this GPU'}",
        detail=_detail(snapshot, matrices),
        evidence=(
            state.code_evidence("cuda-driver", code, matrices),
            Evidence(fact="libcuda", value=libcuda.path or "", source="libcuda"),
        ),
        fix=(
            *remove_compat(snapshot),
            fixes.driver_upgrade(snapshot, matrices, libcuda.version),
        ),
        certainty="proven" if is_refused else "likely",
        blocks=state.BOTH,
    )


def _detail(snapshot: Snapshot, matrices: Matrices) -> str:
    version = snapshot.driver.version
    os_name = presence.driver_os(snapshot)
    own = compat.driver_speaks(version, matrices, os_name=os_name) if version else None
    speaks = f"; driver {version} itself speaks CUDA {own}" if own else ""
    return f"forward compatibility is for data-centre GPUs{speaks}"
