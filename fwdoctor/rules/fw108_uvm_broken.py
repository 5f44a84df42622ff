"""CUDA fails with an unknown error: the nvidia_uvm module is absent or broken.

What it checks
--------------
cuInit answers 999 (unknown error), or NVML itself does, while the driver is installed
and of one version. Whether the module nvidia_uvm is loaded and `/dev/nvidia-uvm` is
there makes it certain.

Why it matters
--------------
CUDA reaches memory through nvidia_uvm. After a suspend with a CUDA program alive, the
module can stay in a broken state: `nvidia-smi` looks healthy, while PyTorch says «CUDA
unknown error» and TensorFlow `CUDA_ERROR_UNKNOWN`.

How to fix
----------
End the programs that use the GPU, then unload and load nvidia_uvm; if that is refused,
restart. To keep it from coming back, let the driver save video memory at suspend
(`NVreg_PreserveVideoMemoryAllocations=1` with nvidia-suspend.service).

References
----------
- https://wiki.archlinux.org/title/NVIDIA/Tips_and_tricks
- https://discuss.pytorch.org/t/cuda-fails-to-reinitialize-after-system-suspend/158108
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

_NODE = "/dev/nvidia-uvm"


@rule(
    "FW108",
    "uvm-broken",
    cause="uvm-or-suspend",
    needs=("driver.nvml_code",),
    explains=("FW125", "FW126"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The unknown error of cuInit or NVML, and what nvidia_uvm looks like."""
    nvml, cuda = snapshot.driver.nvml_code, state.init_code(snapshot)
    if state.has_own_driver_kind(snapshot) or state.is_in_container(snapshot):
        return  # their nvidia_uvm is not ours to reload: FW118, FW119, FW126
    missing = _missing(snapshot)
    is_unknown = state.NVML_UNKNOWN in (nvml, cuda)
    if not is_unknown and not (missing and nvml == 0 and state.cuda_fails(snapshot)):
        return
    if cuda == 0 or nvml not in (0, state.NVML_UNKNOWN):
        return
    who, code = ("cuInit", cuda) if nvml == 0 else ("NVML", nvml)
    because = f": {missing}" if missing else ""
    yield Problem(
        subject="driver",
        message=f"{who} fails with {code} although the driver is installed{because}",
        detail="the nvidia_uvm module is not usable; this often follows a suspend",
        evidence=tuple(_evidence(snapshot, matrices)),
        fix=(*_fixes(snapshot),),
        certainty="proven" if cuda == state.CUDA_UNKNOWN or missing else "likely",
        blocks=state.BOTH,
    )


def _missing(snapshot: Snapshot) -> str:
    loaded = snapshot.driver.modules_loaded
    if loaded is not None and "nvidia" in loaded and "nvidia_uvm" not in loaded:
        return "the module nvidia_uvm is not loaded"
    nodes = state.existing_nodes(snapshot)
    if nodes and _NODE not in nodes:
        return f"{_NODE} is not there"
    return ""


def _evidence(snapshot: Snapshot, matrices: Matrices) -> Iterator[Evidence]:
    driver = snapshot.driver
    yield state.code_evidence("nvml", driver.nvml_code, matrices)
    if driver.libcuda is not None:
        yield state.code_evidence("cuda-driver", driver.libcuda.init_code, matrices)
    if driver.modules_loaded is not None:
        names = ", ".join(driver.modules_loaded)
        yield Evidence(fact="modules_loaded", value=names, source="/proc/modules")


def _fixes(snapshot: Snapshot) -> Iterator[Fix]:
    verify = fixes.check_command(snapshot.target)
    if _missing(snapshot):
        yield Fix(
            effort="host-root",
            commands=("sudo modprobe nvidia_uvm", "sudo nvidia-modprobe -u -c=0"),
            why="load nvidia_uvm and make its device node",
            verify=verify,
        )
    else:
        why = "end the programs that use the GPU, then load nvidia_uvm anew"
        yield fixes.reload_module("nvidia_uvm", why)
    yield fixes.reboot("restart, if the module is in use")
