"""The fake nvidia-smi, run as a program."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fwdoctor.testing.plugin import FakeGpuFactory

SMI = "nvidia-smi"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("driver-450", "Driver Version: 450.80.02    CUDA Version: 11.0 "),
        ("driver-550", "Driver Version: 550.54.14      CUDA Version: 12.4 "),
        ("driver-610", "KMD Version: 610.43.02     CUDA UMD Version: 13.3 "),
    ],
)
def test_table_in_the_words_of_the_driver(
    fake_gpu: FakeGpuFactory, name: str, words: str
) -> None:
    result = fake_gpu(name).run([SMI])
    assert result.returncode == 0
    assert words in result.stdout
    lines = result.stdout.splitlines()[1:]
    assert len({len(line) for line in lines}) == 1
    assert "Tesla T4" in result.stdout


def test_long_values_do_not_break_the_table(fake_gpu: FakeGpuFactory) -> None:
    name = {"gpu.0.name": "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition"}
    for driver in ("610.43.02", "470.82.01"):
        result = fake_gpu("driver-550", {**name, "driver": driver}).run([SMI])
        assert len({len(line) for line in result.stdout.splitlines()[1:]}) == 1


def test_list(fake_gpu: FakeGpuFactory) -> None:
    lines = fake_gpu("mig-with-instances").run([SMI, "-L"]).stdout.splitlines()
    uuid = "GPU-5d2f7a34-8c1e-4f5b-9b0d-0a1b2c3d4e5f"
    assert lines[0] == f"GPU 0: NVIDIA A100-SXM4-40GB (UUID: {uuid})"
    assert lines[1].startswith("  MIG 3g.20gb     Device  0: (UUID: MIG-1111")


def test_csv(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("mixed-4090-p40")
    query = "--query-gpu=name,compute_cap,memory.total,driver_version"
    assert machine.run([SMI, query, "--format=csv"]).stdout.splitlines() == [
        "name, compute_cap, memory.total, driver_version",
        "NVIDIA GeForce RTX 4090, 8.9, 24564 MiB, 550.54.14",
        "Tesla P40, 6.1, 23040 MiB, 550.54.14",
    ]
    plain = machine.run([SMI, query, "--format=csv,noheader,nounits"]).stdout
    assert plain.splitlines()[1] == "Tesla P40, 6.1, 23040, 550.54.14"


def test_unknown_field_and_argument(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("healthy-h100")
    field = machine.run([SMI, "--query-gpu=foo", "--format=csv"])
    assert (field.returncode, 'Field "foo" is not a valid' in field.stdout) == (2, True)
    assert machine.run([SMI, "--nonsense"]).returncode == 2


def test_xml(fake_gpu: FakeGpuFactory) -> None:
    text = fake_gpu("driver-610").run([SMI, "-q", "-x"]).stdout
    root = ET.fromstring(text)
    assert root.findtext("driver_version") == "610.43.02"
    assert root.findtext("cuda_version") == "13.3"
    assert root.findtext("gpu/product_name") == "Tesla T4"


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("nvml-4-no-permission", 4, "NVML: Insufficient Permissions"),
        ("nvml-9-driver-not-loaded", 9, "couldn't communicate with the NVIDIA driver"),
        ("nvml-18-version-mismatch", 18, "Driver/library version mismatch"),
        ("nvml-999", 231, "Failed to initialize NVML: Unknown Error"),
        ("gpu-off-the-bus", 15, "handle for GPU 0000:01:00.0: GPU is lost"),
        ("driver-without-gpu", 9, "couldn't communicate with the NVIDIA driver"),
        ("smi-chinese", 9, "显卡驱动"),
    ],
)
def test_failures(fake_gpu: FakeGpuFactory, name: str, status: int, text: str) -> None:
    result = fake_gpu(name).run([SMI])
    assert result.returncode == status
    assert text in result.stdout


def test_no_devices_and_own_text(fake_gpu: FakeGpuFactory) -> None:
    none = fake_gpu({"driver": "550.54.14", "cuda": 12040}).run([SMI])
    assert (none.returncode, none.stdout) == (6, "No devices were found\n")
    own = fake_gpu("healthy-h100", {"smi.text": r"a\nb", "smi.exit": 8}).run([SMI])
    assert (own.returncode, own.stdout) == (8, "a\nb\n")


def test_hang_garbage_and_crash(fake_gpu: FakeGpuFactory) -> None:
    assert fake_gpu("smi-hang").run([SMI], timeout_s=0.5).status == "timeout"
    assert "\ufffd" in fake_gpu("smi-garbage").run([SMI]).stdout
    assert fake_gpu("crash-nvml").run([SMI]).signal_name == "SIGSEGV"
