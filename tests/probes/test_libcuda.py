"""libcuda in a real child process, against the C fake."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwdoctor.probes.libcuda import LibcudaProbe, facts_of, find_copies, kind_of
from fwdoctor.probes.runner import ProbeError
from fwdoctor.probes.source import Source, live_source
from fwdoctor.process import run_child
from fwdoctor.testing.build import NoCompilerError, find_compiler
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

if TYPE_CHECKING:
    from fwdoctor.model.snapshot import LibCuda
    from fwdoctor.testing.machine import FakeMachine
    from fwdoctor.testing.plugin import FakeGpuFactory
    from tests.probes.conftest import MakeSource

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fake is for Linux")
FOLDER = "/usr/lib/x86_64-linux-gnu"


def ask(machine: FakeMachine, timeout_s: float = 20.0) -> LibCuda:
    source = live_source(root=str(machine.root), env=machine.env)
    return LibcudaProbe(timeout_s=timeout_s).start(source)()


def test_healthy_driver(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("healthy-h100"))
    assert facts.init_code == 0
    assert facts.path == f"{FOLDER}/libcuda.so.550.54.14"
    assert facts.kind == "driver"
    assert facts.version == DriverVersion.parse("550.54.14")
    assert facts.cuda_driver_version == CudaVersion(12, 4)
    assert facts.device_count == 1
    assert facts.load_error is None
    assert facts.others == ()
    assert facts.unmasked_init_code is None
    (gpu,) = facts.gpus
    assert gpu.name == "NVIDIA H100 80GB HBM3"
    assert gpu.compute_capability == ComputeCapability(9, 0)
    assert gpu.memory_bytes == 81559 * 1024**2
    assert gpu.pci_address == "0000:01:00.0"


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("cuinit-34-stub", 34),
        ("cuinit-100", 100),
        ("cuinit-802", 802),
        ("cuinit-803", 803),
        ("cuinit-804", 804),
        ("cuinit-999", 999),
    ],
)
def test_a_refusal_to_start_is_a_fact(
    fake_gpu: FakeGpuFactory, scenario: str, code: int
) -> None:
    facts = ask(fake_gpu(scenario))
    assert facts.init_code == code
    assert facts.device_count is None
    assert facts.gpus == ()


def test_stub_in_front_hides_the_driver(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("cuinit-34-stub"))
    assert facts.kind == "stub"
    assert facts.path == "/usr/local/cuda/lib64/stubs/libcuda.so.1"
    assert facts.others == (f"{FOLDER}/libcuda.so.550.54.14",)


def test_stub_under_a_driver_like_name_is_known_by_its_answer() -> None:
    assert kind_of("/usr/lib/libcuda.so.1", None, 34) == "stub"


def test_compat_in_front_of_the_driver(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("cuinit-804"))
    assert facts.kind == "compat"
    assert str(facts.version) == "580.65.06"
    assert facts.cuda_driver_version == CudaVersion(13, 0)
    assert facts.others == (f"{FOLDER}/libcuda.so.550.54.14",)


def test_wsl_library(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("wsl2"))
    assert facts.kind == "wsl"
    assert facts.path == "/usr/lib/wsl/lib/libcuda.so.1"


def test_absent_library_leaves_the_loaders_words(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("no-gpu"))
    assert facts.path is None
    assert facts.kind is None
    assert facts.init_code is None
    assert "libcuda.so.1: cannot open shared object file" in (facts.load_error or "")


def test_library_the_loader_misses_is_found_elsewhere(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("wsl2")
    (machine.root / "etc/ld.so.cache").unlink()
    env = {k: v for k, v in machine.env.items() if k != "LD_LIBRARY_PATH"}
    source = Source(root=str(machine.root), env=env)
    facts = LibcudaProbe().start(source)()
    assert facts.load_error is not None
    assert facts.others == ("/usr/lib/wsl/lib/libcuda.so.1",)


def test_visible_devices_are_answered_with_and_without(
    fake_gpu: FakeGpuFactory,
) -> None:
    facts = ask(fake_gpu("visible-devices-empty"))
    assert facts.init_code == 100
    assert facts.unmasked_init_code == 0
    assert facts.unmasked_device_count == 1


def test_visible_devices_choose_some(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("mixed-4090-p40", {"env.CUDA_VISIBLE_DEVICES": "1"}))
    assert (facts.device_count, facts.unmasked_device_count) == (1, 2)
    assert facts.gpus[0].name == "Tesla P40"
    assert facts.gpus[0].index == 0


def test_hang_is_named_and_ends_in_time(fake_gpu: FakeGpuFactory) -> None:
    with pytest.raises(ProbeError, match=r"cuInit: no answer in 0\.5 s") as caught:
        ask(fake_gpu("hang-cuinit"), timeout_s=0.5)
    assert caught.value.status == "timeout"


def test_hang_leaves_no_second_child_behind(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("hang-cuinit", {"env.CUDA_VISIBLE_DEVICES": "0"})
    with pytest.raises(ProbeError, match="cuInit"):
        ask(machine, timeout_s=0.5)
    marker = f"FWDOCTOR_FAKE_GPU={machine.env['FWDOCTOR_FAKE_GPU']}".encode()
    left = [
        process.name
        for process in Path("/proc").glob("[0-9]*")
        if int(process.name) != os.getpid() and marker in _environment_of(process)
    ]
    assert left == []


def _environment_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def test_crash_is_named(fake_gpu: FakeGpuFactory) -> None:
    with pytest.raises(ProbeError, match="cuInit: killed by SIGABRT") as caught:
        ask(fake_gpu("crash-cuinit"))
    assert caught.value.status == "error"


def test_library_without_functions_answers_nothing(fake_gpu: FakeGpuFactory) -> None:
    changes = {"omit": "cuInit,cuDriverGetVersion"}
    facts = ask(fake_gpu("healthy-h100", changes))
    assert facts.init_code is None
    assert facts.path is not None


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "file too short"), (b"x" * 9999, "invalid ELF header")]
)
def test_damaged_library(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "libcuda.so.1").write_bytes(content)
    source = live_source(env={"LD_LIBRARY_PATH": str(tmp_path)})
    facts = LibcudaProbe().start(source)()
    assert words in (facts.load_error or "")
    assert str(tmp_path / "libcuda.so.1") in facts.others


CHATTY = r"""
#include <stdio.h>
int cuInit(unsigned flags) { printf("{'init_code': 7}\n"); return 0; }
int cuDriverGetVersion(int *out) { *out = 12040; return 0; }
int cuDeviceGetCount(int *out) { *out = 0; puts("call me\n"); return 0; }
"""


def test_what_a_driver_prints_is_not_its_answer(tmp_path: Path) -> None:
    try:
        compiler = find_compiler()
    except NoCompilerError:
        pytest.skip("no C compiler")
    (tmp_path / "chatty.c").write_text(CHATTY)
    library = tmp_path / "libcuda.so.1"
    build = [
        compiler,
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(tmp_path / "chatty.c"),
    ]
    assert run_child(build, timeout_s=60).is_success
    facts = LibcudaProbe().start(live_source(env={"LD_LIBRARY_PATH": str(tmp_path)}))()
    assert (facts.init_code, facts.device_count) == (0, 0)
    assert facts.gpus == ()


def test_renamed_copy_of_a_driver_that_works(
    fake_gpu: FakeGpuFactory, tmp_path: Path
) -> None:
    machine = fake_gpu("healthy-h100")
    shutil.copy(machine.root / f"{FOLDER}/libcuda.so.1".lstrip("/"), tmp_path)
    env = {**machine.env, "LD_LIBRARY_PATH": os.fspath(tmp_path)}
    facts = LibcudaProbe().start(Source(root=str(machine.root), env=env))()
    assert facts.kind == "driver"
    assert facts.version is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{FOLDER}/libcuda.so.580.65.06", "driver"),
        (f"{FOLDER}/nvidia/current/libcuda.so.535.54.03", "driver"),
        ("C:\\Windows\\System32\\nvcuda.dll", "driver"),
        ("/usr/local/cuda-13.0/compat/libcuda.so.580.65.06", "compat"),
        ("/usr/local/cuda/compat/lib.real/libcuda.so.580.65.06", "compat"),
        ("/usr/local/cuda-12.2/compat_orin/libcuda.so.1.1", "compat"),
        ("/opt/env/cuda-compat/libcuda.so.580.65.06", "compat"),
        ("/opt/compatible/libcuda.so.580.65.06", "driver"),
        ("/usr/local/cuda-12.4/targets/x86_64-linux/lib/stubs/libcuda.so", "stub"),
        ("/usr/lib/wsl/lib/libcuda.so.1", "wsl"),
        ("/usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1.1", "tegra"),
        ("/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1", "tegra"),
        ("/usr/lib/libcuda.so.1", "unknown"),
    ],
)
def test_kind_by_place(path: str, kind: str) -> None:
    facts = facts_of({"path": path, "init_code": 999}, Source())
    assert facts.kind == kind


def test_copies_of_a_toolkit_are_listed_once(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/usr/local/cuda": "-> /usr/local/cuda-13.0",
            "/usr/local/cuda-13.0/compat/libcuda.so.580.65.06": "",
            "/usr/local/cuda-13.0/compat/libcuda.so.1": "-> libcuda.so.580.65.06",
            "/usr/local/cuda-13.0/compat/libcuda.so": "-> libcuda.so.1",
            "/usr/local/cuda-13.0/lib64/stubs/libcuda.so": "",
        },
        {"LD_LIBRARY_PATH": ":relative:/usr/local/cuda/compat:/nowhere"},
    )
    assert find_copies(source) == (
        "/usr/local/cuda-13.0/compat/libcuda.so.580.65.06",
        "/usr/local/cuda-13.0/lib64/stubs/libcuda.so",
    )


def test_image_is_looked_through_but_not_run(make_source: MakeSource) -> None:
    written = make_source({"/usr/local/cuda/compat/libcuda.so.1": ""})
    image = Source(root=written.root, env={}, may_run=False)
    facts = LibcudaProbe().start(image)()
    assert facts.others == ("/usr/local/cuda/compat/libcuda.so.1",)
    assert facts.init_code is None


def test_image_without_any_copy_has_no_facts(tmp_path: Path) -> None:
    image = Source(root=str(tmp_path), env={}, may_run=False)
    with pytest.raises(ProbeError) as caught:
        LibcudaProbe().start(image)()
    assert caught.value.status == "not-run"
