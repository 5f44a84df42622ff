"""Shared memory of the container is too small for PyTorch's data loaders.

What it checks
--------------
The size of /dev/shm in a container that has PyTorch and a GPU. Docker gives 64 MiB
unless told otherwise.

Why it matters
--------------
`DataLoader` workers hand batches over through /dev/shm. When it is full they die with
«Bus error» or «insufficient shared memory (shm)», and NCCL fails with «unhandled system
error» between GPUs. Training without workers on one GPU does not notice, so that a
machine where nothing failed gets a note only.

How to fix
----------
Start the container with a larger /dev/shm, or let it share the host's.

References
----------
- https://docs.pytorch.org/docs/stable/multiprocessing.html
- https://docs.docker.com/engine/containers/run/
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

MEBIBYTE = 1024 * 1024
TOO_SMALL = 64 * MEBIBYTE  # Docker's default


@rule(
    "FW004",
    "shm-too-small",
    cause="shm-or-limits",
    severity="warning",
    needs=("host.shm_bytes", "target.torch"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The container's /dev/shm against Docker's small default."""
    del matrices
    size = snapshot.host.shm_bytes
    kind = snapshot.container.kind if snapshot.container else None
    if size is None or size > TOO_SMALL or kind is None:
        return
    if not presence.has_nvidia_gpu(snapshot):
        return
    shown = f"{size // MEBIBYTE} MiB"
    yield Problem(
        subject="container",
        message=f"shared memory has {shown}, too little for DataLoader workers",
        severity=None if snapshot.origin == "pasted" else "info",
        certainty="possible",
        evidence=(Evidence(fact="shm_bytes", value=str(size), source="host"),),
        fix=(_fix(kind),),
    )


def _fix(kind: str) -> Fix:
    if kind in ("docker", "podman"):
        return Fix(
            effort="environment",
            commands=(f"{kind} run --shm-size=8g --gpus all IMAGE",),
            why="start the container with more shared memory",
            verify="df -h /dev/shm",
        )
    why = "mount a larger tmpfs on /dev/shm"
    if kind == "kubernetes":
        why = "mount an `emptyDir` volume with `medium: Memory` on /dev/shm"
    return Fix(effort="environment", why=why, verify="df -h /dev/shm")
