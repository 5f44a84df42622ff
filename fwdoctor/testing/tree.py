"""The files a fake machine shows: /proc, /sys, /dev, /etc and the traces of a driver.

Each `add_` function lays out one part from a scenario. Texts follow those real systems
print; device nodes are ordinary files, because making real ones needs root.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.testing.scenario import Scenario

NVIDIA_VENDOR = 0x10DE
NOT_LOADED = 9  # the code NVML answers with when the kernel module is absent
GEFORCE_BRAND = 5
SECURE_BOOT = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
BUILD_DATE = "Thu Feb 22 01:44:30 UTC 2024"
CPU_FLAGS = "fpu sse sse2 ssse3 fma sse4_1 sse4_2 popcnt avx f16c avx2 bmi1 bmi2"


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder that stands for `/`."""

    root: Path

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file of the machine, with its folders."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        target.write_bytes(data)
        target.chmod(mode)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link; `target` is kept as given."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def folder(self, path: str) -> None:
        """Make a folder of the machine."""
        (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)


def architecture(scenario: Scenario) -> str:
    """The machine's architecture, x86_64 unless said otherwise."""
    return scenario.get("file.architecture") or "x86_64"


def kernel_release(scenario: Scenario) -> str:
    """What `uname -r` prints."""
    if scenario.get("file.wsl"):
        fallback = "5.15.153.1-microsoft-standard-WSL2"
    else:
        fallback = "6.8.0-45-generic"
    return scenario.get("file.kernel") or fallback


def kernel_module(scenario: Scenario) -> str | None:
    """The version of the loaded nvidia module, None when it is not loaded."""
    given = scenario.get("file.kernel_module")
    if given:
        return None if given == "none" else given
    absent = scenario.get("file.wsl") or scenario.is_set("file.nouveau")
    if absent or scenario.number("nvml_init") == NOT_LOADED or not scenario.gpu_count:
        return None
    return scenario.get("driver")


def pci_address(scenario: Scenario, gpu: int) -> str:
    """The PCI address of a GPU as /sys writes it: 0000:01:00.0."""
    given = scenario.get(f"gpu.{gpu}.pci") or f"0000:{gpu + 1:02x}:00.0"
    domain, bus, device = given.lower().split(":")
    device = device if "." in device else f"{device}.0"
    return f"{domain[-4:]}:{bus}:{device}"


def uuid(scenario: Scenario, gpu: int) -> str:
    """The UUID of a GPU; made up like in the C libraries when none is given."""
    given = scenario.get(f"gpu.{gpu}.uuid")
    return given or f"GPU-00000000-0000-0000-{gpu:04x}-{0:012x}"


def add_system(tree: Tree, scenario: Scenario) -> None:
    """Distribution, kernel, processor and memory."""
    _add_os_release(tree, scenario)
    release = kernel_release(scenario)
    tree.write("/proc/sys/kernel/osrelease", f"{release}\n")
    tree.write("/proc/sys/kernel/ostype", "Linux\n")
    tree.write("/proc/sys/kernel/arch", f"{architecture(scenario)}\n")
    builder = "(buildd@lcy02-amd64-075) (gcc (Ubuntu 13.2.0-23ubuntu4) 13.2.0)"
    tree.write("/proc/version", f"Linux version {release} {builder} #45-Ubuntu SMP\n")
    tree.write("/proc/1/comm", "systemd\n")
    tree.write("/etc/group", "root:x:0:\nvideo:x:44:\nrender:x:109:\n")
    tree.write("/proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet\n")
    _add_processor(tree, scenario)
    _add_memory(tree, scenario)
    if (state := scenario.get("file.secure_boot")) is not None:
        variable = b"\x06\x00\x00\x00" + bytes([int(state)])
        tree.write(f"/sys/firmware/efi/efivars/{SECURE_BOOT}", variable)


def _add_os_release(tree: Tree, scenario: Scenario) -> None:
    version = scenario.get("file.os_version") or "24.04"
    identity = scenario.get("file.os_id") or "ubuntu"
    name = scenario.get("file.os_name") or f"Ubuntu {version} LTS"
    like = scenario.get("file.os_like") or "debian"
    text = f'PRETTY_NAME="{name}"\nID={identity}\nID_LIKE="{like}"\n'
    tree.write("/usr/lib/os-release", f'{text}VERSION_ID="{version}"\n')
    tree.link("/etc/os-release", "../usr/lib/os-release")


def _add_processor(tree: Tree, scenario: Scenario) -> None:
    flags = scenario.get("file.cpu_flags") or CPU_FLAGS
    model = scenario.get("file.cpu_model") or "Intel(R) Xeon(R) Platinum 8480+"
    is_arm = architecture(scenario) == "aarch64"
    blocks = []
    for number in range(scenario.number("file.cpu_count", 8)):
        block = f"processor\t: {number}\n"
        if is_arm:
            block += "BogoMIPS\t: 62.50\nFeatures\t: fp asimd aes crc32 atomics\n"
            block += "CPU implementer\t: 0x41\n"
        else:
            block += f"vendor_id\t: GenuineIntel\nmodel name\t: {model}\n"
            block += f"flags\t\t: {flags}\n"
        blocks.append(block)
    tree.write("/proc/cpuinfo", "\n".join(blocks) + "\n")


def _add_memory(tree: Tree, scenario: Scenario) -> None:
    limits = (
        "Max locked memory         unlimited            unlimited            bytes\n"
    )
    tree.write("/proc/self/limits", limits)
    total = scenario.number("file.memory_mib", 65536)
    available = scenario.number("file.memory_available_mib", total * 3 // 4)
    lines = (
        f"MemTotal:       {total * 1024:>10} kB",
        f"MemFree:        {available * 1024 // 2:>10} kB",
        f"MemAvailable:   {available * 1024:>10} kB",
    )
    tree.write("/proc/meminfo", "\n".join(lines) + "\n")
    shared = scenario.number("file.shm_mib", total // 2)
    tree.folder("/dev/shm")  # noqa: S108 - below the tree's root
    mounts = f"shm /dev/shm tmpfs rw,nosuid,nodev,size={shared * 1024}k 0 0\n"
    tree.write("/proc/mounts", mounts)
    tree.write("/proc/self/mounts", mounts)
    if limit := scenario.number("file.memory_limit_mib"):
        tree.write("/sys/fs/cgroup/memory.max", f"{limit * 1024 * 1024}\n")


def add_pci(tree: Tree, scenario: Scenario) -> None:
    """GPUs and further devices under /sys/bus/pci."""
    no_pci = scenario.get("file.wsl") or scenario.get("file.tegra")
    if scenario.get("file.wsl"):
        address, identity = "a1b2:00:00.0", (0x1414, 0x008E)
        _add_pci_device(tree, address, identity, "030200", "dxgkrnl")
    elif not scenario.get("file.tegra"):
        _add_pci_device(tree, "0000:00:00.0", (0x8086, 0x09A2), "060000", "")
    if scenario.number("file.gpu_on_pci", 0 if no_pci else 1):
        for gpu in range(scenario.gpu_count):
            _add_gpu_on_pci(tree, scenario, gpu)
    for address, text in scenario.under("file.pci.").items():
        vendor, device, kind, driver = (*text.split(":"), "", "", "")[:4]
        _add_pci_device(tree, address, (int(vendor, 16), int(device, 16)), kind, driver)


def _add_gpu_on_pci(tree: Tree, scenario: Scenario, gpu: int) -> None:
    identity = scenario.number(f"gpu.{gpu}.pci_device_id", NVIDIA_VENDOR)
    is_display = scenario.number(f"gpu.{gpu}.brand") == GEFORCE_BRAND
    driver = "nouveau" if scenario.is_set("file.nouveau") else ""
    if kernel_module(scenario):
        driver = "nvidia"
    _add_pci_device(
        tree,
        pci_address(scenario, gpu),
        (identity & 0xFFFF, identity >> 16),
        "030000" if is_display else "030200",
        driver,
    )


def _add_pci_device(
    tree: Tree, address: str, identity: tuple[int, int], kind: str, driver: str
) -> None:
    vendor, device = identity
    place = f"/sys/devices/pci0000:00/{address}"
    tree.write(f"{place}/vendor", f"0x{vendor:04x}\n")
    tree.write(f"{place}/device", f"0x{device:04x}\n")
    tree.write(f"{place}/class", f"0x{kind or '000000'}\n")
    tree.write(f"{place}/numa_node", "-1\n")
    tree.write(
        f"{place}/uevent",
        (f"DRIVER={driver}\n" if driver else "")
        + f"PCI_CLASS={kind.lstrip('0')}\nPCI_ID={vendor:04X}:{device:04X}\n"
        + f"PCI_SLOT_NAME={address}\n",
    )
    tree.link(
        f"/sys/bus/pci/devices/{address}", f"../../../devices/pci0000:00/{address}"
    )
    if driver:
        tree.folder(f"/sys/bus/pci/drivers/{driver}")
        tree.link(f"{place}/driver", f"../../../bus/pci/drivers/{driver}")


def add_kernel_module(tree: Tree, scenario: Scenario) -> None:
    """What the loaded nvidia (or nouveau) module shows under /proc and /sys."""
    version = kernel_module(scenario)
    taint = "OE" if is_open(scenario) else "POE"
    names = scenario.words("file.modules")
    if not names and version:
        names = ("nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia")
    if not names and scenario.is_set("file.nouveau"):
        names = ("nouveau",)
    lines = ["ext4 1064960 1 - Live 0x0000000000000000"]
    for name in names:
        flags = "" if name == "nouveau" else f" ({taint})"
        lines.append(f"{name} 4943872 2 - Live 0x0000000000000000{flags}")
        tree.write(f"/sys/module/{name}/initstate", "live\n")
    tree.write("/proc/modules", "\n".join(lines) + "\n")
    if version:
        tree.write("/sys/module/nvidia/version", f"{version}\n")
        tree.write("/proc/driver/nvidia/version", _version_text(scenario, version))
        for gpu in range(scenario.gpu_count):
            _add_gpu_information(tree, scenario, gpu, version)


def is_open(scenario: Scenario) -> bool:
    """Whether the kernel module is of the open flavour."""
    return scenario.get("file.module_flavour") == "open"


def _version_text(scenario: Scenario, version: str) -> str:
    machine = architecture(scenario)
    if is_open(scenario):
        built = f"Release Build  (dvs-builder@U16-I1-N07-12-3)  {BUILD_DATE}"
        first = f"NVIDIA UNIX Open Kernel Module for {machine}  {version}  {built}"
    else:
        first = f"NVIDIA UNIX {machine} Kernel Module  {version}  {BUILD_DATE}"
    compiler = "gcc version 13.2.0 (Ubuntu 13.2.0-23ubuntu4) "
    return f"NVRM version: {first}\nGCC version:  {compiler}\n"


def _add_gpu_information(
    tree: Tree, scenario: Scenario, gpu: int, version: str
) -> None:
    address = pci_address(scenario, gpu)
    text = (
        f"Model: \t\t {scenario.get(f'gpu.{gpu}.name')}\n"
        f"IRQ:   \t\t {120 + gpu}\n"
        f"GPU UUID: \t {uuid(scenario, gpu)}\n"
        f"Bus Type: \t PCIe\n"
        f"Bus Location: \t {address}\n"
        f"Device Minor: \t {scenario.number(f'gpu.{gpu}.minor', gpu)}\n"
        f"GPU Firmware: \t {version if is_open(scenario) else 'N/A'}\n"
        "GPU Excluded:\t No\n"
    )
    tree.write(f"/proc/driver/nvidia/gpus/{address}/information", text)


def add_nodes(tree: Tree, scenario: Scenario) -> None:
    """Device nodes, as ordinary files with the mode asked for."""
    names = scenario.words("file.nodes") or _usual_nodes(scenario)
    mode = int(scenario.get("file.node_mode") or "0666", 8)
    for name in names:
        if name != "none":
            tree.write(f"/dev/{name}", "", mode)


def _usual_nodes(scenario: Scenario) -> tuple[str, ...]:
    if scenario.get("file.wsl"):
        return ("dxg",)
    if not kernel_module(scenario):
        return ()
    numbers = (
        scenario.number(f"gpu.{gpu}.minor", gpu) for gpu in range(scenario.gpu_count)
    )
    cards = tuple(f"nvidia{number}" for number in numbers)
    return ("nvidiactl", *cards, "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


def add_markers(tree: Tree, scenario: Scenario) -> None:
    """Traces of containers, WSL and Jetson."""
    container = scenario.get("file.container")
    group = {"docker": "/docker/", "podman": "/libpod-", "kubernetes": "/kubepods/"}
    path = group.get(container or "", "/")
    suffix = "0123456789abcdef" if container else ""
    tree.write("/proc/1/cgroup", f"0::{path}{suffix}\n")
    tree.write("/proc/self/cgroup", f"0::{path}{suffix}\n")
    if container == "docker":
        tree.write("/.dockerenv", "")
    elif container == "podman":
        tree.write("/run/.containerenv", 'engine="podman-4.9.3"\n')
    elif container == "kubernetes":
        secrets = "/var/run/secrets/kubernetes.io/serviceaccount"
        tree.write(f"{secrets}/namespace", "default\n")
    elif container == "singularity":
        tree.write("/.singularity.d/runscript", "#!/bin/sh\n", 0o755)
    if scenario.get("file.wsl"):
        tree.write("/proc/sys/fs/binfmt_misc/WSLInterop", "enabled\n")
    if release := scenario.get("file.tegra"):
        tree.write("/etc/nv_tegra_release", f"# {release}\n")
        tree.write("/proc/device-tree/model", b"NVIDIA Jetson AGX Orin Developer Kit\0")
        tree.write(
            "/proc/device-tree/compatible", b"nvidia,p3737-0000\0nvidia,tegra234\0"
        )


def add_mounts(tree: Tree, driver_files: tuple[str, ...]) -> None:
    """/proc/self/mountinfo of a container with these driver files mounted in."""
    lines = ["790 640 0:61 / / rw,relatime - overlay overlay rw"]
    for number, path in enumerate(driver_files, start=791):
        lines.append(f"{number} 790 8:1 {path} {path} ro,nosuid - ext4 /dev/sda1 rw")
    tree.write("/proc/self/mountinfo", "\n".join(lines) + "\n")


def add_packages(tree: Tree, scenario: Scenario) -> None:
    """DKMS trees, dpkg's status file, the fabric manager, the kernel log."""
    for item in scenario.words("file.dkms"):
        _add_dkms(tree, scenario, item)
    if not (scenario.get("file.container") or scenario.get("file.wsl")):
        _add_modules_on_disk(tree, scenario)
    stanzas = []
    for item in scenario.words("file.dpkg"):
        name, _, version = item.partition("=")
        stanzas.append(
            f"Package: {name}\nStatus: install ok installed\n"
            f"Architecture: amd64\nVersion: {version}\n"
        )
    if stanzas:
        tree.write("/var/lib/dpkg/status", "\n".join(stanzas))
    if state := scenario.get("file.fabric_manager"):
        tree.write("/usr/bin/nv-fabricmanager", "#!/bin/sh\n", 0o755)
        unit = "[Unit]\nDescription=NVIDIA fabric manager service\n"
        tree.write("/lib/systemd/system/nvidia-fabricmanager.service", unit)
        if state == "running":
            tree.write("/run/nvidia-fabricmanager/nv-fabricmanager.pid", "1234\n")
            tree.write("/proc/1234/comm", "nv-fabricmanager\n")
    log = scenario.under("file.log.")
    lines = (f"Nov 21 10:00:0{n} host kernel: [{n}.0] {t}\n" for n, t in log.items())
    if log:
        tree.write("/var/log/kern.log", "".join(lines), 0o640)


def _add_modules_on_disk(tree: Tree, scenario: Scenario) -> None:
    """The running kernel's modules; with nvidia's when it is loaded and not by DKMS."""
    folder = f"/lib/modules/{kernel_release(scenario)}"
    tree.write(f"{folder}/modules.dep", "")
    version = kernel_module(scenario)
    if version and not scenario.get("file.dkms"):
        tree.write(f"{folder}/updates/nvidia.ko", _module_file(version))


def _module_file(version: str) -> bytes:
    return b"\0version=" + version.encode() + b"\0license=NVIDIA\0"


def _add_dkms(tree: Tree, scenario: Scenario, item: str) -> None:
    """`550.54.14` is only added; `550.54.14:6.8.0-45-generic` is built for it."""
    version, _, kernel = item.partition(":")
    place = f"/var/lib/dkms/nvidia/{version}"
    tree.write(f"{place}/source/dkms.conf", f'PACKAGE_VERSION="{version}"\n')
    if kernel:
        module = _module_file(version)
        machine = architecture(scenario)
        tree.write(f"{place}/{kernel}/{machine}/module/nvidia.ko", module)
        tree.write(f"/lib/modules/{kernel}/updates/dkms/nvidia.ko", module)


def write_loader_cache(
    tree: Tree, libraries: dict[str, str], machine: str = "x86_64"
) -> None:
    """Write /etc/ld.so.cache for {soname: path}, as glibc 2.32 and newer does."""
    header, entry, flags = 48, 24, {"x86_64": 0x0303, "aarch64": 0x0A03}[machine]
    strings = b""
    entries = b""
    base = header + entry * len(libraries)
    for soname, path in sorted(libraries.items(), reverse=True):
        key = base + len(strings)
        strings += soname.encode() + b"\0"
        value = base + len(strings)
        strings += path.encode() + b"\0"
        entries += struct.pack("<iIIIQ", flags, key, value, 0, 0)
    sizes = struct.pack("<IIB3xI12x", len(libraries), len(strings), 2, 0)
    tree.write("/etc/ld.so.cache", b"glibc-ld.so.cache1.1" + sizes + entries + strings)
