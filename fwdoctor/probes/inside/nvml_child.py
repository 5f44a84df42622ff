"""Asks NVML through nvidia-ml-py: nvml_child.py FOLDER-OF-PYNVML.

Every call is optional: what a driver refuses or lacks is left out of the answer. Run by
`fwdoctor.probes.nvml`; imports nothing of fwdoctor.
"""

import ctypes
import importlib
import os
import sys

TYPE_CHECKING = False  # importing typing for it would cost every run milliseconds
if TYPE_CHECKING:
    from typing import Any, TextIO

WSL_LIBRARY = "/usr/lib/wsl/lib/libnvidia-ml.so.1"
LIBRARY_NAME = "libnvidia-ml.so"
FUNCTION_NOT_FOUND = 13
LOST = (15, 16)  # off the bus, needs a reset: true of the whole GPU, whatever was asked
UNCORRECTED, VOLATILE = 1, 0
RETIREMENT_CAUSES = (0, 1)  # several single-bit errors, one double-bit error
MAX_GPUS = 256
MAX_MIG_INSTANCES = 64


def open_channel() -> "TextIO":
    """Our stdout, out of reach of native code, which may write to descriptor 1."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel


def skip_library_search() -> None:
    """Stand in for ctypes.util: nvidia-ml-py imports it, for 13 ms, and uses nothing."""
    stand_in = type(sys)("ctypes.util")
    stand_in.find_library = lambda name: None  # type: ignore[attr-defined]
    sys.modules.setdefault("ctypes.util", stand_in)


# Our own, because older nvidia-ml-py (12.535, 12.560) declares a longer cluster id and so
# reads status and state from behind the answer.
class FabricInfo(ctypes.Structure):
    """nvmlGpuFabricInfo_t."""

    _fields_ = (
        ("cluster", ctypes.c_ubyte * 16),
        ("status", ctypes.c_int),
        ("clique", ctypes.c_uint),
        ("state", ctypes.c_ubyte),
    )


class FabricInfoV2(ctypes.Structure):
    """nvmlGpuFabricInfo_v2_t."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("cluster", ctypes.c_ubyte * 16),
        ("status", ctypes.c_int),
        ("clique", ctypes.c_uint),
        ("state", ctypes.c_ubyte),
        ("health", ctypes.c_uint),
    )


FABRIC_INFO_V2 = ctypes.sizeof(FabricInfoV2) | 2 << 24


class Nvml:
    """nvidia-ml-py with every call announced on the channel and allowed to fail."""

    def __init__(self, folder: str, channel: "TextIO") -> None:
        skip_library_search()
        sys.path.append(folder)  # last, so that nothing in it hides our own modules
        self.module = importlib.import_module("pynvml")
        self.channel = channel
        self.lost_code = None  # type: int | None
        self.refusals = (
            self.module.NVMLError,
            AttributeError,
            LookupError,
            OSError,
            TypeError,
            ValueError,
        )

    def say(self, line: str) -> None:
        """One line to the parent, at once."""
        self.channel.write(line + "\n")
        self.channel.flush()

    def ask(self, name: str, *arguments: object) -> "Any":
        """What the function answers; None when it refuses or does not exist."""
        self.say("call " + name)
        try:
            return getattr(self.module, name)(*arguments)
        except self.refusals as error:
            code = getattr(error, "value", None)
            self.lost_code = code if code in LOST else self.lost_code
            return None

    def start(self) -> int:
        """NVML's answer to initialising, 0 when it works."""
        self.say("call nvmlInit")
        try:
            self.module.nvmlInit()
        except self.module.NVMLError as error:
            code = int(error.value)
            return self.start_old() if code == FUNCTION_NOT_FOUND else code
        return 0

    def start_old(self) -> int:
        """Initialise a library from before nvmlInitWithFlags."""
        try:
            return int(self.module.nvmlLib.nvmlInit_v2())
        except AttributeError:
            return FUNCTION_NOT_FOUND

    def find_handle(self, index: int) -> "tuple[Any, int]":
        """The handle of a GPU and 0, or None and the reason's code."""
        self.say(f"call nvmlDeviceGetHandleByIndex({index})")
        try:
            return self.module.nvmlDeviceGetHandleByIndex(index), 0
        except self.module.NVMLError as error:
            return None, int(error.value)


def preload() -> "list[str]":
    """Open the library as nvidia-ml-py will, for the loader's words; WSL by path."""
    if sys.platform == "win32":
        return []
    try:
        ctypes.CDLL(LIBRARY_NAME + ".1")
    except OSError as error:
        notes = [str(error)]
    else:
        return []
    try:
        ctypes.CDLL(WSL_LIBRARY)
    except OSError:
        return notes
    return [*notes, "opened by its path: " + WSL_LIBRARY]


def mapped_path() -> "str | None":
    """The file of the library in our memory, as the kernel names it."""
    try:
        with open("/proc/self/maps", errors="replace") as maps:
            for line in maps:
                if LIBRARY_NAME in os.path.basename(line):
                    return line[line.index("/") :].rstrip("\n")
    except (OSError, ValueError):
        pass
    return None


def describe(nvml: Nvml, index: int) -> "dict[str, object]":
    """Everything one GPU tells about itself."""
    handle, code = nvml.find_handle(index)
    if code:
        return {"index": index, "error_code": code}
    nvml.lost_code = None
    gpu = {"index": index}  # type: dict[str, object]
    gpu["name"] = nvml.ask("nvmlDeviceGetName", handle)
    gpu["uuid"] = redact(nvml.ask("nvmlDeviceGetUUID", handle))
    gpu["compute_mode"] = nvml.ask("nvmlDeviceGetComputeMode", handle)
    gpu["persistence"] = nvml.ask("nvmlDeviceGetPersistenceMode", handle)
    capability = nvml.ask("nvmlDeviceGetCudaComputeCapability", handle)
    if capability:
        gpu["compute_capability"] = "{}.{}".format(*capability)
    for describe_part in (add_pci, add_memory, add_mig, add_health, add_fabric):
        describe_part(nvml, handle, gpu)
    gpu["error_code"] = nvml.lost_code
    return gpu


def redact(uuid: "str | None") -> "str | None":
    """A UUID of which only kind and last four digits are left."""
    if not uuid:
        return None
    return uuid.partition("-")[0] + "-\u2026" + uuid[-4:]


def add_pci(nvml: Nvml, handle: "Any", gpu: "dict[str, object]") -> None:
    """Address on the bus and device id."""
    pci = nvml.ask("nvmlDeviceGetPciInfo", handle)
    if pci is None:
        return
    gpu["pci_address"] = f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0"
    gpu["pci_device_id"] = f"{pci.pciDeviceId >> 16:04x}"


def add_memory(nvml: Nvml, handle: "Any", gpu: "dict[str, object]") -> None:
    """Memory; version 2 of the call leaves what the driver reserves out of `used`."""
    version = getattr(nvml.module, "nvmlMemory_v2", None)
    memory = nvml.ask("nvmlDeviceGetMemoryInfo", handle, version) if version else None
    memory = memory or nvml.ask("nvmlDeviceGetMemoryInfo", handle)
    if memory is not None:
        gpu["memory_bytes"] = int(memory.total)
        gpu["memory_used_bytes"] = int(memory.used)


def add_mig(nvml: Nvml, handle: "Any", gpu: "dict[str, object]") -> None:
    """MIG mode and, where it is on, the instances."""
    mode = nvml.ask("nvmlDeviceGetMigMode", handle)
    if mode is None:
        return
    gpu["mig_enabled"] = int(mode[0])
    if not mode[0]:
        return
    count = nvml.ask("nvmlDeviceGetMaxMigDeviceCount", handle)
    if count is None:
        return
    places = range(min(int(count), MAX_MIG_INSTANCES))
    parts = [nvml.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, i) for i in places]
    gpu["mig_instances"] = [describe_mig(nvml, part) for part in parts if part]


def describe_mig(nvml: Nvml, handle: "Any") -> "dict[str, object]":
    """Name and memory of one MIG instance."""
    memory = nvml.ask("nvmlDeviceGetMemoryInfo", handle)
    return {
        "name": nvml.ask("nvmlDeviceGetName", handle),
        "memory_bytes": None if memory is None else int(memory.total),
    }


def add_health(nvml: Nvml, handle: "Any", gpu: "dict[str, object]") -> None:
    """ECC, retired pages (up to Volta) and remapped rows (from Ampere)."""
    ecc = nvml.ask("nvmlDeviceGetEccMode", handle)
    if ecc is not None:
        gpu["ecc_enabled"] = int(ecc[0])
        gpu["ecc_uncorrected"] = nvml.ask(
            "nvmlDeviceGetTotalEccErrors", handle, UNCORRECTED, VOLATILE
        )
    causes = [
        nvml.ask("nvmlDeviceGetRetiredPages", handle, c) for c in RETIREMENT_CAUSES
    ]
    if any(pages is not None for pages in causes):
        gpu["retired_pages"] = sum(len(pages or ()) for pages in causes)
        gpu["retirement_pending"] = nvml.ask(
            "nvmlDeviceGetRetiredPagesPendingStatus", handle
        )
    rows = nvml.ask("nvmlDeviceGetRemappedRows", handle)
    if rows is not None:
        gpu["remapped_rows"] = int(rows[0]) + int(rows[1])
        gpu["remapping_pending"] = int(rows[2])
        gpu["remapping_failed"] = int(rows[3])


def add_fabric(nvml: Nvml, handle: "Any", gpu: "dict[str, object]") -> None:
    """State of the NVSwitch fabric as this GPU sees it."""
    newer, older = FabricInfoV2(version=FABRIC_INFO_V2), FabricInfo()
    for function, info in (
        ("nvmlDeviceGetGpuFabricInfoV", newer),
        ("nvmlDeviceGetGpuFabricInfo", older),
    ):
        if nvml.ask(function, handle, ctypes.byref(info)) is not None:
            gpu["fabric_state"] = info.state
            gpu["fabric_status"] = info.status
            return


def main() -> None:
    """Ask everything and write the answer as one Python literal."""
    channel = open_channel()
    notes = preload()
    nvml = Nvml(sys.argv[1], channel)
    answer = {"code": nvml.start(), "notes": notes}  # type: dict[str, object]
    answer["path"] = mapped_path()
    answer["nvml_version"] = nvml.ask("nvmlSystemGetNVMLVersion")
    if answer["code"] == 0:
        answer["driver_version"] = nvml.ask("nvmlSystemGetDriverVersion")
        cuda = nvml.ask("nvmlSystemGetCudaDriverVersion_v2")
        answer["cuda"] = cuda or nvml.ask("nvmlSystemGetCudaDriverVersion")
        count = nvml.ask("nvmlDeviceGetCount")
        if count is not None:
            answer["gpus"] = [describe(nvml, i) for i in range(min(count, MAX_GPUS))]
    nvml.say(ascii(answer))
    # Drivers may hang or crash while unloading, and all is said.
    os._exit(0)


if __name__ == "__main__":
    main()
