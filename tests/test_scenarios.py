"""The installed command on every fake machine: the first cause it names.

Each scenario of fwdoctor/testing has its expected answer here: the code and the cause
of the first finding that alarms, or None where nothing is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.testing.scenario import scenario_names

if TYPE_CHECKING:
    from fwdoctor.testing.plugin import FakeGpuFactory

COMMAND = Path(sys.executable).parent / "fwdoctor"
SLOW = {"hang-cuinit", "hang-nvml"}  # they wait for a deadline
EXPECTED: dict[str, tuple[str, str] | None] = {
    "container-utility-only": ("FW702", "container-no-gpu"),
    "container-without-runtime": ("FW701", "container-no-gpu"),
    "crash-cuinit": ("FW127", "uvm-or-suspend"),
    "crash-nvml": ("FW127", "uvm-or-suspend"),
    "cuinit-100": ("FW125", "visible-devices"),
    "cuinit-34-stub": ("FW107", "cuda-lib-conflict"),
    "cuinit-802": ("FW109", "fabric-manager"),
    "cuinit-803": ("FW105", "driver-library-mismatch"),
    "cuinit-804": ("FW110", "forward-compat"),
    "cuinit-999": ("FW108", "uvm-or-suspend"),
    "driver-450": None,
    "driver-535": None,
    "driver-550": None,
    "driver-580": None,
    "driver-610": None,
    "driver-without-gpu": None,
    "ecc-errors": ("FW117", "hardware-fault"),
    "exclusive-mode": ("FW122", "shm-or-limits"),
    "fabric-in-progress": ("FW109", "fabric-manager"),
    "forward-compat-h100": None,
    "gb10-580": None,
    "gpu-lost-while-asking": ("FW115", "hardware-fault"),
    "gpu-memory-full": None,
    "gpu-off-the-bus": ("FW115", "hardware-fault"),
    "gtx1080-580": None,
    "hang-cuinit": ("FW127", "uvm-or-suspend"),
    "hang-nvml": ("FW127", "uvm-or-suspend"),
    "healthy-h100": None,
    "healthy-h200-580": None,
    "jetson": None,
    "k80-470": None,
    "kubernetes-no-gpu-request": ("FW701", "container-no-gpu"),
    "mig-with-instances": None,
    "mig-without-instances": ("FW120", "mig-config"),
    "mixed-4090-p40": None,
    "no-device-nodes": ("FW118", "device-permission"),
    "no-gpu": None,
    "no-uvm-node": ("FW108", "uvm-or-suspend"),
    "nouveau-bound": ("FW102", "driver-not-loaded"),
    "nvml-12-no-driver": ("FW101", "driver-missing"),
    "nvml-15-gpu-lost": ("FW115", "hardware-fault"),
    "nvml-18-version-mismatch": ("FW105", "driver-library-mismatch"),
    "nvml-4-no-permission": ("FW119", "device-permission"),
    "nvml-9-driver-not-loaded": ("FW103", "driver-not-loaded"),
    "nvml-999": ("FW119", "device-permission"),
    "old-library-symbols-missing": None,
    "p100-535": None,
    "prohibited-mode": ("FW122", "shm-or-limits"),
    "remap-failed": ("FW117", "hardware-fault"),
    "remap-pending": ("FW117", "hardware-fault"),
    "retired-pages-pending": ("FW117", "hardware-fault"),
    "rtx3090-535": None,
    "rtx4090-550": None,
    "rtx5090-570": None,
    "rtx5090-580": None,
    "secure-boot-unsigned": ("FW104", "driver-not-loaded"),
    "singularity-without-nv": ("FW701", "container-no-gpu"),
    "slow-start": None,
    "smi-chinese": None,
    "smi-garbage": None,
    "smi-hang": None,
    "t4-525": None,
    "two-gpus-one-lost": ("FW115", "hardware-fault"),
    "v100-535": None,
    "visible-devices-empty": ("FW123", "visible-devices"),
    "wsl2": None,
    "wsl2-linux-driver": ("FW704", "wsl-specific"),
}
# Machines on which nothing at all is to be said, not even a note.
SPOTLESS = ("driver-580", "driver-610", "healthy-h200-580", "no-gpu", "wsl2")


def _check(
    fake_gpu: FakeGpuFactory,
    scenario: str,
    empty: Path,
    changes: dict[str, object] | None = None,
) -> tuple[int | None, dict[str, Any]]:
    """Exit code and JSON report of the installed command on a fake machine."""
    machine = fake_gpu(scenario, changes)
    # No Python environment to judge but an empty one: the GPU alone is tried here.
    argv = [str(COMMAND), "check", "--format", "json", "--prefix", str(empty)]
    result = machine.run(argv)
    assert result.status == "exited", result
    return result.returncode, json.loads(result.stdout)


def _alarms(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        finding
        for finding in report["findings"]
        if finding["severity"] != "info" and finding["cause"] not in HARMLESS_CAUSES
    ]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment without packages."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")
    (folder / "bin").mkdir()
    os.symlink(sys.executable, folder / "bin" / "python")
    (folder / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def cpu_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment whose PyTorch was built without CUDA."""
    folder = tmp_path_factory.mktemp("cpu-only")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")
    (folder / "bin").mkdir()
    os.symlink(sys.executable, folder / "bin" / "python")
    torch = folder / "lib" / "python3.12" / "site-packages" / "torch"
    torch.mkdir(parents=True)
    (torch / "version.py").write_text("__version__ = '2.9.1+cpu'\ncuda = None\n")
    return folder


def test_every_scenario_is_expected() -> None:
    assert sorted(EXPECTED) == sorted(scenario_names())


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in EXPECTED],
)
def test_first_cause(fake_gpu: FakeGpuFactory, empty: Path, name: str) -> None:
    code, report = _check(fake_gpu, name, empty)
    crashed = [o for o in report["outcomes"] if o["outcome"] == "crashed"]
    assert not crashed
    alarms = _alarms(report)
    expected = EXPECTED[name]
    if expected is None:
        assert not alarms
        assert code == 0
        return
    assert alarms, report["headline"] if "headline" in report else report["verdict"]
    first = alarms[0]
    assert (first["code"], first["cause"]) == expected
    assert first["role"] == "cause"
    assert first["fix"]
    assert code == (1 if any(f["severity"] == "error" for f in alarms) else 0)


@pytest.mark.parametrize("name", [n for n in EXPECTED if EXPECTED[n] and n not in SLOW])
def test_the_machine_comes_before_what_is_installed(
    fake_gpu: FakeGpuFactory, cpu_only: Path, name: str
) -> None:
    expected = EXPECTED[name]
    assert expected is not None
    _, report = _check(fake_gpu, name, cpu_only)
    first = _alarms(report)[0]
    own = [f for f in _alarms(report) if f["code"] == expected[0]]
    if own[0]["severity"] == "error":
        assert first["code"] == expected[0]
    else:  # a container that asked for no GPU, and a GPU that works with a warning
        assert first["code"] in ("FW401", "FW701")


@pytest.mark.parametrize("name", SPOTLESS)
def test_nothing_to_say(fake_gpu: FakeGpuFactory, empty: Path, name: str) -> None:
    _, report = _check(fake_gpu, name, empty)
    assert report["findings"] == []


@pytest.mark.parametrize(
    ("scenario", "changes", "expected"),
    [
        ("healthy-h100", {"env.CUDA_VISIBLE_DEVICES": "-1"}, "FW123"),
        ("healthy-h100", {"env.CUDA_VISIBLE_DEVICES": "7"}, "FW123"),
        ("healthy-h100", {"env.CUDA_VISIBLE_DEVICES": "MIG-1111"}, "FW121"),
        ("healthy-h200-580", {"env.CUDA_VISIBLE_DEVICES": "1,5,0"}, "FW123"),
        (
            "healthy-h100",
            {"env.CUDA_VISIBLE_DEVICES": "NoDevFiles", "env.SLURM_JOB_ID": "1"},
            "FW707",
        ),
        ("healthy-h100", {"cu_init": 304}, "FW126"),
        ("rtx4090-550", {"file.without": "nvml,libcuda"}, "FW106"),
        ("cuinit-803", {"file.compat": "535.54.03"}, "FW112"),
        (
            "healthy-h100",
            {
                "file.container": "docker",
                "env.NVIDIA_REQUIRE_CUDA": "cuda>=13.0 brand=tesla,driver<536",
            },
            "FW703",
        ),
    ],
)
def test_changed_machines(
    fake_gpu: FakeGpuFactory,
    empty: Path,
    scenario: str,
    changes: dict[str, object],
    expected: str,
) -> None:
    _, report = _check(fake_gpu, scenario, empty, changes)
    assert _alarms(report)[0]["code"] == expected


def test_a_container_for_computing_alone_has_no_nvml(
    fake_gpu: FakeGpuFactory, empty: Path
) -> None:
    changes: dict[str, object] = {
        "file.without": "nvml,nvidia-smi",
        "file.container": "docker",
    }
    _, report = _check(fake_gpu, "rtx4090-550", empty, changes)
    assert report["verdict"] == "healthy"
    assert report["snapshot"]["gpus"][0]["compute_capability"] == "8.9"


@pytest.mark.parametrize(
    ("scenario", "code"),
    [("healthy-h100", 0), ("visible-devices-empty", 1), ("cuinit-999", 1)],
)
def test_a_required_gpu_is_one_that_can_be_used(
    fake_gpu: FakeGpuFactory, empty: Path, scenario: str, code: int
) -> None:
    words = ["check", "--prefix", str(empty), "--require", "gpu", "--fail-on", "never"]
    assert fake_gpu(scenario).run([str(COMMAND), *words]).returncode == code
