"""The kernel log holds Xid errors that point to faulty hardware.

What it checks
--------------
Xid lines since the last start whose code NVIDIA ascribes to the hardware: off the bus,
uncorrectable memory, NVLink, power management. Codes that programs cause (13, 31, 43,
45) are never counted.

Why it matters
--------------
The GPU may work again now, but wrong results, crashes and hangs of training have their
cause here, and no installation mends it.

How to fix
----------
Restart, better switch off and on; watch whether the same code comes back, then check
power, cooling and slot or have the card replaced.

References
----------
- https://docs.nvidia.com/deploy/xid-errors/
- https://docs.nvidia.com/deploy/gpu-debug-guidelines/
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW116",
    "xid-errors",
    cause="hardware-fault",
    severity="warning",
    needs=("xids",),
    explains=("FW125", "FW126", "FW127"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Hardware Xids of the log, one finding a code."""
    counts = Counter(event.code for event in snapshot.xids or ())
    fails = state.cuda_fails(snapshot)
    for code, count in sorted(counts.items()):
        known = matrices.find_code("xid", code)
        if known is None or known.is_hardware is not True:
            continue
        events = [x for x in snapshot.xids or () if x.code == code]
        places = sorted({x.pci_address for x in events if x.pci_address})
        times = f"{count} times" if count > 1 else "once"
        yield Problem(
            subject="GPU",
            message=f"the kernel log has Xid {code}"
            f"{' for ' + state.listed(places) if places else ''} {times}:"
            f" {known.meaning.rstrip('.')}",
            detail="" if fails else "CUDA starts at the moment",
            evidence=(
                Evidence(
                    fact=f"Xid {code}", value=events[-1].text, source="kernel log"
                ),
            ),
            fix=(_fix(),),
            severity="error" if fails else None,
            certainty="likely" if fails else "proven",
            blocks=state.BOTH if fails else (),
        )


def _fix() -> Fix:
    return Fix(
        effort="hardware",
        commands=("sudo dmesg | grep -i xid",),
        why="switch the machine off and on and watch whether it comes back; then check"
        " power, cooling and slot, or have the card replaced",
        verify="fwdoctor check",
    )
