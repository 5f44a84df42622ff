"""The device files are there, but this user or container may not open them.

What it checks
--------------
CUDA or NVML fails, and `/dev/nvidiactl`, `/dev/nvidia-uvm` or a GPU's device file is
refused: by its mode and group (EACCES), or by the device rules of a control group
(EPERM). In a container an unknown error of NVML counts too: it is what a container
shows that lost its devices.

Why it matters
--------------
CUDA works as root and finds no GPU as a user. Some distributions and clusters give the
device files to a group (`video`, `render`). Containers lose access when systemd reloads
its units on the host («Failed to initialize NVML: Unknown Error»).

How to fix
----------
Join the group and log in again; or correct the driver's device file mode. In a
container start it anew through the container toolkit; in a batch job ask for a GPU.

References
----------
- https://github.com/NVIDIA/nvidia-container-toolkit/issues/48
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html
- https://slurm.schedmd.com/gres.html
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
    from fwdoctor.model.snapshot import DeviceNode, Snapshot

_REFUSALS = ("EACCES", "EPERM")
_NEEDED = ("/dev/nvidiactl", "/dev/nvidia-uvm")
_REFUSING_CODES = (state.NVML_OPERATING_SYSTEM, state.NVML_UNKNOWN)


@rule(
    "FW119",
    "device-node-permission",
    cause="device-permission",
    needs=("driver.nvml_code",),
    explains=("FW108", "FW125", "FW126", "FW128"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Device files that are refused while CUDA or NVML fails."""
    code = snapshot.driver.nvml_code
    if state.has_own_driver_kind(snapshot) or state.cuda_works(snapshot):
        return
    if code == 0 and not state.cuda_fails(snapshot):
        return
    node = _refused(snapshot)
    lost = state.is_in_container(snapshot) and code in _REFUSING_CODES
    if node is None and not lost and code != state.NVML_OPERATING_SYSTEM:
        return
    yield Problem(
        subject="driver",
        message=_message(node, code),
        detail=_detail(snapshot, node),
        evidence=(
            *_evidence(node),
            state.code_evidence("nvml", code, matrices),
        ),
        fix=tuple(_fixes(snapshot, node)),
        certainty="proven" if node is not None else "likely",
        blocks=state.BOTH,
    )


def _refused(snapshot: Snapshot) -> DeviceNode | None:
    """The first needed node, or else GPU's node, that does not open."""
    nodes = [n for n in snapshot.device_nodes or () if n.exists]
    needed = [n for path in _NEEDED for n in nodes if n.path == path]
    gpus = [n for n in nodes if n.path.removeprefix("/dev/nvidia").isdigit()]
    for group in (needed, gpus):
        refused = [n for n in group if _is_refused(n)]
        if refused and (group is needed or len(refused) == len(group)):
            return refused[0]
    return None


def _is_refused(node: DeviceNode) -> bool:
    return node.open_error in _REFUSALS or (
        node.is_accessible is False and node.open_error is None
    )


def _message(node: DeviceNode | None, code: int | None) -> str:
    if node is None:
        return f"the GPU's device files cannot be used here: NVML answers {code}"
    owner = f" ({node.mode}, group {node.group})" if node.mode and node.group else ""
    return f"{node.path}{owner} may not be opened by this user"


def _detail(snapshot: Snapshot, node: DeviceNode | None) -> str:
    if node is not None and node.open_error != "EPERM":
        return ""
    if state.is_in_container(snapshot):
        return "the container's device rules refuse it, or it has lost its devices"
    return "the device rules of this job or service refuse it"


def _evidence(node: DeviceNode | None) -> Iterator[Evidence]:
    if node is not None:
        error = node.open_error or "not readable and writable"
        yield Evidence(fact=node.path, value=error, source="device nodes")


def _fixes(snapshot: Snapshot, node: DeviceNode | None) -> Iterator[Fix]:
    verify = fixes.check_command(snapshot.target)
    if state.is_in_container(snapshot):
        yield from _container_fixes(snapshot)
        return
    if node is None or node.open_error == "EPERM":
        yield Fix(
            effort="ask",
            why="ask the scheduler for a GPU, or have the device rules changed",
            verify=verify,
        )
        return
    if node.group and node.group != "root" and "rw" in (node.mode or "")[4:6]:
        yield Fix(
            effort="host-root",
            commands=(f'sudo usermod -aG {node.group} "$USER"',),
            why=f"join the group {node.group}, then log out and in again",
            verify=verify,
        )
        return
    option = "options nvidia NVreg_DeviceFileMode=0666"
    yield Fix(
        effort="reboot",
        commands=(
            f"echo '{option}' | sudo tee /etc/modprobe.d/nvidia-device-mode.conf",
            *fixes.rebuild_start_image(snapshot),
            "sudo reboot",
        ),
        why="let the driver make its device files for every user",
        verify=verify,
    )


def _container_fixes(snapshot: Snapshot) -> Iterator[Fix]:
    container = snapshot.container
    if container is None or container.has_driver_mounts is False:
        yield from fixes.start_with_gpu(snapshot)
        return
    kind = container.kind
    is_engine = kind in ("docker", "podman")
    yield Fix(
        effort="environment",
        commands=(f"{kind} restart CONTAINER",) if is_engine else (),
        why="start the container anew: devices are granted at its start",
        verify=fixes.check_command(snapshot.target),
    )
    yield Fix(
        effort="host-root",
        commands=("sudo nvidia-ctk system create-dev-char-symlinks --create-all",),
        why="on the host, keep it from coming back when systemd reloads its units",
    )
