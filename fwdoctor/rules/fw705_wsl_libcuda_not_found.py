"""Under WSL the loader does not find the Windows driver's libcuda.

What it checks
--------------
WSL with GPU support (`/dev/dxg`), a libcuda in /usr/lib/wsl/lib, and a loader that does
not open it by its name.

Why it matters
--------------
WSL writes that folder into the loader's configuration when it starts. A distribution
whose configuration was rewritten, an old cache or a WSL without automatic configuration
lack it, and every framework says that there is no driver.

How to fix
----------
Add the folder to the loader's configuration, or to LD_LIBRARY_PATH.

References
----------
- https://docs.nvidia.com/cuda/wsl-user-guide/
- https://learn.microsoft.com/windows/wsl/wsl-config
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

_FOLDER = "/usr/lib/wsl/lib"
_EXPORT = f'export LD_LIBRARY_PATH="{_FOLDER}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"'


@rule(
    "FW705",
    "wsl-libcuda-not-found",
    cause="wsl-specific",
    needs=("host.is_wsl", "driver.libcuda"),
    explains=("FW106",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A libcuda of Windows that is there and not found."""
    del matrices
    libcuda = state.libcuda_of(snapshot)
    if not snapshot.host.is_wsl or libcuda is None or libcuda.path is not None:
        return
    copies = [path for path in libcuda.others if path.startswith("/usr/lib/wsl/")]
    if not copies or state.is_in_container(snapshot):
        return
    yield Problem(
        subject="driver",
        message=f"the loader does not find the Windows driver's libcuda in {_FOLDER}",
        detail=libcuda.load_error or "",
        evidence=(Evidence(fact="libcuda", value=copies[0], source="libcuda"),),
        fix=(
            Fix(
                effort="environment",
                commands=(_EXPORT,),
                why="show this shell the folder",
                verify=fixes.check_command(snapshot.target),
            ),
            Fix(
                effort="host-root",
                commands=(
                    f"echo {_FOLDER} | sudo tee /etc/ld.so.conf.d/ld.wsl.conf",
                    "sudo ldconfig",
                ),
                why="tell the loader for good",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        blocks=state.BOTH,
    )
