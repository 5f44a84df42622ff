"""NVML through the real nvidia-ml-py, against the C fake in a real child process."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import MigInstance
from fwdoctor.probes.nvml import NvmlFacts, NvmlProbe, facts_of, find_pynvml
from fwdoctor.probes.runner import ProbeError
from fwdoctor.probes.source import Source, live_source
from fwdoctor.process import run_child
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fwdoctor.testing.machine import FakeMachine
    from fwdoctor.testing.plugin import FakeGpuFactory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fake is for Linux")
MIB = 1024**2


def source_of(machine: FakeMachine) -> Source:
    return live_source(root=str(machine.root), env=machine.env)


def ask(machine: FakeMachine, timeout_s: float = 20.0) -> NvmlFacts:
    return NvmlProbe(timeout_s=timeout_s).start(source_of(machine))()


def test_healthy_gpu_is_described_in_full(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("healthy-h100"))
    assert facts.code == 0
    assert str(facts.driver_version) == "550.54.14"
    assert facts.cuda_driver_version == CudaVersion(12, 4)
    assert facts.nvml_version == DriverVersion.parse("550.54.14")
    assert facts.path == "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.550.54.14"
    assert facts.notes == ()
    assert facts.gpus is not None
    (gpu,) = facts.gpus
    assert gpu.name == "NVIDIA H100 80GB HBM3"
    assert gpu.uuid == "GPU-\u20264e5f"
    assert (gpu.pci_address, gpu.pci_device_id) == ("0000:01:00.0", "2330")
    assert gpu.compute_capability == ComputeCapability(9, 0)
    assert gpu.memory_bytes == 81559 * MIB
    assert gpu.memory_used_bytes == 0  # what the driver reserves is not used
    assert gpu.mig_enabled is False
    assert gpu.mig_instances is None
    assert gpu.compute_mode == "default"
    assert gpu.persistence is True
    assert gpu.ecc_enabled is True
    assert gpu.ecc_uncorrected == 0
    assert gpu.remapped_rows == 0
    assert gpu.retired_pages is None
    assert gpu.error_code is None


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("nvml-4-no-permission", 4),
        ("nvml-9-driver-not-loaded", 9),
        ("nvml-12-no-driver", 12),
        ("nvml-15-gpu-lost", 15),
        ("nvml-18-version-mismatch", 18),
        ("nvml-999", 999),
    ],
)
def test_a_refusal_to_start_is_a_fact(
    fake_gpu: FakeGpuFactory, scenario: str, code: int
) -> None:
    facts = ask(fake_gpu(scenario))
    assert facts.code == code
    assert facts.gpus is None


def test_mismatch_still_tells_the_library_version(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("nvml-18-version-mismatch"))
    assert str(facts.nvml_version) == "550.54.14"
    assert facts.driver_version is None


def test_absent_library_leaves_the_loaders_words(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("nvml-12-no-driver"))
    assert "libnvidia-ml.so.1: cannot open shared object file" in facts.notes[0]
    assert facts.path is None


def test_empty_library_file_leaves_the_loaders_words(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").touch()
    facts = NvmlProbe().start(live_source(env={"LD_LIBRARY_PATH": str(tmp_path)}))()
    assert facts.code == 12
    assert "file too short" in facts.notes[0]


def test_old_library_leaves_out_what_it_lacks(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("old-library-symbols-missing"))
    assert facts.code == 0
    assert facts.cuda_driver_version == CudaVersion(11, 0)
    assert facts.gpus is not None
    (gpu,) = facts.gpus
    assert gpu.name == "Tesla T4"
    assert gpu.memory_bytes == 15360 * MIB
    assert gpu.mig_enabled is None
    assert gpu.remapped_rows is None
    assert gpu.fabric_state is None
    assert gpu.retired_pages == 0


def test_library_from_before_init_with_flags(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("old-library-symbols-missing", {"omit": "nvmlInitWithFlags"})
    facts = ask(machine)
    assert facts.code == 0
    assert facts.gpus is not None
    assert len(facts.gpus) == 1


def test_library_with_nothing_in_it_has_no_functions(fake_gpu: FakeGpuFactory) -> None:
    machine = fake_gpu("healthy-h100", {"omit": "nvmlInitWithFlags,nvmlInit_v2"})
    assert ask(machine).code == 13


@pytest.mark.parametrize("code", [3, 4, 13, 25, 999])
def test_each_call_may_be_refused(fake_gpu: FakeGpuFactory, code: int) -> None:
    changes = {
        f"gpu.0.return.{function}": code
        for function in (
            "nvmlDeviceGetUUID",
            "nvmlDeviceGetPciInfo_v3",
            "nvmlDeviceGetMemoryInfo",
            "nvmlDeviceGetMemoryInfo_v2",
            "nvmlDeviceGetCudaComputeCapability",
            "nvmlDeviceGetMigMode",
            "nvmlDeviceGetComputeMode",
            "nvmlDeviceGetPersistenceMode",
            "nvmlDeviceGetEccMode",
            "nvmlDeviceGetRetiredPages",
            "nvmlDeviceGetRemappedRows",
            "nvmlDeviceGetGpuFabricInfo",
            "nvmlDeviceGetGpuFabricInfoV",
        )
    }
    facts = ask(fake_gpu("healthy-h100", changes))
    assert facts.gpus is not None
    (gpu,) = facts.gpus
    assert gpu.name == "NVIDIA H100 80GB HBM3"
    assert gpu.error_code is None
    known = {f for f in gpu.__dataclass_fields__ if getattr(gpu, f) is not None}
    assert known == {"index", "name"}


def test_lost_gpu_keeps_its_place_and_code(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("two-gpus-one-lost"))
    assert facts.gpus is not None
    assert [gpu.error_code for gpu in facts.gpus] == [None, 15]
    assert facts.gpus[1].index == 1
    assert facts.gpus[0].name is not None


@pytest.mark.parametrize("code", [15, 16])
def test_gpu_lost_while_asking(fake_gpu: FakeGpuFactory, code: int) -> None:
    changes = {"gpu.0.after_calls": f"2:{code}"}
    facts = ask(fake_gpu("healthy-h100", changes))
    assert facts.gpus is not None
    assert facts.gpus[0].error_code == code


def test_mig_instances(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("mig-with-instances"))
    assert facts.gpus is not None
    (gpu,) = facts.gpus
    assert gpu.mig_enabled is True
    assert gpu.mig_instances == (
        MigInstance(name="3g.20gb", memory_bytes=19968 * MIB),
        MigInstance(name="1g.5gb", memory_bytes=4864 * MIB),
    )


def test_mig_without_instances_is_not_unknown(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("mig-without-instances"))
    assert facts.gpus is not None
    assert facts.gpus[0].mig_enabled is True
    assert facts.gpus[0].mig_instances == ()


@pytest.mark.parametrize(
    ("scenario", "mode"),
    [("exclusive-mode", "exclusive-process"), ("prohibited-mode", "prohibited")],
)
def test_compute_mode(fake_gpu: FakeGpuFactory, scenario: str, mode: str) -> None:
    facts = ask(fake_gpu(scenario))
    assert facts.gpus is not None
    assert facts.gpus[0].compute_mode == mode


def test_health_of_older_and_newer_cards(fake_gpu: FakeGpuFactory) -> None:
    older = ask(fake_gpu("retired-pages-pending")).gpus
    assert older is not None
    assert (older[0].retired_pages, older[0].retirement_pending) == (6, True)
    newer = ask(fake_gpu("remap-pending")).gpus
    assert newer is not None
    assert newer[0].remapping_pending is True
    assert newer[0].remapping_failed is False
    assert newer[0].remapped_rows == 1


@pytest.mark.parametrize(
    "omit", ["nvmlSystemGetDriverBranch", "nvmlDeviceGetGpuFabricInfoV"]
)
def test_fabric_state_by_either_call(fake_gpu: FakeGpuFactory, omit: str) -> None:
    facts = ask(fake_gpu("fabric-in-progress", {"omit": omit}))
    assert facts.gpus is not None
    assert {gpu.fabric_state for gpu in facts.gpus} == {"in-progress"}


def test_no_gpu_is_an_empty_list(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu({"driver": "550.54.14", "cuda": 12040}))
    assert facts.code == 0
    assert facts.gpus == ()


def test_visible_devices_do_not_matter(fake_gpu: FakeGpuFactory) -> None:
    facts = ask(fake_gpu("visible-devices-empty"))
    assert facts.gpus is not None
    assert len(facts.gpus) == 1


def test_hang_is_named_and_ends_in_time(fake_gpu: FakeGpuFactory) -> None:
    begun = time.perf_counter()
    with pytest.raises(ProbeError, match=r"nvmlInit: no answer in 0\.5 s") as caught:
        ask(fake_gpu("hang-nvml"), timeout_s=0.5)
    assert caught.value.status == "timeout"
    assert time.perf_counter() - begun < 20


def test_crash_is_named(fake_gpu: FakeGpuFactory) -> None:
    with pytest.raises(ProbeError, match="nvmlInit: killed by SIGSEGV") as caught:
        ask(fake_gpu("crash-nvml"))
    assert caught.value.status == "error"


def test_nothing_is_run_for_an_image() -> None:
    with pytest.raises(ProbeError) as caught:
        NvmlProbe().start(Source(root="/", env={}, may_run=False))
    assert caught.value.status == "not-run"


def test_missing_module_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ProbeError, match="nvidia-ml-py is not installed"):
        NvmlProbe().start(live_source(env={}))


def test_module_is_found_without_importing_it() -> None:
    folder = find_pynvml()
    assert folder is not None
    assert "pynvml" not in sys.modules


LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
VALUE = LEAF | st.lists(LEAF, max_size=3)
FIELDS = [
    *("code", "driver_version", "cuda", "nvml_version", "path", "notes", "gpus"),
    *("index", "name", "compute_capability", "mig_instances", "fabric_state"),
]
ANSWERS = st.dictionaries(
    st.sampled_from(FIELDS),
    VALUE | st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUE), max_size=3),
)


@given(ANSWERS)
def test_any_answer_gives_facts(answer: Mapping[str, object]) -> None:
    plain = json.loads(json.dumps(answer))
    assert isinstance(facts_of(plain), NvmlFacts)


@pytest.mark.network
@pytest.mark.parametrize("release", ["12.535.108", "12.560.30", "13.580.65"])
def test_older_releases_of_the_module_work(
    fake_gpu: FakeGpuFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    release: str,
) -> None:
    pin = f"nvidia-ml-py=={release}"
    install = ["-m", "pip", "install", "-q", "--no-deps", "-t", str(tmp_path), pin]
    assert run_child([sys.executable, *install], timeout_s=120).is_success
    monkeypatch.setattr("fwdoctor.probes.nvml.find_pynvml", lambda: str(tmp_path))
    facts = ask(fake_gpu("mig-with-instances"))
    assert facts.code == 0
    assert facts.cuda_driver_version == CudaVersion(12, 4)
    assert facts.gpus is not None
    assert facts.gpus[0].memory_bytes == 40960 * MIB
    assert facts.gpus[0].mig_instances is not None
    assert len(facts.gpus[0].mig_instances) == 2
    fabric = ask(fake_gpu("fabric-in-progress")).gpus
    assert fabric is not None
    assert fabric[0].fabric_state == "in-progress"
