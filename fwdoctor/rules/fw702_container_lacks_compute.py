"""The container got the driver's tools, but not its CUDA library.

What it checks
--------------
Inside a container: NVML works, libcuda does not open, and NVIDIA_DRIVER_CAPABILITIES
leaves out `compute`.

Why it matters
--------------
The runtime mounts the parts of the driver that the variable names. With `utility` alone
`nvidia-smi` works, and every framework says that there is no CUDA driver.

How to fix
----------
Name `compute` as well, at the start of the container or in the image.

References
----------
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
- https://github.com/NVIDIA/nvidia-container-toolkit
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

_VARIABLE = "NVIDIA_DRIVER_CAPABILITIES"
_ENOUGH = {"compute", "all"}


@rule(
    "FW702",
    "container-lacks-compute",
    cause="container-no-gpu",
    needs=("container.kind", "container.nvidia_driver_capabilities", "driver.libcuda"),
    explains=("FW106", "FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Capabilities without `compute`, and no libcuda."""
    container, libcuda = snapshot.container, state.libcuda_of(snapshot)
    if container is None or libcuda is None or libcuda.path is not None:
        return
    given = container.nvidia_driver_capabilities or ""
    names = {name.strip() for name in given.split(",")}
    if names & _ENOUGH or names <= {""} or snapshot.driver.nvml_code != 0:
        return
    wanted = ",".join(("compute", *sorted(names - {""})))
    yield Problem(
        subject="container",
        message=f"the container has no CUDA library: {_VARIABLE}={given} leaves out"
        " «compute»",
        detail="NVML works, libcuda.so.1 was not mounted",
        evidence=(
            Evidence(fact=_VARIABLE, value=given, source="container"),
            state.code_evidence("nvml", snapshot.driver.nvml_code, matrices),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=_commands(container.kind, wanted),
                why=f"set {_VARIABLE}={wanted} for the container, or in the image",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        blocks=state.BOTH,
    )


def _commands(kind: str | None, wanted: str) -> tuple[str, ...]:
    setting = f"{_VARIABLE}={wanted}"
    if kind == "docker":
        return (f"docker run --rm --gpus all -e {setting} IMAGE",)
    if kind == "podman":
        return (f"podman run --rm --device nvidia.com/gpu=all -e {setting} IMAGE",)
    return ()
