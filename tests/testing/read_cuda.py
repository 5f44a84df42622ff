"""Run in a child: read the fake libcuda.so.1 with ctypes, print JSON."""

from __future__ import annotations

import json
import sys
from ctypes import (
    CDLL,
    byref,
    c_char_p,
    c_int,
    c_size_t,
    c_void_p,
    create_string_buffer,
)
from pathlib import Path
from typing import Any

CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76


def main() -> dict[str, Any]:
    """Code of cuInit, version, devices."""
    cuda = CDLL("libcuda.so.1")
    version, count, error = c_int(), c_int(), c_char_p()
    code = cuda.cuInit(0)
    cuda.cuGetErrorName(code, byref(error))
    cuda.cuDriverGetVersion(byref(version))
    count_code = cuda.cuDeviceGetCount(byref(count))
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").split()
    return {
        "init": code,
        "error": (error.value or b"").decode(),
        "version": version.value,
        "count_code": count_code,
        "file": next(word for word in maps if "libcuda.so" in word),
        "gpus": [read_gpu(cuda, number) for number in range(count.value)],
        "lookup": look_up(cuda) if hasattr(cuda, "cuGetProcAddress_v2") else {},
    }


def read_gpu(cuda: CDLL, ordinal: int) -> dict[str, Any]:
    """What one device says of itself."""
    device, memory, context = c_int(), c_size_t(), c_void_p()
    name, uuid, pci = (create_string_buffer(size) for size in (96, 16, 32))
    cuda.cuDeviceGet(byref(device), ordinal)
    cuda.cuDeviceGetName(name, 96, device)
    cuda.cuDeviceTotalMem_v2(byref(memory), device)
    if hasattr(cuda, "cuDeviceGetUuid_v2"):
        cuda.cuDeviceGetUuid_v2(uuid, device)
    cuda.cuDeviceGetPCIBusId(pci, 32, device)
    capability = []
    for attribute in (CAPABILITY_MAJOR, CAPABILITY_MINOR):
        value = c_int()
        cuda.cuDeviceGetAttribute(byref(value), attribute, device)
        capability.append(value.value)
    return {
        "name": name.value.decode(),
        "cc": capability,
        "memory": memory.value,
        "uuid": uuid.raw.hex(),
        "pci": pci.value.decode(),
        "context": cuda.cuDevicePrimaryCtxRetain(byref(context), device),
    }


def look_up(cuda: CDLL) -> dict[str, Any]:
    """Code, status and whether an address came, for two names."""
    found = {}
    for name in ("cuDeviceTotalMem", "cuLaunchKernel"):
        address, status = c_void_p(), c_int(-1)
        code = cuda.cuGetProcAddress_v2(
            name.encode(), byref(address), 12040, 0, byref(status)
        )
        found[name] = [code, status.value, address.value is not None]
    return found


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
