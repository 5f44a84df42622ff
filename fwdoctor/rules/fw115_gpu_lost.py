"""A GPU cannot be reached any more: it has fallen off the bus or needs a reset.

What it checks
--------------
NVML's answer to start (15, GPU is lost) and to the handle of each GPU: codes that mean
a fault of the hardware, a needed reset, or an unknown error of one GPU among others.

Why it matters
--------------
A GPU that lost its PCIe link, its power or overheated answers nothing until the machine
has been switched off. CUDA then reports «no device», «unknown error», or fails for all
GPUs because of the one. No installation mends it.

How to fix
----------
Switch the machine off and on (a warm restart is often not enough). If it comes back,
check power supply, cooling, slot and riser; then have the card replaced. Meanwhile the
other GPUs can be used by naming them in CUDA_VISIBLE_DEVICES.

References
----------
- https://docs.nvidia.com/deploy/xid-errors/
- https://docs.nvidia.com/deploy/gpu-debug-guidelines/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Gpu, Snapshot

_OFF_THE_BUS = 79  # Xid


@rule(
    "FW115",
    "gpu-lost",
    cause="hardware-fault",
    needs=("driver.nvml_code",),
    explains=("FW108", "FW116", "FW125", "FW126", "FW127", "FW132"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The whole driver or single GPUs that answer with a fault."""
    if snapshot.driver.nvml_code == state.NVML_GPU_LOST:
        yield _problem(snapshot, matrices, None, state.NVML_GPU_LOST)
    for gpu in snapshot.gpus or ():
        code = gpu.error_code
        if code is not None and _is_fault(code, matrices):
            yield _problem(snapshot, matrices, gpu, code)


def _is_fault(code: int, matrices: Matrices) -> bool:
    known = matrices.find_code("nvml", code)
    is_hardware = known is not None and known.is_hardware is True
    return is_hardware or code in (state.NVML_RESET_REQUIRED, state.NVML_UNKNOWN)


def _problem(
    snapshot: Snapshot, matrices: Matrices, gpu: Gpu | None, code: int
) -> Problem:
    known = matrices.find_code("nvml", code)
    meaning = known.meaning.rstrip(".") if known else "it answers with an error"
    meaning = meaning[:1].lower() + meaning[1:]
    works = state.cuda_works(snapshot) and gpu is not None
    index = f"GPU {gpu.index}" if gpu else "a GPU"
    name = gpu.name if gpu and gpu.name else index
    where = f" at {gpu.pci_address}" if gpu and gpu.pci_address else ""
    return Problem(
        subject=index if gpu else "driver",
        message=f"{name}{where} is not usable: {meaning} (NVML {code})",
        detail=_log(snapshot),
        evidence=(
            Evidence(
                fact=f"GPU {gpu.index}" if gpu else "nvml_code",
                value=f"{code} {known.name}" if known else str(code),
                source="nvml",
            ),
        ),
        fix=tuple(_fixes(code, gpu)),
        certainty="likely" if code == state.NVML_UNKNOWN else "proven",
        blocks=() if works else state.BOTH,
    )


def _log(snapshot: Snapshot) -> str:
    events = [x for x in snapshot.xids or () if x.code == _OFF_THE_BUS]
    if not events:
        return ""
    place = f" for {events[-1].pci_address}" if events[-1].pci_address else ""
    return f"the kernel log has Xid {_OFF_THE_BUS}{place}: off the bus"


def _fixes(code: int, gpu: Gpu | None) -> Iterator[Fix]:
    if code == state.NVML_RESET_REQUIRED and gpu is not None:
        yield Fix(
            effort="host-root",
            commands=(f"sudo nvidia-smi --gpu-reset -i {gpu.index}",),
            why="reset the GPU, once no process uses it",
            verify="nvidia-smi",
        )
    yield Fix(
        effort="hardware",
        commands=("sudo poweroff",),
        why="switch the machine off and on; if it comes back, check power, cooling and"
        " slot, then have the card replaced",
        verify="nvidia-smi",
    )
