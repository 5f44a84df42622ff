"""The driver hangs, or its library crashes, when it is asked.

What it checks
--------------
The child processes that asked NVML and libcuda: whether one met its deadline without an
answer, or was killed by a signal. The call it happened in is named.

Why it matters
--------------
`nvidia-smi`, PyTorch and TensorFlow make the same calls and hang or crash in the same
place, without a message. The driver, or a GPU under it, is in a bad state.

How to fix
----------
Look at the kernel log for Xid and NVRM lines, then restart; processes stuck in the
driver cannot be ended otherwise. If it comes back after that, suspect the hardware.
Where only NVML fails and CUDA sees the GPU, it is a warning.

References
----------
- https://docs.nvidia.com/deploy/xid-errors/
- https://docs.nvidia.com/deploy/gpu-debug-guidelines/
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
    from fwdoctor.model.snapshot import ProbeReport, Snapshot

_NATIVE = {"nvml": "NVML", "libcuda": "libcuda"}
_SIGNAL = "killed by SIG"


@rule("FW127", "driver-does-not-answer", cause="uvm-or-suspend")
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The first native probe that hung or crashed."""
    del matrices
    if not state.has_gpu_to_use(snapshot):
        return
    reports = [snapshot.find_probe(name) for name in _NATIVE]
    bad = [report for report in reports if report is not None and _is_bad(report)]
    if not bad:
        return
    first = bad[0]
    happened = "does not answer" if first.status == "timeout" else "crashes"
    works = _cuda_lists_gpus(snapshot)
    seen = "; CUDA itself starts and sees the GPU" if works else ""
    yield Problem(
        subject="driver",
        message=f"the driver {happened} when {_NATIVE[first.name]} asks it",
        detail=f"{first.reason}{seen}",
        evidence=tuple(
            Evidence(fact=_NATIVE[report.name], value=report.reason, source="probes")
            for report in bad
        ),
        fix=(
            Fix(
                effort="host-root",
                commands=("sudo dmesg | grep -iE 'xid|nvrm'",),
                why="see what the kernel module says about the GPU",
            ),
            fixes.reboot("start the driver anew; suspect the hardware if it returns"),
        ),
        severity="warning" if works else None,
        certainty="likely",
        blocks=() if works else state.BOTH,
    )


def _cuda_lists_gpus(snapshot: Snapshot) -> bool:
    libcuda = snapshot.driver.libcuda
    return libcuda is not None and libcuda.init_code == 0 and bool(libcuda.device_count)


def _is_bad(report: ProbeReport) -> bool:
    return report.status == "timeout" or (
        report.status == "error" and _SIGNAL in report.reason
    )
