"""The kernel module is loaded, but device files that CUDA opens are not there.

What it checks
--------------
With the nvidia module loaded and CUDA or NVML failing: whether `/dev/nvidiactl` is
there, and in a container also `/dev/nvidia-uvm`. A container with no NVIDIA device file
at all was started without the GPU (FW701).

Why it matters
--------------
Programs reach the driver through these files. They are made by `nvidia-modprobe` or
udev; on minimal systems without either, after a failed start, or in a container that
was given some of them by hand, one is missing.

How to fix
----------
Make them with `nvidia-modprobe`, and install it for good. In a container pass all of
them, which the container toolkit does by itself.

References
----------
- https://docs.nvidia.com/cuda/cuda-installation-guide-linux/
- https://github.com/NVIDIA/nvidia-modprobe
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_CONTROL = "/dev/nvidiactl"
_UVM = "/dev/nvidia-uvm"


@rule(
    "FW118",
    "device-node-missing",
    cause="device-permission",
    needs=("device_nodes", "driver.nvml_code"),
    explains=("FW108", "FW125", "FW126", "FW128"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Needed nodes that are absent while the module is loaded and CUDA fails."""
    if state.has_own_driver_kind(snapshot) or not state.is_module_loaded(snapshot):
        return
    code = snapshot.driver.nvml_code
    nodes = state.existing_nodes(snapshot)
    if nodes is None or code == state.NVML_LIBRARY_NOT_FOUND:
        return
    missing = _missing(snapshot, nodes)
    if not missing or state.cuda_works(snapshot):
        return
    if code == 0 and not state.cuda_fails(snapshot):
        return
    yield Problem(
        subject="driver",
        message=f"the nvidia module is loaded, but {state.listed(missing)}"
        f" {'are' if len(missing) > 1 else 'is'} missing",
        detail="programs reach the driver through these device files",
        evidence=(
            Evidence(
                fact="device nodes",
                value=", ".join(sorted(nodes)) or "none",
                source="/dev",
            ),
            state.code_evidence("nvml", code, matrices),
        ),
        fix=tuple(_fixes(snapshot, missing)),
        blocks=state.BOTH,
    )


def _missing(snapshot: Snapshot, nodes: Collection[str]) -> list[str]:
    if not state.is_in_container(snapshot):
        return [] if _CONTROL in nodes else [_CONTROL]
    if not nodes:
        return []  # FW701
    return [path for path in (_CONTROL, _UVM) if path not in nodes]


def _fixes(snapshot: Snapshot, missing: list[str]) -> Iterator[Fix]:
    if state.is_in_container(snapshot):
        flags = " ".join(f"--device {path}" for path in missing)
        yield Fix(
            effort="environment",
            commands=(f"docker run {flags} IMAGE",),
            why="pass every device file, or better let the container toolkit do it",
            verify=fixes.check_command(snapshot.target),
        )
        yield from fixes.start_with_gpu(snapshot)
        return
    yield Fix(
        effort="host-root",
        commands=("sudo nvidia-modprobe -c 0 -u",),
        why="make the device files (the tool comes in the package nvidia-modprobe)",
        verify="nvidia-smi",
    )
