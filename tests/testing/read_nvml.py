"""Run in a child: read a fake GPU with the real nvidia-ml-py, print JSON."""

from __future__ import annotations

import json
import sys
from ctypes import byref
from typing import TYPE_CHECKING, Any

import pynvml as nv

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = (
    "Name",
    "UUID",
    "Brand",
    "Architecture",
    "MinorNumber",
    "CudaComputeCapability",
    "ComputeMode",
    "PersistenceMode",
    "MigMode",
    "MaxMigDeviceCount",
    "EccMode",
    "RemappedRows",
    "NumGpuCores",
    "RetiredPagesPendingStatus",
    "CurrentClocksThrottleReasons",
    "VirtualizationMode",
    "GspFirmwareVersion",
    "DriverModel",
    "PowerUsage",
)


def ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or the NVML code as {"error": code}."""
    try:
        return function(*arguments)
    except nv.NVMLError as error:
        return {"error": error.value}


def read_gpu(index: int) -> dict[str, Any]:
    """All that is asked of one GPU."""
    handle = ask(nv.nvmlDeviceGetHandleByIndex, index)
    if isinstance(handle, dict):
        return {"handle": handle["error"]}
    facts = {call: ask(getattr(nv, f"nvmlDeviceGet{call}"), handle) for call in CALLS}
    facts |= {
        "memory": read_memory(handle),
        "memory_v2": read_memory(handle, nv.nvmlMemory_v2),
        "pci": read_pci(handle),
        "ecc_corrected": ask(nv.nvmlDeviceGetTotalEccErrors, handle, 0, 0),
        "ecc_uncorrected": ask(nv.nvmlDeviceGetTotalEccErrors, handle, 1, 0),
        "ecc_lifetime": ask(nv.nvmlDeviceGetTotalEccErrors, handle, 1, 1),
        "retired": [len_or_error(handle, cause) for cause in (0, 1)],
        "fabric": read_fabric(handle),
        "processes": read_processes(handle),
        "mig": read_instances(handle),
        "temperature": ask(nv.nvmlDeviceGetTemperature, handle, 0),
    }
    return facts


def read_memory(handle: Any, version: int | None = None) -> Any:
    """Total, used and free bytes."""
    found = ask(nv.nvmlDeviceGetMemoryInfo, handle, version)
    return found if isinstance(found, dict) else [found.total, found.used, found.free]


def read_pci(handle: Any) -> Any:
    """Address and device identity."""
    found = ask(nv.nvmlDeviceGetPciInfo, handle)
    if isinstance(found, dict):
        return found
    return [found.busId, found.busIdLegacy, found.bus, found.pciDeviceId]


def len_or_error(handle: Any, cause: int) -> Any:
    """How many pages are retired for a cause."""
    found = ask(nv.nvmlDeviceGetRetiredPages_v2, handle, cause)
    return found if isinstance(found, dict) else len(found)


def read_fabric(handle: Any) -> Any:
    """State and status by each struct version."""
    answers = []
    for struct, function in (
        (nv.c_nvmlGpuFabricInfo_t(), nv.nvmlDeviceGetGpuFabricInfo),
        (nv.c_nvmlGpuFabricInfo_v2_t(), nv.nvmlDeviceGetGpuFabricInfoV),
        (nv.c_nvmlGpuFabricInfo_v3_t(), nv.nvmlDeviceGetGpuFabricInfoV),
    ):
        code = ask(function, handle, byref(struct))
        answers.append(
            code if isinstance(code, dict) else [struct.state, struct.status]
        )
    return answers


def read_processes(handle: Any) -> Any:
    """PID and bytes of each process."""
    found = ask(nv.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    if isinstance(found, dict):
        return found
    return [[one.pid, one.usedGpuMemory] for one in found]


def read_instances(handle: Any) -> list[Any]:
    """Name, UUID, bytes and instance number of each MIG instance."""
    found = []
    count = ask(nv.nvmlDeviceGetMaxMigDeviceCount, handle)
    for index in range(count if isinstance(count, int) else 0):
        part = ask(nv.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        if not isinstance(part, dict):
            found.append(
                [
                    nv.nvmlDeviceGetName(part),
                    nv.nvmlDeviceGetUUID(part),
                    nv.nvmlDeviceGetMemoryInfo(part).total,
                    nv.nvmlDeviceGetGpuInstanceId(part),
                    nv.nvmlDeviceIsMigDeviceHandle(part).value,
                ]
            )
    return found


def main() -> dict[str, Any]:
    """Everything, or the code nvmlInit ended with."""
    started = ask(nv.nvmlInit)
    if isinstance(started, dict):
        return {"init": started["error"]}
    count = nv.nvmlDeviceGetCount()
    branch = ask(nv.nvmlSystemGetDriverBranch)
    return {
        "init": 0,
        "driver": ask(nv.nvmlSystemGetDriverVersion),
        "library": ask(nv.nvmlSystemGetNVMLVersion),
        "cuda": ask(nv.nvmlSystemGetCudaDriverVersion),
        "cuda_v2": ask(nv.nvmlSystemGetCudaDriverVersion_v2),
        "branch": branch if isinstance(branch, dict) else branch.branch,
        "gpus": [read_gpu(index) for index in range(count)],
    }


if __name__ == "__main__":
    json.dump(main(), sys.stdout, default=bytes.decode)
