"""A container under WSL got only a part of a newer Windows driver.

What it checks
--------------
Inside a container under WSL: cuInit answers 500 (named symbol not found) while NVML or
libcuda is there.

Why it matters
--------------
Newer Windows drivers split their libraries into more files. A container runtime from
before that mounts the old ones only, and CUDA stops at a symbol that is in a file which
is not there. PyTorch says «named symbol not found», TensorFlow finds no GPU, while
`nvidia-smi` works.

How to fix
----------
Update Docker Desktop, or the NVIDIA Container Toolkit where docker runs inside WSL, and
start the container anew.

References
----------
- https://github.com/NVIDIA/nvidia-container-toolkit/issues/520
- https://docs.nvidia.com/cuda/wsl-user-guide/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_SYMBOL_NOT_FOUND = 500


def is_old_wsl_runtime(snapshot: Snapshot) -> bool:
    """The unknown symbol of a container under WSL."""
    return (
        snapshot.host.is_wsl is True
        and state.is_in_container(snapshot)
        and state.init_code(snapshot) == _SYMBOL_NOT_FOUND
    )


@rule(
    "FW711",
    "wsl-container-runtime-old",
    cause="wsl-specific",
    needs=("host.is_wsl", "container.kind", "driver.libcuda.init_code"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The code 500 of cuInit in a container under WSL."""
    if not is_old_wsl_runtime(snapshot):
        return
    version = snapshot.driver.version
    driver = f" of driver {version}" if version else ""
    yield Problem(
        subject="container",
        message=f"the container under WSL has only a part of the libraries{driver}",
        detail="the container runtime is older than the Windows driver",
        evidence=(
            state.code_evidence("cuda-driver", state.init_code(snapshot), matrices),
        ),
        fix=(
            Fix(
                effort="host-root",
                commands=("winget upgrade Docker.DockerDesktop",),
                why="update Docker Desktop, then start the container anew",
                verify=fixes.check_command(snapshot.target),
            ),
            Fix(
                effort="host-root",
                commands=("sudo apt install --only-upgrade nvidia-container-toolkit",),
                why="where docker runs inside WSL: update the container toolkit",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        blocks=state.BOTH,
    )
