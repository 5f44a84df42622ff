"""An NVSwitch machine whose fabric is not ready: CUDA waits for the fabric manager.

What it checks
--------------
cuInit answers 802 (system not yet initialised); or CUDA does not start while the GPUs
report an NVLink fabric that is not completed. The fabric manager's state and version
are compared with the driver's.

Why it matters
--------------
HGX and DGX machines join their GPUs by NVSwitch. Until the fabric manager has set up
the switches, CUDA refuses to start on every GPU: «Error 802: system not yet
initialized». NVML and `nvidia-smi` look healthy meanwhile. The manager refuses to start
when its version is not exactly the driver's.

How to fix
----------
Install the fabric manager of exactly the driver's version, start it and enable it. On a
rented machine or in a container this is the host's matter: ask its owner. No change to
PyTorch or TensorFlow helps.

References
----------
- https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/
- https://github.com/pytorch/pytorch/issues/35710
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
    from fwdoctor.model.snapshot import Gpu, Snapshot

_UNREADY = ("not-started", "in-progress")
_SERVICE = "nvidia-fabricmanager"


@rule(
    "FW109",
    "fabric-manager-not-running",
    cause="fabric-manager",
    needs=("driver.libcuda",),
    explains=("FW126",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The code 802 of cuInit, or CUDA down with a fabric that is not ready."""
    code = state.init_code(snapshot)
    waiting = [g for g in snapshot.gpus or () if g.fabric_state in _UNREADY]
    is_not_ready = code == state.CUDA_SYSTEM_NOT_READY
    if not is_not_ready and not (waiting and code == state.CUDA_NO_DEVICE):
        return
    yield Problem(
        subject="driver",
        message=_message(snapshot, waiting),
        detail=_detail(snapshot),
        evidence=(
            state.code_evidence("cuda-driver", code, matrices),
            *_evidence(snapshot, waiting),
        ),
        fix=tuple(_fixes(snapshot)),
        blocks=state.BOTH,
    )


def _message(snapshot: Snapshot, waiting: list[Gpu]) -> str:
    manager = snapshot.driver.fabric_manager
    start = "CUDA waits for the NVLink fabric"
    if manager is not None and manager.is_installed:
        if _is_other_version(snapshot):
            driver = snapshot.driver.version
            return f"{start}: fabric manager {manager.version} on driver {driver}"
        if manager.is_running is False:
            return f"{start}: the fabric manager is installed and not running"
        if waiting:
            return f"{start}, which is {waiting[0].fabric_state} on {_count(waiting)}"
    return f"{start}: the fabric manager does not run"


def _count(waiting: list[Gpu]) -> str:
    return f"{len(waiting)} GPUs" if len(waiting) > 1 else f"GPU {waiting[0].index}"


def _is_other_version(snapshot: Snapshot) -> bool:
    manager, driver = snapshot.driver.fabric_manager, snapshot.driver.version
    return (
        manager is not None
        and manager.version is not None
        and driver is not None
        and manager.version != driver
    )


def _detail(snapshot: Snapshot) -> str:
    switches = [d for d in snapshot.pci or () if d.kind == "nvswitch"]
    plural = "s" if len(switches) > 1 else ""
    found = f"{len(switches)} NVSwitch device{plural} on the bus; " if switches else ""
    return f"{found}its version must be exactly the driver's"


def _evidence(snapshot: Snapshot, waiting: list[Gpu]) -> Iterator[Evidence]:
    manager = snapshot.driver.fabric_manager
    if manager is not None:
        running = {True: "running", False: "not running", None: "not known"}
        value = f"{manager.version or 'installed'}, {running[manager.is_running]}"
        yield Evidence(fact="fabric_manager", value=value, source="driver-files")
    for gpu in waiting[:1]:
        name = f"GPU {gpu.index} fabric"
        yield Evidence(fact=name, value=gpu.fabric_state or "", source="nvml")


def _fixes(snapshot: Snapshot) -> Iterator[Fix]:
    verify = fixes.check_command(snapshot.target)
    if state.is_in_container(snapshot):
        why = "start the fabric manager on the host, outside this container"
        yield Fix(effort="ask", why=why, verify=verify)
        return
    manager = snapshot.driver.fabric_manager
    start = f"sudo systemctl enable --now {_SERVICE}"
    is_installed = manager is not None and manager.is_installed
    if is_installed and manager is not None and manager.is_running:
        start = f"sudo systemctl restart {_SERVICE}"
    if is_installed and not _is_other_version(snapshot):
        commands: tuple[str, ...] = (start, f"sudo journalctl -u {_SERVICE} -n 50")
        why = "start the fabric manager; its log says what holds it up"
    else:
        version = snapshot.driver.version
        install = fixes.fabric_manager_package(snapshot, version)
        commands = (*install, start)
        why = f"install the fabric manager of driver {version} and start it"
    yield Fix(effort="host-root", commands=commands, why=why, verify=verify)
    why = "on a rented machine: ask the provider, or take another machine"
    yield Fix(effort="ask", why=why)
