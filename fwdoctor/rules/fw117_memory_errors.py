"""A GPU reports uncorrectable memory errors, or memory that waits to be replaced.

What it checks
--------------
NVML's ECC counter of uncorrected errors since the last reset, pages waiting to be
retired, rows waiting to be remapped, and rows that could not be remapped.

Why it matters
--------------
Data-centre GPUs replace damaged memory by spare rows or pages at the next reset. Until
then programs can die with «uncorrectable ECC error encountered». A failed remapping
means that the spare rows are used up.

How to fix
----------
Reset the GPU or restart the machine, so that pending replacements take effect. Where
remapping failed or errors return, have the GPU replaced.

References
----------
- https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/
- https://docs.nvidia.com/deploy/dynamic-page-retirement/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Gpu, Snapshot


@rule(
    "FW117",
    "memory-errors",
    cause="hardware-fault",
    severity="warning",
    needs=("gpus",),
    explains=("FW116",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each GPU's counters of memory errors."""
    del matrices
    for gpu in snapshot.gpus or ():
        fault = _fault(gpu)
        if fault is None:
            continue
        fact, value, words = fault
        yield Problem(
            subject=f"GPU {gpu.index}",
            message=f"{gpu.name or 'the GPU'} {words}",
            evidence=(
                Evidence(fact=f"GPU {gpu.index} {fact}", value=value, source="nvml"),
            ),
            fix=(_fix(gpu),),
            severity="error" if gpu.remapping_failed else None,
        )


def _fault(gpu: Gpu) -> tuple[str, str, str] | None:
    """The gravest of its memory faults: fact, value, and in words."""
    if gpu.remapping_failed:
        return (
            "remapping_failed",
            "yes",
            "could not remap a damaged memory row: its spare rows are used up",
        )
    if gpu.ecc_uncorrected:
        count = gpu.ecc_uncorrected
        plural = "s" if count > 1 else ""
        words = f"counted {count} uncorrectable memory error{plural} since its reset"
        return "ecc_uncorrected", str(count), words
    if gpu.remapping_pending:
        words = "has a damaged memory row that is remapped at the next reset"
        return "remapping_pending", "yes", words
    if gpu.retirement_pending:
        words = "has memory pages that are retired at the next restart"
        return "retirement_pending", "yes", words
    return None


def _fix(gpu: Gpu) -> Fix:
    if gpu.remapping_failed:
        why = "have the GPU replaced; the vendor wants the output of this command"
        return Fix(effort="hardware", commands=("nvidia-bug-report.sh",), why=why)
    if gpu.retirement_pending:
        return Fix(
            effort="reboot",
            commands=("sudo reboot",),
            why="restart, so that the damaged pages are left out",
            verify=f"nvidia-smi -q -d PAGE_RETIREMENT -i {gpu.index}",
        )
    return Fix(
        effort="host-root",
        commands=(f"sudo nvidia-smi --gpu-reset -i {gpu.index}",),
        why="reset the GPU once no process uses it, and watch the counter; have it"
        " replaced if it goes up again",
        verify=f"nvidia-smi -q -d ECC,ROW_REMAPPER -i {gpu.index}",
    )
