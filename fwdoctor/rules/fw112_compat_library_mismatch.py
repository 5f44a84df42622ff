"""A forward-compatibility libcuda is older than the driver, or does not fit it.

What it checks
--------------
The loader takes a `cuda-compat` libcuda, and it is of an older version than the
kernel's driver, or cuInit answers 803 (system has unsupported display driver / cuda
driver combination).

Why it matters
--------------
The compat libraries are made for drivers older than themselves. On a newer driver they
keep CUDA from starting (803), or hold it back at their own older CUDA. It happens when
an image with compat first in LD_LIBRARY_PATH comes to a host whose driver was updated.

How to fix
----------
Take the compat folder off the loader's path: the driver does not need it.

References
----------
- https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
- https://github.com/NVIDIA/nvidia-docker/issues/1256
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.compat_library import remove_compat
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import LibCuda, Snapshot


@rule(
    "FW112",
    "compat-library-mismatch",
    cause="forward-compat",
    needs=("driver.libcuda",),
    explains=("FW111", "FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A compat libcuda older than the driver, or refused with 803."""
    libcuda = state.libcuda_of(snapshot)
    if libcuda is None or libcuda.kind != "compat":
        return
    is_refused = libcuda.init_code == state.CUDA_DRIVER_MISMATCH
    is_older = _is_older(snapshot, libcuda)
    if not is_refused and not is_older:
        return
    works = state.cuda_works(snapshot)
    driver = snapshot.driver.kernel_module or snapshot.driver.version
    version = f" {libcuda.version}" if libcuda.version else ""
    relation = "is older than" if is_older else "does not fit"
    holds = "it holds CUDA back at its own version" if works else "CUDA does not start"
    yield Problem(
        subject="driver",
        message=f"the forward-compatibility libcuda{version} {relation}"
        f" driver {driver or 'of this machine'}",
        detail=f"{holds}; compat libraries are for drivers older than themselves",
        evidence=(
            Evidence(fact="libcuda", value=libcuda.path or "", source="libcuda"),
            state.version_evidence("kernel_module", driver, "kernel module"),
            state.code_evidence("cuda-driver", libcuda.init_code, matrices),
        ),
        fix=remove_compat(snapshot),
        severity="warning" if works else None,
        blocks=() if works else state.BOTH,
    )


def _is_older(snapshot: Snapshot, libcuda: LibCuda) -> bool:
    driver = snapshot.driver.kernel_module
    return None not in (driver, libcuda.version) and (
        libcuda.version < driver  # type: ignore[operator]  # neither is None here
    )
