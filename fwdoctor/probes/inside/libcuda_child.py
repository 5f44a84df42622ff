"""Asks the CUDA driver library: libcuda_child.py.

Opens it by its plain name, as every framework does, and says which file that was. Run
by `fwdoctor.probes.libcuda`; imports nothing of fwdoctor.
"""

import ctypes
import os
import sys

TYPE_CHECKING = False  # importing typing for it would cost every run milliseconds
if TYPE_CHECKING:
    from typing import Any, TextIO

LIBRARY_NAME = "libcuda.so"
SUCCESS = 0
MAX_GPUS = 64
NAME_SIZE = 256
# CUdevice_attribute
INTEGRATED, PCI_BUS, PCI_DEVICE, PCI_DOMAIN, CC_MAJOR, CC_MINOR = 18, 33, 34, 50, 75, 76


def open_channel() -> "TextIO":
    """Our stdout, out of reach of native code, which may write to descriptor 1."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel


def load_library() -> "Any":
    """The driver library; raises OSError with the loader's words."""
    if sys.platform == "win32":
        return ctypes.WinDLL("nvcuda.dll")
    return ctypes.CDLL(LIBRARY_NAME + ".1")


class Cuda:
    """The library with every call announced on the channel."""

    def __init__(self, library: "Any", channel: "TextIO") -> None:
        self.library = library
        self.channel = channel

    def say(self, line: str) -> None:
        """One line to the parent, at once."""
        self.channel.write(line + "\n")
        self.channel.flush()

    def call(self, name: str, *arguments: object) -> "int | None":
        """The function's result code; None when the library lacks it."""
        self.say("call " + name)
        try:
            return int(getattr(self.library, name)(*arguments))
        except AttributeError:
            return None

    def number(self, name: str, *arguments: object) -> "int | None":
        """The whole number a function writes through its first argument."""
        found = ctypes.c_int()
        code = self.call(name, ctypes.byref(found), *arguments)
        return found.value if code == SUCCESS else None

    def attribute(self, device: int, number: int) -> "int | None":
        """One attribute of a device."""
        return self.number("cuDeviceGetAttribute", number, device)

    def describe(self, ordinal: int) -> "dict[str, object]":
        """Name, compute capability, memory and bus address of a visible device."""
        device = self.number("cuDeviceGet", ordinal)
        if device is None:
            return {"index": ordinal}
        name = ctypes.create_string_buffer(NAME_SIZE)
        memory = ctypes.c_size_t()
        gpu = {"index": ordinal}  # type: dict[str, object]
        if self.call("cuDeviceGetName", name, NAME_SIZE, device) == SUCCESS:
            gpu["name"] = name.value.decode("utf-8", "replace")
        if self.call("cuDeviceTotalMem_v2", ctypes.byref(memory), device) == SUCCESS:
            gpu["memory_bytes"] = memory.value
        major = self.attribute(device, CC_MAJOR)
        minor = self.attribute(device, CC_MINOR)
        if major is not None and minor is not None:
            gpu["compute_capability"] = f"{major}.{minor}"
        gpu["pci_address"] = self.pci_address(device)
        return gpu

    def pci_address(self, device: int) -> "str | None":
        """Address on the bus; None for a GPU that is part of the processor."""
        if self.attribute(device, INTEGRATED):
            return None
        domain = self.attribute(device, PCI_DOMAIN)
        bus = self.attribute(device, PCI_BUS)
        place = self.attribute(device, PCI_DEVICE)
        if domain is None or bus is None or place is None:
            return None
        return f"{domain:04x}:{bus:02x}:{place:02x}.0"


def loaded_path(library: "Any") -> "str | None":
    """The file that was loaded."""
    if sys.platform == "win32":
        buffer = ctypes.create_unicode_buffer(1024)
        handle = ctypes.c_void_p(library._handle)
        ctypes.windll.kernel32.GetModuleFileNameW(handle, buffer, len(buffer))
        return buffer.value or None
    try:
        with open("/proc/self/maps", errors="replace") as maps:
            names = {m[m.index("/") :].rstrip("\n") for m in maps if LIBRARY_NAME in m}
    except (OSError, ValueError):
        return None
    # On WSL a second one lies behind the first, deeper down in the driver's store.
    own = [n for n in names if os.path.basename(n).startswith(LIBRARY_NAME)]
    return min(own, key=len, default=None)


def main() -> None:
    """Ask everything and write the answer as one Python literal."""
    channel = open_channel()
    answer = {}  # type: dict[str, object]
    try:
        library = load_library()
    except OSError as error:
        answer["load_error"] = str(error)
        channel.write(ascii(answer) + "\n")
        return
    cuda = Cuda(library, channel)
    answer["path"] = loaded_path(library)
    answer["cuda"] = cuda.number("cuDriverGetVersion")
    answer["init_code"] = cuda.call("cuInit", 0)
    if answer["init_code"] == SUCCESS:
        count = cuda.number("cuDeviceGetCount")
        answer["device_count"] = count
        answer["gpus"] = [cuda.describe(i) for i in range(min(count or 0, MAX_GPUS))]
    cuda.say(ascii(answer))
    # Drivers may hang or crash while unloading, and all is said.
    os._exit(0)


if __name__ == "__main__":
    main()
