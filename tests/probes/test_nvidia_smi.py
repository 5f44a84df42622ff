"""The nvidia-smi probe against real child processes: the fake program and scripts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from fwdoctor.model.snapshot import Gpu
from fwdoctor.probes.nvidia_smi import NvidiaSmiProbe, merge_gpus
from fwdoctor.probes.runner import ProbeError
from fwdoctor.probes.source import Source, live_source
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from pathlib import Path

    from fwdoctor.model.snapshot import NvidiaSmi
    from fwdoctor.testing.machine import FakeMachine
    from fwdoctor.testing.plugin import FakeGpuFactory


def ask(
    machine: FakeMachine, timeout_s: float = 20.0
) -> tuple[NvidiaSmi, tuple[Gpu, ...]]:
    source = live_source(root=str(machine.root), env=machine.env)
    return NvidiaSmiProbe(timeout_s=timeout_s).start(source)()


def ask_script(folder: Path, body: str) -> tuple[NvidiaSmi, tuple[Gpu, ...]]:
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n{body}")
    script.chmod(0o755)
    source = live_source(env={"PATH": f"{folder}:/usr/bin:/bin"})
    return NvidiaSmiProbe(timeout_s=10.0).start(source)()


def test_working_program(fake_gpu: FakeGpuFactory) -> None:
    answer, gpus = ask(fake_gpu("healthy-h100"))
    assert answer.path == "/usr/bin/nvidia-smi"
    assert answer.exit_code == 0
    assert answer.error is None
    assert str(answer.driver_version) == "550.54.14"
    assert answer.cuda_driver_version == CudaVersion(12, 4)
    (gpu,) = gpus
    assert gpu.compute_capability == ComputeCapability(9, 0)
    assert gpu.memory_bytes == 81559 * 1024**2
    assert gpu.uuid == "GPU-\u20264e5f"


def test_mig_mode_and_compute_mode(fake_gpu: FakeGpuFactory) -> None:
    _, (gpu,) = ask(fake_gpu("mig-without-instances"))
    assert gpu.mig_enabled is True
    _, (gpu,) = ask(fake_gpu("exclusive-mode"))
    assert gpu.compute_mode == "exclusive-process"


@pytest.mark.parametrize(
    ("scenario", "words", "code"),
    [
        ("nvml-9-driver-not-loaded", "couldn't communicate with the NVIDIA driver", 9),
        ("nvml-18-version-mismatch", "Driver/library version mismatch", 18),
        ("nvml-4-no-permission", "Insufficient Permissions", 4),
        ("nvml-999", "Unknown Error", None),
    ],
)
def test_error_texts_are_kept(
    fake_gpu: FakeGpuFactory, scenario: str, words: str, code: int | None
) -> None:
    answer, gpus = ask(fake_gpu(scenario))
    assert words in (answer.error or "")
    assert code is None or answer.exit_code == code
    assert gpus == ()


def test_lost_gpu_named_in_the_message(fake_gpu: FakeGpuFactory) -> None:
    answer, gpus = ask(fake_gpu("gpu-off-the-bus"))
    assert "GPU is lost" in (answer.error or "")
    assert [gpu.error_code for gpu in gpus] == [15]


def test_chinese_wrapper_is_quoted_with_the_meaning_of_its_status(
    fake_gpu: FakeGpuFactory,
) -> None:
    answer, gpus = ask(fake_gpu("smi-chinese"))
    assert answer.exit_code == 9
    assert "exit status 9: the NVIDIA driver is not loaded" in (answer.error or "")
    assert "显卡驱动" in (answer.error or "")
    assert gpus == ()


def test_garbage_is_an_error_text(fake_gpu: FakeGpuFactory) -> None:
    answer, gpus = ask(fake_gpu("smi-garbage"))
    assert (answer.error or "").startswith("exit status 0")
    assert answer.driver_version is None
    assert gpus == ()


def test_hang_ends_in_time(fake_gpu: FakeGpuFactory) -> None:
    begun = time.perf_counter()
    with pytest.raises(ProbeError, match=r"no answer in 0\.5 s") as caught:
        ask(fake_gpu("smi-hang"), timeout_s=0.5)
    assert caught.value.status == "timeout"
    assert time.perf_counter() - begun < 20


def test_crash_is_named(fake_gpu: FakeGpuFactory) -> None:
    with pytest.raises(ProbeError, match="killed by SIGSEGV"):
        ask(fake_gpu("healthy-h100", {"smi.mode": "crash"}))


def test_absent_program(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        NvidiaSmiProbe().start(Source(root=str(tmp_path), env={"PATH": "/nowhere"}))
    assert caught.value.status == "absent"


def test_nothing_is_run_for_an_image(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("healthy-h100")
    image = Source(root=str(machine.root), env=machine.env, may_run=False)
    with pytest.raises(ProbeError) as caught:
        NvidiaSmiProbe().start(image)
    assert caught.value.status == "not-run"


def test_wsl_program_outside_path(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("wsl2")
    source = Source(root=str(machine.root), env={**machine.env, "PATH": "/bin"})
    answer, gpus = NvidiaSmiProbe().start(source)()
    assert answer.path == "/usr/lib/wsl/lib/nvidia-smi"
    assert len(gpus) == 1


OLD = """
case "$*" in
  *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2;;
  *mig.mode*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2;;
  *--query-gpu*) echo '0, Tesla K80, 418.87.01, 00000000:00:04.0, 11441, 0, Default,' \\
    'Disabled, Enabled, GPU-1234abcd';;
  *-x*) echo '<nvidia_smi_log><driver_version>418.87.01</driver_version>';;
  *) echo '| NVIDIA-SMI 418.87.01  Driver Version: 418.87.01  CUDA Version: 10.1 |';;
esac
"""


def test_fields_an_old_driver_refuses_are_left_out(tmp_path: Path) -> None:
    answer, (gpu,) = ask_script(tmp_path, OLD)
    assert answer.error is None
    assert str(answer.driver_version) == "418.87.01"
    assert answer.cuda_driver_version == CudaVersion(10, 1)  # from the table's head
    assert gpu.name == "Tesla K80"
    assert gpu.ecc_enabled is True
    assert gpu.compute_capability is None


def test_program_that_refuses_the_same_field_for_ever(tmp_path: Path) -> None:
    answer, gpus = ask_script(
        tmp_path, "echo 'Field \"name\" is not a valid field to query.'; exit 2"
    )
    assert (answer.error or "").startswith("exit status 2: an argument or flag")
    assert gpus == ()


def test_good_output_counts_more_than_the_status(tmp_path: Path) -> None:
    warning = "echo 'WARNING: infoROM is corrupted at gpu 0000:01:00.0'; exit 14\n"
    answer, gpus = ask_script(tmp_path, f"({OLD})\n{warning}")
    assert answer.exit_code == 14
    assert answer.error is None
    assert len(gpus) == 1


def test_status_0_with_an_error_text(tmp_path: Path) -> None:
    answer, gpus = ask_script(tmp_path, "echo 'No devices were found'")
    assert answer.exit_code == 0
    assert answer.error == "No devices were found"
    assert gpus == ()


def test_silent_failure_names_the_status(tmp_path: Path) -> None:
    answer, _ = ask_script(tmp_path, "exit 12")
    assert answer.error == (
        "exit status 12: libnvidia-ml, the NVML library, was not found"
    )


def test_gpus_are_completed_by_index() -> None:
    first = (Gpu(index=0, name="A"), Gpu(index=1, name="B"))
    second = (Gpu(index=1, name="C", mig_enabled=True),)
    assert merge_gpus(first, second) == (
        Gpu(index=0, name="A"),
        Gpu(index=1, name="B", mig_enabled=True),
    )
    assert merge_gpus((), second) == second
