"""Asks NVML which GPUs a process uses: nvml_usage.py FOLDER-OF-PYNVML PID.

Run by fwdoctor's own interpreter in a child, because a driver may hang. Prints one JSON
object; what the driver refuses is left out.
"""

import importlib
import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional


def main():
    # type: () -> int
    """Memory of the process and utilisation, GPU by GPU."""
    sys.path.append(sys.argv[1])
    nvml = importlib.import_module("pynvml")
    pid, used = int(sys.argv[2]), []
    nvml.nvmlInit()
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            if process.pid == pid:
                used.append(
                    {
                        "gpu": index,
                        "memory_bytes": process.usedGpuMemory,
                        "utilisation": utilisation(nvml, handle),
                    }
                )
    print(json.dumps({"gpus": used}))
    return 0


def utilisation(nvml, handle):
    # type: (Any, Any) -> Optional[int]
    """How busy the GPU is, in percent."""
    try:
        return int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError:
        return None


if __name__ == "__main__":
    sys.exit(main())
