"""CUDA_VISIBLE_DEVICES names a MIG instance that is not there.

What it checks
--------------
CUDA_VISIBLE_DEVICES begins with `MIG-` and CUDA finds no device: because no GPU has MIG
mode on, or because CUDA does see a device once the variable is taken away.

Why it matters
--------------
The identifiers of MIG instances change whenever instances are made anew, after a
restart for instance. A script or job file that names the old one hides every GPU.

How to fix
----------
List the present instances and name one of them, or unset the variable.

References
----------
- https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
- https://docs.nvidia.com/cuda/cuda-programming-guide/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_VARIABLE = "CUDA_VISIBLE_DEVICES"


@rule(
    "FW121",
    "mig-visible-device-wrong",
    cause="mig-config",
    needs=("env_vars", "gpus"),
    explains=("FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A MIG name in the variable that leaves CUDA without a device."""
    value = snapshot.env_vars.get(_VARIABLE, "").strip()
    gpus, libcuda = snapshot.gpus or (), snapshot.driver.libcuda
    if not value.startswith("MIG-") or not gpus or state.cuda_works(snapshot):
        return
    has_no_mig = all(gpu.mig_enabled is False for gpu in gpus)
    hides = libcuda is not None and (
        libcuda.init_code == state.CUDA_NO_DEVICE and libcuda.unmasked_init_code == 0
    )
    if not has_no_mig and not hides:
        return
    reason = (
        "no GPU here has MIG mode on"
        if has_no_mig
        else "no instance has that name; without the variable CUDA finds a device"
    )
    code = state.init_code(snapshot)
    known = (state.code_evidence("cuda-driver", code, matrices),) if code else ()
    yield Problem(
        subject=_VARIABLE,
        message=f"{_VARIABLE}={value} names a MIG instance that is not there",
        detail=reason,
        evidence=(Evidence(fact=_VARIABLE, value=value, source="env-vars"), *known),
        fix=(
            Fix(
                effort="environment",
                commands=("nvidia-smi -L", f"unset {_VARIABLE}"),
                why="name an instance from the list, or unset the variable",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        blocks=state.BOTH,
    )
