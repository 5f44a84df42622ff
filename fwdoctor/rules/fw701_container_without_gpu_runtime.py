"""The container was started without the GPU.

What it checks
--------------
Inside a container: the driver's libraries are not there (or no NVIDIA device file is,
or the driver lists no GPU), while the host has an NVIDIA GPU or its kernel module, as
/sys and /proc show, or while the container asks for a GPU by NVIDIA_VISIBLE_DEVICES.

Why it matters
--------------
A container sees the GPU only if it is given at the start. The runtime then mounts the
host's driver libraries and device files. Nothing that is installed in the image can
replace that: an image must not contain a driver.

How to fix
----------
Start it with `--gpus all` (docker), `--device nvidia.com/gpu=all` (podman), `--nv`
(Singularity), or a resource limit of `nvidia.com/gpu` (Kubernetes). Docker and podman
need the NVIDIA Container Toolkit on the host. `docker build` never has a GPU.

References
----------
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
- https://apptainer.org/docs/user/latest/gpu.html
- https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Container, Snapshot

_NO_GPU_ASKED = ("void", "none", "")
_LEFT_OUT = (
    state.NVML_DRIVER_NOT_LOADED,
    state.NVML_OPERATING_SYSTEM,
    state.NVML_UNKNOWN,
)


@rule(
    "FW701",
    "container-without-gpu-runtime",
    cause="container-no-gpu",
    needs=("container.kind", "driver.nvml_code"),
    explains=(
        "FW103",
        "FW106",
        "FW107",
        "FW118",
        "FW119",
        "FW125",
        "FW126",
        "FW128",
        "FW706",
    ),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """No driver in the container, and a sign that there should be one."""
    container = snapshot.container
    if container is None or state.cuda_works(snapshot) or not _lacks_gpu(snapshot):
        return
    host_has = _host_has_gpu(snapshot)
    asked = _asks(container)
    wanted = asked or _is_wanted(snapshot)
    if host_has is False or not (host_has or asked):
        return
    yield Problem(
        subject="container",
        message=_message(container, host_has=bool(host_has)),
        detail=_detail(container, is_driver_there=snapshot.driver.nvml_code == 0),
        evidence=tuple(_evidence(snapshot, container, matrices)),
        fix=fixes.start_with_gpu(snapshot),
        severity=None if wanted else "warning",
        certainty="proven" if host_has else "likely",
        blocks=state.BOTH if wanted else (),
    )


def is_left_without(snapshot: Snapshot) -> bool:
    """Whether this is a container that asked for no GPU and got none."""
    container = snapshot.container
    if container is None or container.kind is None or state.cuda_works(snapshot):
        return False
    return _lacks_gpu(snapshot) and not _asks(container)


def _lacks_gpu(snapshot: Snapshot) -> bool:
    code = snapshot.driver.nvml_code
    if code == state.NVML_LIBRARY_NOT_FOUND:
        return True
    if code == 0:
        return snapshot.gpus == () and bool(state.gpus_on_bus(snapshot))
    nodes = state.existing_nodes(snapshot)
    return code in _LEFT_OUT and nodes is not None and not nodes


def _host_has_gpu(snapshot: Snapshot) -> bool | None:
    if state.is_module_loaded(snapshot) or state.gpus_on_bus(snapshot):
        return True
    is_unknown = snapshot.pci is None or snapshot.host.is_wsl
    return None if is_unknown else False


def _asks(container: Container) -> bool:
    asked = container.nvidia_visible_devices
    return asked is not None and asked.strip() not in _NO_GPU_ASKED


def _is_wanted(snapshot: Snapshot) -> bool:
    """A build for CUDA is installed, or the container was told to have no GPU.

    With nothing but CPU builds in it, a container without a GPU is as it should be.
    """
    container, target = snapshot.container, snapshot.target
    kinds = {f.kind for f in presence.frameworks(target).values()}
    if kinds == {"cpu"}:
        return False
    if container is not None and container.nvidia_visible_devices is not None:
        return True
    return "cuda" in kinds


def _message(container: Container, *, host_has: bool) -> str:
    kind = "" if container.kind == "other" else f"{container.kind} "
    if container.kind == "kubernetes" and not _asks(container):
        return "this pod was started without a GPU: it asked for none"
    there = ", although the host has one" if host_has else ""
    return f"this {kind}container was started without the GPU{there}"


def _detail(container: Container, *, is_driver_there: bool) -> str:
    asked = container.nvidia_visible_devices
    if is_driver_there:
        state_of = "the driver is there and lists no GPU"
    else:
        state_of = "the host's driver libraries were not mounted into it"
    if asked is None:
        return state_of
    return f"NVIDIA_VISIBLE_DEVICES={asked} is set; {state_of}"


def _evidence(
    snapshot: Snapshot, container: Container, matrices: Matrices
) -> Iterator[Evidence]:
    yield state.code_evidence("nvml", snapshot.driver.nvml_code, matrices)
    if container.nvidia_visible_devices is not None:
        yield Evidence(
            fact="NVIDIA_VISIBLE_DEVICES",
            value=container.nvidia_visible_devices,
            source="container",
        )
    for device in state.gpus_on_bus(snapshot)[:1]:
        yield Evidence(
            fact="pci", value=state.device_name(device, matrices), source="pci"
        )
    if snapshot.driver.kernel_module is not None:
        yield state.version_evidence(
            "kernel_module", snapshot.driver.kernel_module, "host's kernel"
        )
