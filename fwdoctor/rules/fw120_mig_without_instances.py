"""MIG mode is on, but the GPU was not cut into any instance.

What it checks
--------------
GPUs with MIG mode enabled and no compute instance.

Why it matters
--------------
With MIG on, CUDA sees the instances, never the whole GPU. Without one there is nothing
to see: `nvidia-smi` lists the GPU and every framework finds none. The mode outlives
restarts, instances do not.

How to fix
----------
Make an instance, or turn MIG off to use the whole GPU. Both need the GPU to be idle.

References
----------
- https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
- https://docs.nvidia.com/datacenter/tesla/mig-user-guide/getting-started-with-mig.html
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
    from fwdoctor.model.snapshot import Gpu, Snapshot


@rule(
    "FW120",
    "mig-without-instances",
    cause="mig-config",
    needs=("gpus",),
    explains=("FW123", "FW125", "FW126"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """MIG on and no instance; an error when no other GPU is left."""
    del matrices
    gpus = snapshot.gpus or ()
    empty = [g for g in gpus if g.mig_enabled and g.mig_instances == ()]
    works = len(empty) < len(gpus) or state.cuda_works(snapshot)
    for gpu in empty:
        yield Problem(
            subject=f"GPU {gpu.index}",
            message=f"MIG mode is on for GPU {gpu.index}"
            f"{f' ({gpu.name})' if gpu.name else ''} and it has no instance",
            detail="CUDA sees MIG instances only, and there is none",
            evidence=(
                Evidence(
                    fact=f"GPU {gpu.index} MIG",
                    value="enabled, 0 instances",
                    source="nvml",
                ),
            ),
            fix=tuple(_fixes(snapshot, gpu)),
            severity="warning" if works else None,
            blocks=() if works else state.BOTH,
        )


def _fixes(snapshot: Snapshot, gpu: Gpu) -> Iterator[Fix]:
    verify = "nvidia-smi -L"
    if state.is_in_container(snapshot):
        why = "make a MIG instance on the host and give it to this container"
        yield Fix(effort="ask", why=why, verify=fixes.check_command(snapshot.target))
        return
    smi = "sudo nvidia-smi"
    yield Fix(
        effort="host-root",
        commands=(f"{smi} mig -i {gpu.index} -cgi 0 -C",),
        why="make one instance of the whole GPU (profile 0);"
        " `nvidia-smi mig -lgip` lists the smaller ones",
        verify=verify,
    )
    yield Fix(
        effort="host-root",
        commands=(f"{smi} -i {gpu.index} -mig 0",),
        why="turn MIG off, once no process uses the GPU",
        verify=verify,
    )
