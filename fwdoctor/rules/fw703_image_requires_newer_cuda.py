"""The image says that it needs a newer driver than the host has.

What it checks
--------------
NVIDIA_REQUIRE_CUDA of the image: alternatives separated by spaces, each a list of
conditions on `cuda` and `driver` separated by commas. A condition on brand or
architecture counts as unknown, and unknown is silent. So is an image whose demand was
waived by NVIDIA_DISABLE_REQUIRE.

Why it matters
--------------
NVIDIA's images name the CUDA version they hold, and the runtime refuses to start them
on older drivers («unsatisfied condition: cuda>=…»). Where they were started all the
same, builds of the same CUDA major run by minor-version compatibility; builds of a
newer major do not.

How to fix
----------
Take an image for a CUDA that the driver speaks, or upgrade the host's driver.

References
----------
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
- https://docs.nvidia.com/deploy/cuda-compatibility/
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.versions import DriverVersion

_VARIABLE = "NVIDIA_REQUIRE_CUDA"
_CONDITION = re.compile(r"(cuda|driver)(>=|<=|!=|>|<|=)([\d.]{1,20})")
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}
_YES = ("1", "true", "yes")


@rule(
    "FW703",
    "image-requires-newer-cuda",
    cause="driver-too-old",
    severity="warning",
    needs=("container.nvidia_require_cuda", "driver.version"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The image's demand against the driver of the host."""
    container, driver = snapshot.container, snapshot.driver.version
    required = (container.nvidia_require_cuda if container else None) or ""
    if driver is None or not required or _is_waived(snapshot):
        return
    os_name = presence.driver_os(snapshot)
    speaks = presence.driver_cuda(snapshot) or compat.driver_speaks(
        driver, matrices, os_name=os_name
    )
    if is_satisfied(required, speaks, driver) is not False:
        return
    wanted = _wanted_cuda(required)
    if wanted is None or speaks is None or wanted <= speaks:
        return
    verdict = compat.driver_runs(
        wanted, matrices, driver=driver, driver_cuda=speaks, os_name=os_name
    )
    runs = verdict.ok is True
    yield Problem(
        subject="container",
        message=f"the image is made for CUDA {wanted}, and driver {driver} speaks"
        f" CUDA {speaks}",
        detail=f"{verdict.reason}; code compiled at run time needs CUDA {wanted}"
        if runs
        else verdict.reason,
        evidence=(
            Evidence(fact=_VARIABLE, value=required, source="container"),
            state.version_evidence(
                "driver_version", driver, snapshot.driver.version_source or ""
            ),
        ),
        fix=(
            fixes.driver_upgrade(
                snapshot,
                matrices,
                compat.least_driver(wanted, matrices, os_name=os_name),
            ),
        ),
        severity="info" if runs else None,
    )


def _is_waived(snapshot: Snapshot) -> bool:
    value = snapshot.env_vars.get("NVIDIA_DISABLE_REQUIRE", "")
    return value.strip().lower() in _YES


def _wanted_cuda(required: str) -> CudaVersion | None:
    """The CUDA version the image was made for: the first `cuda>=`."""
    for name, sign, number in _CONDITION.findall(required):
        if name == "cuda" and sign == ">=" and number.count(".") == 1:
            return CudaVersion.parse(number)
    return None


def is_satisfied(
    required: str, cuda: CudaVersion | None, driver: DriverVersion
) -> bool | None:
    """Whether one alternative holds; None when that hangs on an unknown."""
    answers = [_holds(words, cuda, driver) for words in required.split()]
    if True in answers:
        return True
    return None if None in answers else False


def _holds(
    alternative: str, cuda: CudaVersion | None, driver: DriverVersion
) -> bool | None:
    """Every condition of one alternative; a False outweighs an unknown."""
    answers: list[bool | None] = []
    for condition in alternative.split(","):
        found = _CONDITION.fullmatch(condition.strip())
        have = _numbers_of(found[1], cuda, driver) if found else None
        if found is None or have is None:
            answers.append(None)
            continue
        want = tuple(int(part) for part in found[3].split(".") if part)
        answers.append(_COMPARE[found[2]](have[: len(want)], want))
    if False in answers:
        return False
    return None if None in answers else True


def _numbers_of(
    name: str, cuda: CudaVersion | None, driver: DriverVersion
) -> tuple[int, ...] | None:
    if name == "driver":
        return driver.parts
    return (cuda.major, cuda.minor) if cuda else None
