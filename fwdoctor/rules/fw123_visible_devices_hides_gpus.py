"""CUDA_VISIBLE_DEVICES hides GPUs that are there.

What it checks
--------------
The variable's entries, as CUDA reads them: from the left, and the list ends at the
first entry that names no GPU. An empty value, `-1`, `NoDevFiles` or an index that is
too high therefore hide every GPU, or all from there on. Where CUDA was asked with and
without the variable, those answers decide. A list that leaves GPUs out on purpose is no
finding; names of MIG instances belong to FW121.

Why it matters
--------------
The variable is often set in a script, a job file or an editor's settings, for another
machine. CUDA then reports «no CUDA-capable device» although `nvidia-smi`, which does
not read the variable, lists the GPU.

How to fix
----------
Unset the variable, or list GPUs that exist, counted from 0; and mend the place where it
is set. It must be set before the program starts CUDA.

References
----------
- https://docs.nvidia.com/cuda/cuda-programming-guide/
- https://developer.nvidia.com/blog/cuda-pro-tip-control-gpu-visibility-cuda_visible_devices/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot

VARIABLE = "CUDA_VISIBLE_DEVICES"
_INDEX = re.compile(r"\d{1,4}")
_IDENTIFIER = re.compile(r"(?:GPU|MIG)-.+")


@rule(
    "FW123",
    "visible-devices-hides-gpus",
    cause="visible-devices",
    needs=("env_vars",),
    explains=("FW125", "FW126"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Entries that name no GPU, and what CUDA still sees."""
    value = snapshot.env_vars.get(VARIABLE)
    if value is None or value.strip().startswith("MIG-"):
        return
    entries = [entry.strip() for entry in value.split(",")]
    total = _count_unmasked(snapshot)
    visible = _count_visible(snapshot, entries, total)
    if not total or visible is None or visible >= min(total, len(entries)):
        return  # «0,1,2,3» hides nothing where there are two
    if any(_is_seen_working(f) for f in presence.frameworks(snapshot.target).values()):
        return
    if visible and not entries[visible]:
        return  # «0,» means 0
    code = state.init_code(snapshot)
    hides_all = visible == 0
    yield Problem(
        subject=VARIABLE,
        message=f"{VARIABLE}={_shown(value)} hides {_what(total, visible)} from CUDA",
        detail=_reason(entries[visible], total),
        evidence=(
            Evidence(fact=VARIABLE, value=_shown(value), source="env-vars"),
            Evidence(fact="GPUs without it", value=str(total), source="driver"),
            *((state.code_evidence("cuda-driver", code, matrices),) if code else ()),
        ),
        fix=(_unset(snapshot),),
        severity=None if hides_all else "warning",
        blocks=state.BOTH if hides_all else (),
    )


def _is_seen_working(framework: Framework) -> bool:
    seen = presence.is_observed_working(framework) or framework.gpu_available
    return seen is True


def _count_unmasked(snapshot: Snapshot) -> int | None:
    """How many GPUs CUDA would see without the variable; None when not known."""
    libcuda = snapshot.driver.libcuda
    if libcuda is not None and libcuda.unmasked_init_code is not None:
        return libcuda.unmasked_device_count or 0
    gpus = snapshot.gpus
    if not gpus or any(g.mig_enabled or g.error_code is not None for g in gpus):
        return None
    return len(gpus)


def _count_visible(
    snapshot: Snapshot, entries: list[str], total: int | None
) -> int | None:
    """How many GPUs CUDA sees: as it said itself, or else as it reads the list."""
    libcuda = snapshot.driver.libcuda
    if libcuda is not None and libcuda.init_code == state.CUDA_NO_DEVICE:
        return 0
    if libcuda is not None and libcuda.init_code == 0:
        return libcuda.device_count
    if total is None or (libcuda is not None and libcuda.init_code is not None):
        return None  # CUDA fails for another reason
    for count, entry in enumerate(entries):
        if _IDENTIFIER.fullmatch(entry):
            return None  # identifiers are redacted in snapshots
        if not _INDEX.fullmatch(entry) or int(entry) >= total:
            return count
    return len(entries)


def _shown(value: str) -> str:
    return value if value.strip() else '""'


def _what(total: int, visible: int) -> str:
    if visible:
        return f"{total - visible} of {total} GPUs"
    return "the GPU" if total == 1 else f"all {total} GPUs"


def _reason(entry: str, total: int) -> str:
    if not entry:
        return "an empty value names no GPU"
    last = total - 1
    known = "only GPU 0 exists" if last == 0 else f"GPUs 0 to {last} exist"
    if _INDEX.fullmatch(entry) and int(entry) <= last:
        return f"CUDA stops at the entry {entry}"
    if _INDEX.fullmatch(entry):
        return f"there is no GPU {entry}, {known}; CUDA stops reading there"
    return f"{entry} names no GPU; CUDA stops reading there"


def _unset(snapshot: Snapshot) -> Fix:
    command = f"unset {VARIABLE}"
    if snapshot.host.os == "windows":
        command = f"Remove-Item Env:{VARIABLE}"
    return Fix(
        effort="environment",
        commands=(command,),
        why="unset it here, and in the script or job file that sets it",
        verify=fixes.check_command(snapshot.target),
    )
