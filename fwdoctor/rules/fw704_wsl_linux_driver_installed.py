"""A Linux NVIDIA driver is installed inside WSL, where the Windows driver belongs.

What it checks
--------------
Under WSL: driver packages in the Linux distribution, or a libcuda that comes from
elsewhere than /usr/lib/wsl/lib.

Why it matters
--------------
In WSL the driver is the Windows one, and WSL mounts its libcuda in /usr/lib/wsl/lib. A
Linux driver puts another libcuda in front of it, which finds no device. Packages such
as `cuda` or `cuda-drivers` bring it along; `cuda-toolkit` does not.

How to fix
----------
Remove the Linux driver packages and restart WSL. The toolkit, if it is needed, comes
from the package `cuda-toolkit` alone.

References
----------
- https://docs.nvidia.com/cuda/wsl-user-guide/
- https://learn.microsoft.com/windows/wsl/tutorials/gpu-compute
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


@rule(
    "FW704",
    "wsl-linux-driver-installed",
    cause="wsl-specific",
    needs=("host.is_wsl",),
    explains=("FW105", "FW125", "FW126", "FW705"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Linux driver packages or a foreign libcuda under WSL."""
    if not snapshot.host.is_wsl or state.is_in_container(snapshot):
        return
    libcuda = state.libcuda_of(snapshot)
    path = libcuda.path if libcuda and libcuda.kind == "driver" else None
    packages = state.driver_packages(snapshot)
    if path is None and not packages:
        return
    works = state.cuda_works(snapshot)
    code = state.init_code(snapshot)
    what = packages[0].name if packages else path
    yield Problem(
        subject="driver",
        message=f"a Linux NVIDIA driver is installed inside WSL ({what})",
        detail="CUDA works all the same"
        if works
        else f"{path or 'it'} stands in front of the Windows driver's libcuda",
        evidence=(
            *(
                (Evidence(fact="libcuda", value=path, source="libcuda"),)
                if path
                else ()
            ),
            *(
                Evidence(
                    fact="package", value=f"{p.name} {p.version}", source=p.manager
                )
                for p in packages[:3]
            ),
            *((state.code_evidence("cuda-driver", code, matrices),) if code else ()),
        ),
        fix=(
            Fix(
                effort="host-root",
                commands=(
                    *fixes.remove_packages(snapshot, [p.name for p in packages]),
                    "sudo ldconfig",
                    "wsl.exe --shutdown",
                ),
                why="remove the Linux driver; WSL takes the Windows one",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        severity="info" if works else None,
        certainty="proven" if path else "likely",
        blocks=() if works else state.BOTH,
    )
