"""The host: operating system, processor, memory and limits, platform, tools.

On Linux everything comes from files; what only the running process knows (C library,
shared memory, user id) is asked for the live root alone. macOS and Windows give what
Python itself knows.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import Host
from fwdoctor.probes.libc import read_libc
from fwdoctor.probes.limits import (
    parse_memlock,
    parse_memory_total,
    read_memory_limit,
    read_shared_memory,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwdoctor.probes.source import Source

OperatingSystem = Literal["linux", "windows", "macos"]

CPU_FLAGS = ("sse4_2", "avx", "avx2", "avx512f", "fma", "asimd")  # what rules ask
COMPILERS = ("gcc", "g++", "clang", "cc")
PYTHON_TOOLS = ("uv", "pip", "conda", "mamba", "micromamba", "pixi", "poetry")
SYSTEM_TOOLS = ("apt", "dnf", "yum", "zypper", "pacman")
GPU_TOOLS = ("docker", "podman", "nvidia-ctk", "nvidia-smi")
TOOLS = PYTHON_TOOLS + SYSTEM_TOOLS + GPU_TOOLS
CPUINFO_LIMIT_BYTES = 16_384  # the first processor; the kernel writes all slowly
SECURE_BOOT_VARIABLE = (
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
)
_WINDOWS_FOLDER = re.compile(r"/mnt/[a-z]/")
_COMPILER_SUFFIX = re.compile(r"-(\d+(?:\.\d+)*)$")
_LLVM_FOLDER = re.compile(r"/llvm-?(\d+(?:\.\d+)*)/")
_OS_RELEASE_LINE = re.compile(r"^[ \t]*([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
# R36 (release), REVISION: 4.0
_TEGRA_RELEASE = re.compile(r"R\d+ \(\w+\), REVISION: [\d.]+")
# Names that hypervisors put in the DMI vendor and product, lower case.
_VIRTUAL_PRODUCTS = (
    "bhyve",
    "google compute engine",
    "hvm domu",
    "kvm",
    "qemu",
    "standard pc (",
    "virtual machine",
    "virtualbox",
    "vmware",
)


class HostProbe:
    """The machine and its operating system."""

    name = "host"

    def start(self, source: Source) -> Callable[[], Host]:
        """Nothing runs; the files are read in `finish`."""
        return lambda: read_host(source)


def read_host(source: Source) -> Host:
    """Everything known about the host of `source`."""
    if source.is_live_root and sys.platform != "linux":
        return _ask_platform(source)
    return _read_linux(source)


def _read_linux(source: Source) -> Host:
    release = parse_os_release(_read_os_release(source))
    proc_version = source.find_text("/proc/version") or ""
    cpu = _read_cpu(source)
    kernel = parse_kernel(proc_version)
    libc = read_libc(source)
    shm_bytes, shm_free_bytes = read_shared_memory(source)
    is_linux = bool(release or proc_version or libc.kind)
    has_tegra, tegra_release = _read_tegra(source, kernel)
    return Host(
        os="linux" if is_linux or source.is_live_root else None,
        distribution=release.get("PRETTY_NAME") or release.get("NAME"),
        distribution_id=release.get("ID"),
        distribution_like=tuple(release.get("ID_LIKE", "").split()),
        distribution_version=release.get("VERSION_ID"),
        kernel=kernel,
        machine=_live_machine(source) or libc.machine or _kernel_machine(source),
        libc=libc.kind,
        libc_version=libc.version,
        cpu_model=cpu.model,
        cpu_flags=cpu.flags,
        cpu_count=cpu.count,
        memory_bytes=parse_memory_total(source.find_text("/proc/meminfo") or ""),
        memory_limit_bytes=read_memory_limit(source),
        shm_bytes=shm_bytes,
        shm_free_bytes=shm_free_bytes,
        memlock_bytes=parse_memlock(source.find_text("/proc/self/limits") or ""),
        is_wsl=_is_wsl(source, proc_version),
        is_tegra=has_tegra,
        tegra_release=tegra_release,
        is_virtual_machine=_is_virtual_machine(source, cpu.is_virtual),
        secure_boot=_read_secure_boot(source),
        compilers=_find_compilers(source),
        tools=_find_tools(source),
        is_root=os.geteuid() == 0 if source.is_live_root else None,
    )


def _ask_platform(source: Source) -> Host:
    import platform  # needed on macOS and Windows only

    system = parse_platform(sys.platform)
    name, version = "", ""
    if system == "macos":
        name, version = "macOS", platform.mac_ver()[0]
    elif system == "windows":
        name, version = f"Windows {platform.release()}", platform.version()
    pages = _sysconf("SC_PHYS_PAGES")
    page_bytes = _sysconf("SC_PAGE_SIZE")
    return Host(
        os=system,
        distribution=f"{name} {version}".strip() or None,
        distribution_id=system,
        distribution_version=version or None,
        kernel=platform.release() or None,
        machine=platform.machine() or None,
        cpu_count=os.cpu_count(),
        memory_bytes=pages * page_bytes if pages and page_bytes else None,
        is_wsl=False,
        is_tegra=False,
        compilers=_find_compilers(source),
        tools=_find_tools(source),
        is_root=os.geteuid() == 0 if hasattr(os, "geteuid") else None,
    )


def parse_platform(name: str) -> OperatingSystem | None:
    """The operating system that Python's `sys.platform` names."""
    if name == "darwin":
        return "macos"
    if name in ("win32", "cygwin"):
        return "windows"
    return "linux" if name.startswith("linux") else None


def _sysconf(name: str) -> int | None:
    try:
        return os.sysconf(name)
    except (AttributeError, OSError, ValueError):
        return None


def _read_os_release(source: Source) -> str:
    found = source.find_text("/etc/os-release")
    return found or source.find_text("/usr/lib/os-release") or ""


def parse_os_release(text: str) -> Mapping[str, str]:
    """Read os-release lines such as `PRETTY_NAME="Ubuntu 24.04.1 LTS"`."""
    pairs = _OS_RELEASE_LINE.findall(text)
    return {name: value.strip().strip("\"'") for name, value in pairs}


def parse_kernel(text: str) -> str | None:
    """The kernel release in /proc/version: `Linux version 6.8.0-45-generic (…`."""
    words = text.split(maxsplit=3)
    return words[2] if len(words) > 2 and words[:2] == ["Linux", "version"] else None


def _live_machine(source: Source) -> str | None:
    return os.uname().machine if source.is_live_root else None


def _kernel_machine(source: Source) -> str | None:
    return (source.find_text("/proc/sys/kernel/arch") or "").strip() or None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """What /proc/cpuinfo says about the processors."""

    model: str | None = None
    flags: tuple[str, ...] | None = None
    count: int | None = None
    is_virtual: bool | None = None


def _read_cpu(source: Source) -> Cpu:
    if not source.is_live_root:
        return parse_cpuinfo(source.find_text("/proc/cpuinfo") or "")
    try:
        text = source.read_text("/proc/cpuinfo", CPUINFO_LIMIT_BYTES)
    except (OSError, ValueError):
        text = ""
    return dataclasses.replace(parse_cpuinfo(text), count=os.cpu_count())


def parse_cpuinfo(text: str) -> Cpu:
    """Read /proc/cpuinfo; x86 has `flags`, Arm has `Features`.

    model name      : AMD EPYC 7763 64-Core Processor
    flags           : fpu vme sse4_2 avx avx2 fma hypervisor
    """
    model = re.search(r"^model name\s*:[ \t]*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(flags|Features)\s*:[ \t]*(.*)$", text, re.MULTILINE)
    words = frozenset(flags[2].split()) if flags else None
    count = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    has_flag = words is not None and "hypervisor" in words
    is_x86 = flags is not None and flags[1] == "flags"
    return Cpu(
        model=model[1].strip() or None if model else None,
        flags=None if words is None else tuple(f for f in CPU_FLAGS if f in words),
        count=count or None,
        is_virtual=has_flag if is_x86 else None,
    )


def _is_wsl(source: Source, proc_version: str) -> bool | None:
    """Whether this is WSL, or a container in it; None for an image."""
    if not proc_version:
        return True if source.exists("/dev/dxg") else None
    if is_wsl_kernel(proc_version):
        return True
    # A kernel built by its user has another name.
    folder = "/proc/sys/fs/binfmt_misc"
    marks = (f"{folder}/WSLInterop", f"{folder}/WSLInterop-late", "/usr/lib/wsl/lib")
    return any(source.exists(mark) for mark in marks)


def is_wsl_kernel(proc_version: str) -> bool:
    """Whether /proc/version names a kernel of WSL.

    Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1) …
    Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) …
    """
    kernel = (parse_kernel(proc_version) or "").lower()
    return kernel.endswith("-microsoft") or "wsl" in kernel or "-microsoft-" in kernel


def _read_tegra(source: Source, kernel: str | None) -> tuple[bool | None, str | None]:
    """Whether this is a Jetson or another Tegra, and its L4T release."""
    text = source.find_text("/etc/nv_tegra_release")
    if text is not None:
        return True, parse_tegra_release(text)
    tree = source.find_text("/proc/device-tree/compatible") or ""
    if "nvidia,tegra" in tree or (kernel or "").endswith("-tegra"):
        return True, None
    return (None if kernel is None else False), None


def parse_tegra_release(text: str) -> str | None:
    """The L4T release: `# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: …`."""
    found = _TEGRA_RELEASE.search(text)
    return found[0].rstrip(".") if found else None


def _is_virtual_machine(source: Source, has_flag: bool | None) -> bool | None:
    """The processor's flag where there is one (x86), else the DMI names."""
    if has_flag:
        return True
    folder = "/sys/class/dmi/id"
    names = [source.find_text(f"{folder}/{n}") for n in ("sys_vendor", "product_name")]
    known = " ".join(name.strip() for name in names if name)
    return is_virtual_product(known) if known else has_flag


def is_virtual_product(text: str) -> bool:
    """Whether DMI vendor and product name a hypervisor: `QEMU Standard PC (…`."""
    return any(name in text.lower() for name in _VIRTUAL_PRODUCTS)


def _read_secure_boot(source: Source) -> bool | None:
    try:
        return parse_secure_boot(source.read_bytes(SECURE_BOOT_VARIABLE, 16))
    except (OSError, ValueError):
        return None


def parse_secure_boot(content: bytes) -> bool | None:
    """The EFI variable: four bytes of attributes, then 1 for on, 0 for off."""
    return content[4] == 1 if len(content) > 4 and content[4] < 2 else None


def _find_tools(source: Source) -> tuple[str, ...]:
    searched = _without_windows_folders(source)
    return tuple(name for name in TOOLS if searched.which(name))


def _find_compilers(source: Source) -> Mapping[str, str]:
    """Compilers on PATH and their versions; "" where the file names tell none."""
    searched = _without_windows_folders(source)
    found = {}
    for name in COMPILERS:
        path = searched.which(name)
        if path is not None:
            found[name] = _compiler_version(source, path)
    return MappingProxyType(found)


def _without_windows_folders(source: Source) -> Source:
    """The source without WSL's Windows folders on PATH: each look-up there is slow."""
    path = source.env.get("PATH", "")
    folders = [f for f in path.split(os.pathsep) if not _WINDOWS_FOLDER.match(f)]
    return dataclasses.replace(source, env={"PATH": os.pathsep.join(folders)})


def _compiler_version(source: Source, path: str) -> str:
    try:
        resolved = source.resolve(path)
    except (OSError, ValueError):
        return ""
    named = parse_compiler_path(resolved)
    if named or "clang" in resolved:
        return named or ""
    prefix = resolved.rpartition("/bin/")[0]
    folders = source.list_dir(f"{prefix}/lib/gcc")
    versions = {v for f in folders for v in source.list_dir(f"{prefix}/lib/gcc/{f}")}
    numbers = [version for version in versions if version[:1].isdigit()]
    return numbers[0] if len(numbers) == 1 else ""


def parse_compiler_path(path: str) -> str | None:
    """The version in `/usr/bin/x86_64-linux-gnu-gcc-12` or `/usr/lib/llvm-14/bin/…`."""
    found = _COMPILER_SUFFIX.search(path) or _LLVM_FOLDER.search(path)
    return found[1] if found else None
