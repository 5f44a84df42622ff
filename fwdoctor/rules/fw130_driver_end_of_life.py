"""The driver's branch gets no more updates.

What it checks
--------------
The end of life of the driver's branch against the date of the snapshot. GPUs for which
the branch is the last one are left out: there is nothing newer for them.

Why it matters
--------------
The driver goes on working. It gets no security updates and no support for newer CUDA
versions, so that the newest framework builds stop to start on it sooner or later.

How to fix
----------
Upgrade to a supported long-lived branch when it suits you.

References
----------
- https://docs.nvidia.com/datacenter/tesla/drivers/
- https://endoflife.date/nvidia
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.driver_branches import driver_branch_for
from fwdoctor.model.finding import Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW130",
    "driver-end-of-life",
    cause="driver-too-old",
    severity="info",
    needs=("driver.version", "gpus", "created_at"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The branch's end of life, if it is past."""
    driver = snapshot.driver.version
    if driver is None or not snapshot.gpus or state.has_own_driver_kind(snapshot):
        return
    os_name = presence.driver_os(snapshot)
    branch = matrices.find_driver_branch(driver, os_name=os_name)
    month = (snapshot.created_at or "")[:7]
    if branch is None or not branch.end_of_life or branch.end_of_life >= month:
        return
    better = driver_branch_for(snapshot, matrices, driver)
    if better is None or better.branch <= branch.branch:
        return
    yield Problem(
        subject="driver",
        message=f"driver branch R{branch.branch} gets no updates since"
        f" {branch.end_of_life}",
        detail=f"it goes on working; R{better.branch} is supported",
        evidence=(
            state.version_evidence(
                "driver_version", driver, snapshot.driver.version_source or ""
            ),
        ),
        fix=(fixes.driver_upgrade(snapshot, matrices, None),),
    )
