"""Unknown is never an alarm: a healthy machine stays so when facts are taken away."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from fwdoctor.judge import judge
from fwdoctor.model.codec import decode_snapshot
from fwdoctor.rules.causes import HARMLESS_CAUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices

DRIVER = {
    "version": "580.65.06",
    "version_source": "nvml",
    "cuda_driver_version": "13.0",
    "kernel_module": "580.65.06",
    "kernel_module_flavour": "open",
    "modules_loaded": ["nvidia", "nvidia_uvm"],
    "modules_on_disk": ["580.65.06"],
    "nvml_code": 0,
    "nvml_version": "580.65.06",
    "libcuda": {
        "path": "/usr/lib/x86_64-linux-gnu/libcuda.so.580.65.06",
        "kind": "driver",
        "version": "580.65.06",
        "init_code": 0,
        "device_count": 1,
        "cuda_driver_version": "13.0",
    },
    "fabric_manager": {
        "version": "580.65.06",
        "is_installed": True,
        "is_running": True,
    },
    "packages": [
        {
            "name": "libnvidia-compute-580",
            "version": "580.65.06-0ubuntu1",
            "manager": "dpkg",
        }
    ],
}
BARE_METAL: dict[str, Any] = {
    "schema_version": 1,
    "created_at": "2026-11-01T00:00:00Z",
    "host": {
        "os": "linux",
        "distribution_id": "ubuntu",
        "kernel": "6.8.0-45-generic",
        "machine": "x86_64",
        "libc": "glibc",
        "libc_version": "2.39",
        "secure_boot": True,
        "is_wsl": False,
        "is_tegra": False,
    },
    "driver": DRIVER,
    "pci": [
        {
            "address": "0000:01:00.0",
            "vendor": "nvidia",
            "device_id": "2330",
            "kind": "gpu",
            "kernel_driver": "nvidia",
        }
    ],
    "gpus": [
        {
            "index": 0,
            "name": "NVIDIA H100 80GB HBM3",
            "compute_capability": "9.0",
            "pci_address": "00000000:01:00.0",
            "memory_bytes": 85520809984,
            "memory_used_bytes": 578000000,
            "mig_enabled": False,
            "mig_instances": [],
            "compute_mode": "default",
            "ecc_uncorrected": 0,
            "remapping_failed": False,
            "fabric_state": "completed",
        }
    ],
    "device_nodes": [
        {"path": path, "exists": True, "mode": "crw-rw-rw-", "is_accessible": True}
        for path in ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0")
    ],
    "xids": [],
    "env_vars": {"CUDA_VISIBLE_DEVICES": "0", "CUDA_HOME": "/usr/local/cuda-12.4"},
    "toolkits": [{"path": "/usr/local/cuda-12.4", "version": "12.4"}],
    "environments": [
        {
            "prefix": "/opt/env",
            "python_version": "3.12.4",
            "is_target": True,
            "torch": {
                "version": "2.9.1",
                "package": "torch",
                "kind": "cuda",
                "cuda": "12.8",
                "source": "pypi",
                "compute_capabilities": ["7.5", "8.0", "9.0"],
            },
        }
    ],
}
CONTAINER: dict[str, Any] = {
    **BARE_METAL,
    "driver": {key: value for key, value in DRIVER.items() if key != "packages"},
    "container": {
        "kind": "docker",
        "nvidia_visible_devices": "all",
        "nvidia_driver_capabilities": "compute,utility",
        "nvidia_require_cuda": "cuda>=12.8 brand=tesla,driver>=535,driver<536",
        "has_driver_mounts": True,
    },
}
KEPT = {"schema_version", "path", "name", "version", "index", "address"}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field and list below `value` that may be taken away."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        if isinstance(key, str) and not (path and key in KEPT) and key not in KEPT:
            yield (*path, key)
        yield from _paths(inner, (*path, key))


def _without(machine: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(machine)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return changed


CASES = [
    pytest.param(machine, path, id=f"{name}-{'.'.join(map(str, path))}")
    for name, machine in (("bare-metal", BARE_METAL), ("container", CONTAINER))
    for path in _paths(machine)
    # Required fields of a record cannot be unknown.
    if path[-1] not in {"kind", "vendor", "device_id", "exists", "manager", "prefix"}
]


def _alarms(machine: dict[str, Any], matrices: Matrices) -> list[str]:
    report = judge(decode_snapshot(machine), matrices)
    assert not [o for o in report.outcomes if o.outcome == "crashed"]
    return [
        f"{finding.code}: {finding.message}"
        for finding in report.findings
        if finding.severity != "info" and finding.cause not in HARMLESS_CAUSES
    ]


@pytest.mark.parametrize("machine", [BARE_METAL, CONTAINER], ids=["metal", "container"])
def test_machine_is_healthy(machine: dict[str, Any], matrices: Matrices) -> None:
    report = judge(decode_snapshot(machine), matrices)
    assert not report.findings
    assert report.verdict == "healthy"


def test_nothing_known(matrices: Matrices) -> None:
    assert not _alarms({"schema_version": 1}, matrices)


@pytest.mark.parametrize(("machine", "path"), CASES)
def test_lost_fact_is_no_alarm(
    machine: dict[str, Any], path: tuple[Any, ...], matrices: Matrices
) -> None:
    assert not _alarms(_without(machine, path), matrices)
