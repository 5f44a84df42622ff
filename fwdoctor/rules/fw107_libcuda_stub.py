"""The loader takes the CUDA toolkit's stub libcuda instead of the driver's.

What it checks
--------------
The first libcuda the loader finds is a stub: it lies in a `stubs` folder, or cuInit
answers CUDA_ERROR_STUB_LIBRARY (34).

Why it matters
--------------
The toolkit ships an empty libcuda so that programs can be linked on machines without a
driver. Found at run time, in front of the real one, it answers every call with an
error, and no framework finds a GPU.

How to fix
----------
Take the stubs folder out of LD_LIBRARY_PATH, or out of the loader's configuration in an
image. It is needed while building only.

References
----------
- https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
- https://docs.nvidia.com/cuda/cuda-installation-guide-linux/
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW107",
    "libcuda-stub",
    cause="cuda-lib-conflict",
    needs=("driver.libcuda",),
    explains=("FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A stub first on the loader's path, on a machine with a GPU."""
    libcuda = state.libcuda_of(snapshot)
    if libcuda is None or presence.has_nvidia_gpu(snapshot) is not True:
        return
    is_stub = libcuda.kind == "stub" or libcuda.init_code == state.CUDA_STUB
    if not is_stub or state.cuda_works(snapshot):
        return
    place = libcuda.path or "a stub"
    yield Problem(
        subject="driver",
        message=f"the loader takes the CUDA toolkit's stub libcuda ({place}),"
        " not the driver's",
        detail="a stub is for linking only: every call to it fails",
        evidence=(
            Evidence(fact="libcuda", value=place, source="libcuda"),
            state.code_evidence("cuda-driver", libcuda.init_code, matrices),
        ),
        fix=(_fix(snapshot, libcuda.path),),
        blocks=state.BOTH,
    )


def _fix(snapshot: Snapshot, path: str | None) -> Fix:
    verify = fixes.check_command(snapshot.target)
    value = snapshot.env_vars.get("LD_LIBRARY_PATH", "")
    folders = [folder for folder in value.split(":") if _is_stubs(folder, path)]
    if folders:
        return Fix(
            effort="environment",
            commands=(fixes.without_folders(value, folders),),
            why=f"take {folders[0]} out of LD_LIBRARY_PATH, here and where it is set",
            verify=verify,
        )
    return Fix(
        effort="host-root",
        commands=("grep -rn stubs /etc/ld.so.conf /etc/ld.so.conf.d", "sudo ldconfig"),
        why="take the line that names the stubs folder out of the file that grep shows,"
        " then renew the loader's cache",
        verify=verify,
    )


def _is_stubs(folder: str, path: str | None) -> bool:
    plain = folder.rstrip("/")
    return plain.endswith("/stubs") or (
        path is not None and plain == posixpath.dirname(path)
    )
