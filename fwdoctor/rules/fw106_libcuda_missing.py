"""The driver works, but its CUDA library libcuda does not open.

What it checks
--------------
The kernel module is loaded (NVML lists the GPUs, or the module is seen), and the loader
cannot open `libcuda.so.1`. Containers without the compute capability (FW702) and WSL
(FW705) have rules of their own.

Why it matters
--------------
Drivers come in parts: a machine can have `nvidia-smi` without the CUDA part. PyTorch
then says «Found no NVIDIA driver», TensorFlow «Could not find cuda drivers».

How to fix
----------
Install the package of the driver that holds libcuda, of the same version as the rest;
or, where the file is there, tell the loader about its folder.

References
----------
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
- https://packages.debian.org/stable/libcuda1
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import LibCuda, Snapshot


@rule(
    "FW106",
    "libcuda-missing",
    cause="cuda-lib-missing",
    needs=("driver.libcuda", "driver.nvml_code"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A working driver and a libcuda that does not open."""
    libcuda = state.libcuda_of(snapshot)
    if libcuda is None or libcuda.path is not None or libcuda.load_error is None:
        return
    if state.has_own_driver_kind(snapshot):
        return
    code = snapshot.driver.nvml_code
    is_listed = bool(snapshot.gpus)  # by NVML, or by nvidia-smi that finds it itself
    is_half_installed = (
        code == state.NVML_LIBRARY_NOT_FOUND
        and bool(state.is_module_loaded(snapshot))
        and bool(state.gpus_on_bus(snapshot))
        and not state.is_in_container(snapshot)
    )
    if not is_listed and not is_half_installed:
        return
    version = snapshot.driver.version
    library = "nvcuda.dll" if snapshot.host.os == "windows" else "libcuda.so.1"
    yield Problem(
        subject="driver",
        message=f"the driver {version or 'is loaded'}"
        f"{' works' if version else ''}, but {library} does not open",
        detail=libcuda.load_error,
        evidence=(
            Evidence(fact="libcuda", value=libcuda.load_error, source="libcuda"),
            state.code_evidence("nvml", code, matrices),
        ),
        fix=tuple(_fixes(snapshot, libcuda)),
        certainty="proven" if code == 0 or is_half_installed else "likely",
        blocks=state.BOTH,
    )


def _fixes(snapshot: Snapshot, libcuda: LibCuda) -> Iterator[Fix]:
    usable = [path for path in libcuda.others if "/stubs/" not in path]
    if usable:
        folder = posixpath.dirname(usable[0])
        yield Fix(
            effort="host-root",
            commands=(
                f"echo {folder} | sudo tee /etc/ld.so.conf.d/nvidia-libcuda.conf",
                "sudo ldconfig",
            ),
            why=f"a copy lies in {folder}: tell the loader",
            verify=fixes.check_command(snapshot.target),
        )
    if state.is_in_container(snapshot):
        yield from fixes.start_with_gpu(snapshot)
        return
    version = snapshot.driver.version
    yield Fix(
        effort="host-root",
        commands=fixes.libcuda_package(snapshot, version),
        why="install the CUDA part of the driver, of the version of the rest",
        verify=fixes.check_command(snapshot.target),
    )
