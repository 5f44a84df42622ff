"""Whole pastes to snapshots: what each field says and where sources disagree."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwdoctor.intake.catalogue import Catalogue, load_catalogue
from fwdoctor.intake.reading import read_report
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Framework, Snapshot

MESSAGES = Path(__file__).parents[2] / "matrices" / "messages"
MATRICES = Matrices()
FROM_INDEX = "pip install torch --index-url https://download.pytorch.org/whl/cu126"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MESSAGES)


def read(text: str, catalogue: Catalogue) -> Snapshot:
    return read_report(text, catalogue=catalogue, matrices=MATRICES)


def test_collect_env_outranks_a_package_list(catalogue: Catalogue) -> None:
    snapshot = read(
        "PyTorch version: 1.3.0\n"
        "CUDA used to build PyTorch: 10.1.243\n"
        "Is CUDA available: No\n"
        "OS: Debian GNU/Linux 9.11 (stretch)\n"
        "GPU 0: Tesla T4\n"
        "Nvidia driver version: 410.104\n"
        "[pip3] torch==1.2.0\n",
        catalogue,
    )
    target = snapshot.target
    assert target is not None
    assert target.torch is not None
    assert target.torch.version == "1.3.0"
    assert target.torch.kind == "cuda"
    assert str(target.torch.cuda) == "10.1"
    assert target.torch.gpu_available is False
    assert str(snapshot.driver.version) == "410.104"
    assert snapshot.host.distribution_id == "debian"
    assert snapshot.gpus is not None
    assert str(snapshot.gpus[0].compute_capability) == "7.5"


def test_nothing_known_gives_an_empty_pasted_snapshot(catalogue: Catalogue) -> None:
    snapshot = read("My cat sat on the keyboard.\n", catalogue)
    assert snapshot.origin == "pasted"
    assert snapshot.gpus is None
    assert snapshot.target is not None
    assert snapshot.target.kind == "pasted"
    assert snapshot.target.torch is None
    assert snapshot.target.tensorflow is None


def torch_of(snapshot: Snapshot) -> Framework:
    """The PyTorch of the target environment, which is there."""
    assert snapshot.target is not None
    assert snapshot.target.torch is not None
    return snapshot.target.torch


def tensorflow_of(snapshot: Snapshot) -> Framework:
    """The TensorFlow of the target environment, which is there."""
    assert snapshot.target is not None
    assert snapshot.target.tensorflow is not None
    return snapshot.target.tensorflow


@pytest.mark.parametrize(
    ("text", "kind", "cuda"),
    [
        ("- PyTorch version: 2.0.1+cu118", "cuda", "11.8"),
        ("- PyTorch version: 2.0.1+cpu", "cpu", None),
        ("- PyTorch version: 2.0.1+rocm5.4.2", "rocm", None),
        ("- PyTorch version: 2.0.1\n- torch.version.cuda: 11.7", "cuda", "11.7"),
        ("- PyTorch version: 2.0.1\n- torch.version.cuda: None", "cpu", None),
        (
            "$ conda list\npytorch 1.10.0 py3.7_cuda10.2_cudnn7.6.5_0 pytorch",
            *("cuda", "10.2"),
        ),
        (
            "$ conda list\npytorch 1.9.0 py3.8_cpu_0 pytorch\ncudatoolkit 11.3.1 h_0",
            *("cpu", None),
        ),
        ("$ pip install torch==1.3.0\n- PyTorch version: 1.3.0", "cuda", "10.1"),
        (f"$ {FROM_INDEX}\n- PyTorch version: 2.9.1", "cuda", "12.6"),
        ("AssertionError: Torch not compiled with CUDA enabled", "cpu", None),
        ("On Windows.\n- PyTorch version: 2.0.1", "unknown", None),
    ],
)
def test_builds_of_torch(
    text: str, kind: str, cuda: str | None, catalogue: Catalogue
) -> None:
    torch = torch_of(read(text, catalogue))
    assert torch.kind == kind
    assert (str(torch.cuda) if torch.cuda else None) == cuda


@pytest.mark.parametrize(
    ("text", "kind", "cuda"),
    [
        ("On Linux.\n- TensorFlow version: 2.3", "cuda", "10.1"),
        ("- OS version: Windows 10\n- TensorFlow version: 2.10", "cuda", "11.2"),
        ("- OS version: Windows 11\n- TensorFlow version: 2.11.0", "cpu", None),
        ("$ pip list\ntensorflow 1.14.0", "cpu", None),
        ("$ pip list\ntensorflow-gpu 1.14.0", "cuda", "10.0"),
        ("- TensorFlow version: 1.14\n- CUDA version: 10.1", "cuda", "10.0"),
        ("$ conda list\ntensorflow 2.4.1 mkl_py39h4683426_0", "cpu", None),
        (
            "On macOS.\n$ pip install tensorflow tensorflow-metal\ntf 2.18",
            "metal",
            None,
        ),
        ("- tf.test.is_built_with_cuda(): False", "cpu", None),
    ],
)
def test_builds_of_tensorflow(
    text: str, kind: str, cuda: str | None, catalogue: Catalogue
) -> None:
    tensorflow = tensorflow_of(read(text, catalogue))
    assert tensorflow.kind == kind
    assert (str(tensorflow.cuda) if tensorflow.cuda else None) == cuda


def test_wsl_is_linux_with_a_windows_driver(catalogue: Catalogue) -> None:
    snapshot = read(
        "- OS: Windows 11 + WSL2\n- NVIDIA driver version: 537.13", catalogue
    )
    assert snapshot.host.os == "linux"
    assert snapshot.host.is_wsl is True


def test_a_branch_alone_says_what_its_releases_speak(catalogue: Catalogue) -> None:
    driver = read("- NVIDIA driver version: 390", catalogue).driver
    assert driver.version is None
    assert str(driver.cuda_driver_version) == "9.1"


def test_a_cuda_version_of_unknown_origin_stays_one(catalogue: Catalogue) -> None:
    snapshot = read("- CUDA version: 11.2", catalogue)
    assert snapshot.driver.cuda_name == "11.2"
    assert snapshot.driver.cuda_driver_version is None
    assert snapshot.toolkits is None


def test_a_major_alone_is_at_least_its_first_release(catalogue: Catalogue) -> None:
    snapshot = read("- CUDA Version (nvidia-smi): 11", catalogue)
    assert str(snapshot.driver.cuda_driver_version) == "11.0"


def test_other_makers_gpus_are_on_the_bus(catalogue: Catalogue) -> None:
    snapshot = read("- GPU model and memory: AMD Radeon RX 6800", catalogue)
    assert snapshot.gpus is None
    assert snapshot.pci is not None
    assert snapshot.pci[0].vendor == "amd"


def test_two_versions_of_a_framework_are_two_environments(
    catalogue: Catalogue,
) -> None:
    snapshot = read(
        "I use torch 2.3.0+cu121 with python 3.11.3.\n"
        "Ultralytics YOLOv8.2.15 Python-3.10.9 torch-2.1.0 CPU\n",
        catalogue,
    )
    versions = {
        (env.python_version, env.torch.version if env.torch else None, env.is_target)
        for env in snapshot.environments
    }
    assert versions == {("3.10.9", "2.1.0", True), ("3.11.3", "2.3.0", False)}


def test_messages_and_what_they_capture(catalogue: Catalogue) -> None:
    snapshot = read(
        "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus.\n"
        "failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error\n",
        catalogue,
    )
    assert snapshot.xids is not None
    assert snapshot.xids[0].code == 79
    assert snapshot.driver.libcuda is not None
    assert snapshot.driver.libcuda.init_code == 999
    assert {message.line for message in snapshot.messages} == {1, 2}


def test_the_lines_of_facts_are_those_of_the_paste(catalogue: Catalogue) -> None:
    snapshot = read("\n\n> - NVIDIA driver version: 535.54.03\n", catalogue)
    assert str(snapshot.driver.version) == "535.54.03"
    assert any(probe.reason == "line 3" for probe in snapshot.probes)


def test_a_pin_of_an_install_command_is_the_version(catalogue: Catalogue) -> None:
    snapshot = read("I ran\npip install torch==2.4.1 numpy\n", catalogue)
    assert torch_of(snapshot).version == "2.4.1"
    told = read("pip install torch==2.4.1\nPyTorch version: 2.3.0\n", catalogue)
    assert torch_of(told).version == "2.3.0"


@pytest.mark.parametrize(
    "text",
    [
        "pip install torch==2.4.1\npip install torch==2.3.0\n",
        (
            "pip install torch==9.4.1\nERROR: Could not find a version that satisfies"
            " the requirement torch==9.4.1 (from versions: none)\n"
        ),
    ],
)
def test_pins_that_tell_nothing(text: str, catalogue: Catalogue) -> None:
    target = read(text, catalogue).target
    assert target is None or target.torch is None
