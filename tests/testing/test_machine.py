"""The files, libraries and variables of a fake machine."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from fwdoctor.process import run_child
from fwdoctor.testing.build import (
    BuildError,
    FakeLibraries,
    NoCompilerError,
    build_fake,
    find_compiler,
)
from fwdoctor.testing.scenario import scenario_names

if TYPE_CHECKING:
    from pathlib import Path

    from fwdoctor.testing.plugin import FakeGpuFactory

LIBRARIES = "usr/lib/x86_64-linux-gnu"


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_has_the_basic_files(
    fake_gpu: FakeGpuFactory, name: str
) -> None:
    root = fake_gpu(name).root
    for path in ("proc/version", "proc/cpuinfo", "proc/meminfo", "proc/modules"):
        assert (root / path).stat().st_size
    assert "PRETTY_NAME=" in (root / "etc/os-release").read_text()
    for device in (root / "sys/bus/pci/devices").glob("*"):
        assert (device / "vendor").read_text().startswith("0x")


def test_loaded_driver(fake_gpu: FakeGpuFactory) -> None:
    root = fake_gpu("healthy-h100").root
    version = (root / "proc/driver/nvidia/version").read_text()
    assert version.startswith(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14"
    )
    assert (root / "sys/module/nvidia/version").read_text() == "550.54.14\n"
    assert "nvidia_uvm 4943872" in (root / "proc/modules").read_text()
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    assert (device / "device").read_text() == "0x2330\n"
    assert (device / "class").read_text() == "0x030200\n"
    assert (device / "driver").resolve().name == "nvidia"
    assert sorted(path.name for path in (root / "dev").glob("nvidia*")) == [
        "nvidia-modeset",
        "nvidia-uvm",
        "nvidia-uvm-tools",
        "nvidia0",
        "nvidiactl",
    ]
    assert (root / LIBRARIES / "libcuda.so.1").readlink().name == "libcuda.so.550.54.14"


def test_open_kernel_module(fake_gpu: FakeGpuFactory) -> None:
    root = fake_gpu("rtx5090-580").root
    version = (root / "proc/driver/nvidia/version").read_text()
    assert "NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release" in version
    assert "(OE)" in (root / "proc/modules").read_text()


def test_driver_not_loaded(fake_gpu: FakeGpuFactory) -> None:
    root = fake_gpu("nvml-9-driver-not-loaded").root
    assert not (root / "proc/driver/nvidia").exists()
    assert not list((root / "dev").glob("nvidia*"))
    assert [path.name for path in root.glob("lib/modules/6.8.0-45-generic/**/*")] == [
        "modules.dep"
    ]
    assert not (root / "sys/bus/pci/devices/0000:01:00.0/driver").exists()
    built = "var/lib/dkms/nvidia/550.54.14/6.8.0-40-generic/x86_64/module/nvidia.ko"
    assert b"version=550.54.14" in (root / built).read_bytes()


def test_nouveau(fake_gpu: FakeGpuFactory) -> None:
    root = fake_gpu("nouveau-bound").root
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    assert (device / "driver").resolve().name == "nouveau"
    assert "nouveau " in (root / "proc/modules").read_text()


def test_secure_boot_variable(fake_gpu: FakeGpuFactory) -> None:
    (variable,) = fake_gpu("secure-boot-unsigned").root.glob(
        "sys/firmware/efi/efivars/*"
    )
    assert variable.read_bytes() == b"\x06\0\0\0\x01"


def test_node_mode(fake_gpu: FakeGpuFactory) -> None:
    node = fake_gpu("nvml-4-no-permission").root / "dev/nvidiactl"
    assert node.stat().st_mode & 0o777 == 0o600


def test_wsl(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("wsl2")
    assert "microsoft-standard-WSL2" in (machine.root / "proc/version").read_text()
    assert (machine.root / "dev/dxg").exists()
    assert (machine.root / "usr/lib/wsl/lib/libcuda.so.1").exists()
    assert machine.env["WSL_DISTRO_NAME"]
    assert not (machine.root / "proc/driver").exists()
    hidden = fake_gpu("wsl2-linux-driver").env["LD_LIBRARY_PATH"]
    assert hidden.split(":")[0].endswith(LIBRARIES)


def test_jetson(fake_gpu: FakeGpuFactory) -> None:
    root = fake_gpu("jetson").root
    assert (root / "etc/nv_tegra_release").read_text().startswith("# R36 (release)")
    assert "Features" in (root / "proc/cpuinfo").read_text()
    assert (root / "usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1").exists()


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("container-without-runtime", ".dockerenv"),
        ("singularity-without-nv", ".singularity.d"),
        ("kubernetes-no-gpu-request", "var/run/secrets/kubernetes.io/serviceaccount"),
    ],
)
def test_container(fake_gpu: FakeGpuFactory, name: str, mark: str) -> None:
    machine = fake_gpu(name)
    assert (machine.root / mark).exists()
    assert not list(machine.root.rglob("libcuda*"))
    assert "libcuda" not in (machine.root / "proc/self/mountinfo").read_text()


def test_mounted_driver_in_a_container(fake_gpu: FakeGpuFactory) -> None:
    root = fake_gpu("healthy-h100", {"file.container": "podman"}).root
    assert (root / "run/.containerenv").exists()
    assert "/libcuda.so.1 ro" in (root / "proc/self/mountinfo").read_text()


def test_stub_comes_first(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("cuinit-34-stub")
    first = machine.env["LD_LIBRARY_PATH"].split(":")[0]
    assert first.endswith("/usr/local/cuda/lib64/stubs")
    assert os.path.exists(f"{first}/libcuda.so")


def test_fabric_manager_and_log(fake_gpu: FakeGpuFactory) -> None:
    stopped = fake_gpu("cuinit-802").root
    running = fake_gpu("fabric-in-progress").root
    assert (stopped / "usr/bin/nv-fabricmanager").exists()
    assert not (stopped / "proc/1234").exists()
    assert (running / "run/nvidia-fabricmanager/nv-fabricmanager.pid").exists()
    assert (running / "proc/1234/comm").read_text() == "nv-fabricmanager\n"
    log = fake_gpu("gpu-off-the-bus").root / "var/log/kern.log"
    assert "NVRM: Xid (PCI:0000:01:00): 79," in log.read_text()


def test_any_text_file(fake_gpu: FakeGpuFactory) -> None:
    key = "file.text./etc/modprobe.d/x.conf"
    machine = fake_gpu("no-gpu", {key: r"blacklist nouveau\noptions nouveau modeset=0"})
    written = (machine.root / "etc/modprobe.d/x.conf").read_text()
    assert written == "blacklist nouveau\noptions nouveau modeset=0\n"


def test_environment_is_that_of_the_machine(
    fake_gpu: FakeGpuFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "void")
    monkeypatch.setenv("UNRELATED", "kept")
    machine = fake_gpu("nvml-999")
    assert "CUDA_VISIBLE_DEVICES" not in machine.env
    assert machine.env["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert machine.env["UNRELATED"] == "kept"
    assert machine.env["FWDOCTOR_TEST_ROOT"] == str(machine.root)


def test_loader_cache_is_read_by_the_real_ldconfig(fake_gpu: FakeGpuFactory) -> None:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig is None:
        pytest.skip("no ldconfig")
    cache = fake_gpu("healthy-h100").root / "etc/ld.so.cache"
    shown = run_child([ldconfig, "-p", "-C", str(cache)], timeout_s=10).stdout
    assert f"libcuda.so.1 (libc6,x86-64) => /{LIBRARIES}/libcuda.so.1" in shown
    assert "libnvidia-ml.so.1 (libc6,x86-64)" in shown


def test_build_names_files_and_hides_symbols(tmp_path: Path) -> None:
    plain = _build(tmp_path / "a", frozenset())
    lean = _build(tmp_path / "b", frozenset({"nvmlDeviceGetName", "cuDeviceGetUuid"}))
    assert plain.nvml.name == "libnvidia-ml.so.1"
    for library, symbol in (
        (lean.nvml, "nvmlDeviceGetName"),
        (lean.libcuda, "cuDeviceGetUuid"),
    ):
        assert _symbol_is_found(library, symbol) is False
    assert _symbol_is_found(lean.libcuda, "cuDeviceGetUuid_v2")
    assert _symbol_is_found(plain.nvml, "nvmlDeviceGetName")


def _build(directory: Path, omit: frozenset[str]) -> FakeLibraries:
    try:
        return build_fake(directory, omit)
    except NoCompilerError as error:
        pytest.skip(error.message)


def _symbol_is_found(library: Path, symbol: str) -> bool:
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).{symbol}"
    result = run_child([sys.executable, "-c", code], timeout_s=10)
    assert result.is_success or "undefined symbol" in result.stderr
    return result.is_success


def test_omitting_an_unknown_function_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no function nvmlDeviceGetNam"):
        build_fake(tmp_path, frozenset({"nvmlDeviceGetNam"}))


def test_compiler_failure_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "broken-cc"
    compiler.write_text("#!/bin/sh\necho 'disk full' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(
        BuildError, match=r"could not build libnvidia-ml.so(.|\n)*disk full"
    ):
        build_fake(tmp_path / "out")


def test_no_compiler_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/does/not/exist")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NoCompilerError, match="no C compiler found"):
        find_compiler()
