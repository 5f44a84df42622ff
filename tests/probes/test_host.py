"""The host probe on small machines, and its parsers on samples and on noise."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import Host
from fwdoctor.probes import host, libc, limits
from fwdoctor.probes.host import HostProbe
from fwdoctor.probes.source import live_source

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource

UBUNTU = """PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
ID=ubuntu
ID_LIKE=debian
"""
ALPINE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\n'
VERSION = "Linux version 6.8.0-45-generic (buildd@lcy02) (x86_64-linux-gnu-gcc-13)"
WSL_VERSION = "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1)"
CPUINFO = """processor\t: 0
model name\t: AMD EPYC 7763 64-Core Processor
flags\t\t: fpu vme sse4_2 avx avx2 fma{more}

processor\t: 1
model name\t: AMD EPYC 7763 64-Core Processor
"""
GLIBC = b"\0GNU C Library (Ubuntu GLIBC 2.39-0ubuntu8.3) stable release version 2.39.\n"
ELF_AARCH64 = b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little")
SECURE_BOOT = host.SECURE_BOOT_VARIABLE


def test_an_ubuntu_host(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/etc/os-release": "-> ../usr/lib/os-release",
            "/usr/lib/os-release": UBUNTU,
            "/proc/version": VERSION,
            "/proc/cpuinfo": CPUINFO.format(more=""),
            "/proc/meminfo": "MemTotal:       24684096 kB\nMemFree: 1 kB\n",
            "/proc/self/limits": "Max locked memory     8388608    8388608  bytes\n",
            "/sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
            SECURE_BOOT: b"\x06\0\0\0\x01",
        }
    )
    facts = HostProbe().start(source)()
    assert facts.os == "linux"
    assert facts.distribution == "Ubuntu 24.04.1 LTS"
    assert (facts.distribution_id, facts.distribution_version) == ("ubuntu", "24.04")
    assert facts.distribution_like == ("debian",)
    assert facts.kernel == "6.8.0-45-generic"
    assert facts.cpu_model == "AMD EPYC 7763 64-Core Processor"
    assert facts.cpu_flags == ("sse4_2", "avx", "avx2", "fma")
    assert facts.cpu_count == 2
    assert facts.memory_bytes == 24684096 * 1024
    assert facts.memlock_bytes == 8388608
    assert facts.secure_boot is True
    assert facts.is_wsl is False
    assert facts.is_tegra is False
    assert facts.is_virtual_machine is False


def test_an_empty_root_states_nothing(make_source: MakeSource) -> None:
    facts = HostProbe().start(make_source())()
    assert facts == Host()


def test_an_image_never_gets_facts_of_the_running_system(
    make_source: MakeSource,
) -> None:
    files: dict[str, str | bytes] = {
        "/etc/os-release": ALPINE,
        "/lib/ld-musl-aarch64.so.1": b"x\x001.2.5\0",
    }
    facts = HostProbe().start(make_source(files))()
    assert (facts.libc, facts.libc_version) == ("musl", "1.2.5")
    assert facts.machine == "aarch64"
    assert facts.distribution == "Alpine Linux"
    assert (facts.kernel, facts.shm_bytes) == (None, None)
    assert (facts.is_root, facts.is_wsl) == (None, None)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/lib64/libc.so.6": ELF_AARCH64 + GLIBC}, ("glibc", "2.39", "aarch64")),
        (
            {"/lib/libc.so.6": "-> libc-2.31.so", "/lib/libc-2.31.so": b"?"},
            ("glibc", "2.31", None),
        ),
        (
            {"/lib/libc.so.6": b"?", "/lib/ld-musl-x86_64.so.1": b"?"},
            ("musl", None, "x86_64"),
        ),
        ({"/lib64/libc.so.6": b"?"}, (None, None, None)),
    ],
    ids=["banner", "file name", "glibc shim on musl", "garbage"],
)
def test_libc_of_a_root(
    make_source: MakeSource,
    files: dict[str, str | bytes],
    expected: tuple[str | None, str | None, str | None],
) -> None:
    found = libc.read_libc(make_source(files))
    assert (found.kind, found.version, found.machine) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/proc/version": WSL_VERSION}, True),
        ({"/proc/version": "Linux version 4.4.0-19041-Microsoft (M"}, True),
        ({"/proc/version": VERSION, "/usr/lib/wsl/lib/libcuda.so": ""}, True),
        (
            {"/proc/version": VERSION, "/proc/sys/fs/binfmt_misc/WSLInterop-late": ""},
            True,
        ),
        ({"/proc/version": VERSION, "/dev/dxg": ""}, False),
        ({"/proc/version": "Linux version 6.6.1 (me@microsoft.example)"}, False),
        ({"/dev/dxg": ""}, True),
        ({}, None),
    ],
)
def test_wsl(
    make_source: MakeSource, files: dict[str, str], expected: bool | None
) -> None:
    assert HostProbe().start(make_source(files))().is_wsl is expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"/etc/nv_tegra_release": "# R36 (release), REVISION: 4.0, GCID: 37537400"},
            (True, "R36 (release), REVISION: 4.0"),
        ),
        ({"/etc/nv_tegra_release": ""}, (True, None)),
        ({"/proc/device-tree/compatible": "nvidia,tegra234\0"}, (True, None)),
        ({"/proc/version": "Linux version 5.15.148-tegra (b"}, (True, None)),
        ({"/proc/version": VERSION}, (False, None)),
    ],
)
def test_tegra(
    make_source: MakeSource, files: dict[str, str], expected: tuple[bool, str | None]
) -> None:
    facts = HostProbe().start(make_source(files))()
    assert (facts.is_tegra, facts.tegra_release) == expected


@pytest.mark.parametrize(
    ("more", "product", "expected"),
    [
        (" hypervisor", None, True),
        ("", "PowerEdge R750", False),
        ("", "Standard PC (Q35 + ICH9, 2009)", True),
        ("", None, False),
    ],
)
def test_virtual_machine(
    make_source: MakeSource, more: str, product: str | None, expected: bool
) -> None:
    files = {"/proc/cpuinfo": CPUINFO.format(more=more)}
    if product:
        files["/sys/class/dmi/id/product_name"] = product
    assert HostProbe().start(make_source(files))().is_virtual_machine is expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\6\0\0\0\1", True),
        (b"\6\0\0\0\0", False),
        (b"\6", None),
        (b"\0\0\0\0x", None),
    ],
)
def test_secure_boot(
    make_source: MakeSource, content: bytes, expected: bool | None
) -> None:
    source = make_source({SECURE_BOOT: content})
    assert HostProbe().start(source)().secure_boot is expected


def test_arm_features_are_flags_and_leave_virtualisation_open() -> None:
    cpu = host.parse_cpuinfo("processor\t: 0\nFeatures\t: fp asimd evtstrm\n")
    assert cpu.flags == ("asimd",)
    assert cpu.is_virtual is None


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/a/b\n", {"/sys/fs/cgroup/a/b/memory.max": "max"}, None),
        (
            "0::/a/b\n",
            {
                "/sys/fs/cgroup/a/b/memory.max": "2048\n",
                "/sys/fs/cgroup/a/memory.max": "1024\n",
            },
            1024,
        ),
        (
            "4:cpu,memory:/docker/4cf9\n",
            {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n"},
            4096,
        ),
        (
            "4:memory:/\n",
            {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"},
            None,
        ),
    ],
    ids=["no limit", "tightest above", "generation 1 in a container", "v1 no limit"],
)
def test_memory_limit(
    make_source: MakeSource, cgroup: str, files: dict[str, str], expected: int | None
) -> None:
    source = make_source({"/proc/self/cgroup": cgroup, **files})
    assert HostProbe().start(source)().memory_limit_bytes == expected


def test_memory_limit_of_a_tree_without_processes(make_source: MakeSource) -> None:
    source = make_source({"/sys/fs/cgroup/memory.max": "1024\n"})
    assert HostProbe().start(source)().memory_limit_bytes == 1024


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("rw,nosuid,size=65536k", 65536 * 1024),
        ("rw,size=2g,mode=755", 2 << 30),
        ("rw,size=50%", None),
        ("rw", None),
    ],
)
def test_shared_memory_of_a_tree(
    make_source: MakeSource, options: str, expected: int | None
) -> None:
    source = make_source({"/proc/mounts": f"shm /dev/shm tmpfs {options} 0 0\n"})
    facts = HostProbe().start(source)()
    assert (facts.shm_bytes, facts.shm_free_bytes) == (expected, None)


def _program(make_source: MakeSource, files: dict[str, str], path: str) -> Host:
    source = make_source(files, {"PATH": path})
    for name in files:
        file = os.path.join(source.root, name.lstrip("/"))
        if "/bin/" in name and not os.path.islink(file):
            os.chmod(file, 0o755)
    return HostProbe().start(source)()


def test_compilers_and_tools(make_source: MakeSource) -> None:
    files = {
        "/usr/bin/cc": "-> /etc/alternatives/cc",
        "/etc/alternatives/cc": "-> /usr/bin/gcc",
        "/usr/bin/gcc": "-> gcc-12",
        "/usr/bin/gcc-12": "-> x86_64-linux-gnu-gcc-12",
        "/usr/bin/x86_64-linux-gnu-gcc-12": "",
        "/usr/bin/clang": "-> ../lib/llvm-14/bin/clang",
        "/usr/lib/llvm-14/bin/clang": "",
        "/opt/bin/g++": "",
        "/opt/lib/gcc/x86_64-redhat-linux/13/crtbegin.o": "",
        "/opt/bin/uv": "",
        "/usr/bin/apt": "",
        "/mnt/c/bin/docker": "",
    }
    facts = _program(make_source, files, "/opt/bin:/usr/bin:/mnt/c/bin")
    assert facts.compilers == {"gcc": "12", "g++": "13", "clang": "14", "cc": "12"}
    assert facts.tools == ("uv", "apt")


def test_a_compiler_of_unknown_version_is_still_there(make_source: MakeSource) -> None:
    files = {
        "/b/bin/gcc": "",
        "/b/lib/gcc/x/12/crtbegin.o": "",
        "/b/lib/gcc/x/13/c": "",
    }
    assert _program(make_source, files, "/b/bin").compilers == {"gcc": ""}


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux files")
def test_this_machine() -> None:
    facts = HostProbe().start(live_source())()
    assert facts.os == "linux"
    assert facts.machine == os.uname().machine
    assert facts.kernel == os.uname().release
    assert facts.is_root is (os.geteuid() == 0)
    assert facts.cpu_count == os.cpu_count()
    assert facts.memory_bytes


@pytest.mark.parametrize(
    ("name", "system"),
    [("darwin", "macos"), ("win32", "windows"), ("linux", "linux"), ("aix", None)],
)
def test_platform_names(name: str, system: str | None) -> None:
    assert host.parse_platform(name) == system


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_answer_through_platform(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    facts = host.read_host(live_source(env={}))
    assert facts.os == {"darwin": "macos", "win32": "windows"}[system]
    assert facts.machine
    assert facts.is_wsl is False


@given(text=st.text())
def test_parsers_take_any_text(text: str) -> None:
    host.parse_os_release(text)
    host.parse_kernel(text)
    host.parse_cpuinfo(text)
    host.parse_tegra_release(text)
    host.parse_compiler_path(text)
    host.is_wsl_kernel(text)
    libc.parse_confstr(text)
    limits.parse_memory_total(text)
    limits.parse_memlock(text)
    limits.parse_limit(text)
    limits.parse_shm_size(text)
    assert all(path.startswith("/sys/") for path in limits.iter_limit_files(text))


@given(content=st.binary(max_size=200))
def test_parsers_take_any_bytes(content: bytes) -> None:
    libc.parse_glibc(content, "libc.so.6")
    libc.parse_machine(content)
    libc.parse_musl(content)
    host.parse_secure_boot(content)
