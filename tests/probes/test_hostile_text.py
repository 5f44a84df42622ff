"""No file of an examined root can make a parser run for minutes."""

from __future__ import annotations

import time

import pytest

from fwdoctor.probes import (
    container,
    device_nodes,
    driver_packages,
    env_vars,
    host,
    kernel_log,
    kernel_modules,
    libc,
    limits,
)
from fwdoctor.redact import redact

LIMIT_S = 20.0  # a quadratic parser needs minutes for these texts
SIZE = 400_000
TEXTS = {
    "letters": "a" * SIZE,
    "lines": "\n" * SIZE,
    "spaces": " " * SIZE,
    "parameters": "?" + "key" * (SIZE // 3),
    "many parameters": "?key" * (SIZE // 4),
    "urls": "a://" * (SIZE // 4),
    "stanzas": "\nPackage: nvidia-driver\nStatus: install ok installed" * 8_000,
    "apt": "Upgrade: " + "nvidia-driver" * (SIZE // 13),
    "dnf": "t DEBUG Upgrade: " + "nvidia-1-" * (SIZE // 9),
    "xids": "NVRM: Xid (" * (SIZE // 11),
    "boots": "kernel: [ " * (SIZE // 10),
    "flags": "flags\t" * (SIZE // 6),
    "homes": "/home/" * (SIZE // 6),
    "versions": "NVRM version: 1\n" * (SIZE // 16),
    "numbers": "GPU-" + "0" * SIZE,
}


def _parse_everything(text: str) -> None:
    redact(text, home="/home/a", user="alice")
    env_vars.parse_env({"LD_LIBRARY_PATH": text})
    host.parse_os_release(text)
    host.parse_cpuinfo(text)
    host.parse_tegra_release(text)
    host.parse_kernel(text)
    host.parse_compiler_path(text)
    limits.parse_memory_total(text)
    limits.parse_memlock(text)
    limits.parse_shm_size(text)
    list(limits.iter_limit_files(text))
    libc.parse_glibc(text.encode(), text)
    libc.parse_musl(text.encode())
    container.parse_cgroup(text)
    container.has_driver_mounts(text)
    device_nodes.parse_groups(text)
    device_nodes.parse_answers(text)
    kernel_log.parse_xids(text)
    kernel_modules.parse_version_file(text)
    kernel_modules.parse_modules(text)
    kernel_modules.parse_module_version(text.encode())
    list(driver_packages.parse_dpkg_log(text))
    list(driver_packages.parse_apt_history(text))
    list(driver_packages.parse_dnf_log(text))
    list(driver_packages.parse_status(text.encode()))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_parsers_finish(text: str) -> None:
    begun = time.perf_counter()
    _parse_everything(text)
    assert time.perf_counter() - begun < LIMIT_S
