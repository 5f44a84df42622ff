"""What messages make of a report: the same line, decided by what stands beside it.

Texts are lines as the programs print them, facts are put into the snapshot by hand, so
that nothing here depends on how a paste is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fwdoctor.intake.catalogue import Catalogue, load_catalogue
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import decode_snapshot
from fwdoctor.model.finding import Report
from fwdoctor.model.snapshot import Message, Snapshot

MATRICES = Matrices()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MATRICES.folder / "messages")


def _snapshot(text: str, facts: dict[str, Any], catalogue: Catalogue) -> Snapshot:
    messages = tuple(
        Message(id=m.id, text=m.text, line=m.line, captures=dict(m.captures))
        for m in catalogue.match(text)
    )
    return replace(
        decode_snapshot({"schema_version": 1, "origin": "pasted", **facts}),
        messages=messages,
    )


def _judge(text: str, facts: dict[str, Any], catalogue: Catalogue) -> Report:
    return judge(_snapshot(text, facts, catalogue), MATRICES, catalogue=catalogue)


def _torch(version: str, cuda: str, archs: list[str], **more: Any) -> dict[str, Any]:
    return {
        "version": version,
        "package": "torch",
        "kind": "cuda",
        "cuda": cuda,
        "compute_capabilities": archs,
        **more,
    }


def _env(**frameworks: Any) -> list[dict[str, Any]]:
    return [{"prefix": "", "kind": "pasted", "is_target": True, **frameworks}]


def _gpu(name: str, cc: str) -> list[dict[str, Any]]:
    return [{"index": 0, "name": name, "compute_capability": cc}]


LINUX = {"host": {"os": "linux"}}
NO_DEVICE = (
    "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"
)
NO_KERNEL = (
    "RuntimeError: CUDA error: no kernel image is available for execution on the device"
)
INVALID_IMAGE = "CUDA error: device kernel image is invalid"
TORCH_CU128 = _torch("2.7.1", "12.8", ["7.5", "8.0", "8.6", "9.0", "12.0"])
TORCH_CU102 = _torch("1.12.1", "10.2", ["3.7", "5.0", "6.0", "7.0"])
CUDNN_HANDLE = "Could not create cudnn handle: CUDNN_STATUS_NOT_INITIALIZED"

CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    # one message, five causes
    "no device, hidden": (
        NO_DEVICE,
        {**LINUX, "env_vars": {"CUDA_VISIBLE_DEVICES": "-1"}},
        "visible-devices",
    ),
    "no device, dead driver": (
        (
            f"{NO_DEVICE}\nNVIDIA-SMI has failed because it couldn't communicate"
            " with the"
            " NVIDIA driver. Make sure that the latest NVIDIA driver is installed and"
            " running."
        ),
        LINUX,
        "driver-not-loaded",
    ),
    "no device, mismatch": (
        (
            f"{NO_DEVICE}\nkernel version 384.90.0 does not match DSO version 384.111.0"
            " -- cannot find working devices in this configuration"
        ),
        LINUX,
        "driver-library-mismatch",
    ),
    "no device, WSL": (
        NO_DEVICE,
        {"host": {"os": "linux", "is_wsl": True}},
        "wsl-specific",
    ),
    "no device, container": (
        NO_DEVICE,
        {
            **LINUX,
            "commands": [{"tool": "docker", "action": "run", "image": "x/y"}],
        },
        "container-no-gpu",
    ),
    # code for the GPU
    "no kernel, new GPU": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("RTX 3090", "8.6"),
            "environments": _env(torch=TORCH_CU102),
        },
        "gpu-arch-too-new",
    ),
    "no kernel, old GPU": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("GTX 960M", "5.0"),
            "environments": _env(torch=TORCH_CU128),
        },
        "gpu-arch-too-old",
    ),
    "no kernel, the framework has code": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("RTX 3090", "8.6"),
            "environments": _env(torch=TORCH_CU128),
        },
        "companion-mismatch",
    ),
    "no kernel, own extension": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("RTX 3090", "8.6"),
            "toolkits": [{"path": "/usr/local/cuda-12.8", "version": "12.8"}],
            "environments": _env(torch=TORCH_CU128),
        },
        "compiler-toolchain",
    ),
    "no kernel, all builds of the release have code": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("GTX TITAN X", "5.2"),
            "toolkits": [{"path": "/usr/local/cuda-10.1", "version": "10.1"}],
            "environments": _env(torch={"version": "1.5.0", "package": "torch"}),
        },
        "compiler-toolchain",
    ),
    "no kernel, no build of the release has code": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("Tesla K10", "3.0"),
            "environments": _env(torch={"version": "1.5.0", "package": "torch"}),
        },
        "gpu-arch-too-old",
    ),
    "no kernel, a program of one's own": (
        NO_KERNEL,
        {
            "gpus": _gpu("Tesla K80", "3.7"),
            "toolkits": [{"path": "", "version": "11.0"}],
        },
        "compiler-toolchain",
    ),
    "no device, a compatibility library": (
        NO_DEVICE,
        {
            "container": {"kind": "docker"},
            "driver": {"version": "470.57.02", "cuda_driver_version": "11.8"},
            "gpus": _gpu("GTX 780", "3.5"),
        },
        "forward-compat",
    ),
    "cuDNN handle, a partner for another CUDA": (
        f"{CUDNN_HANDLE}\nPossibly insufficient driver version: 470.103.1",
        {
            **LINUX,
            "driver": {"version": "470.103.01"},
            "environments": _env(
                packages=[{"name": "jaxlib", "version": "0.4.23+cuda12.cudnn89"}]
            ),
        },
        "driver-too-old",
    ),
    "xFormers for CUDA, PyTorch without": (
        (
            "xFormers was built for: PyTorch 2.1.2+cu121 with CUDA 1201"
            " (you have 2.1.2+cpu)"
        ),
        {
            "host": {"os": "windows"},
            "environments": _env(
                torch={"version": "2.1.2", "local_label": "cpu", "kind": "cpu"}
            ),
        },
        "cpu-only-build",
    ),
    "invalid image, new GPU": (
        INVALID_IMAGE,
        {
            **LINUX,
            "gpus": _gpu("RTX 3090", "8.6"),
            "environments": _env(torch=TORCH_CU102),
        },
        "gpu-arch-too-new",
    ),
    "printed list, new": (
        (
            "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not"
            " compatible with the"
            " current PyTorch installation.\nThe current PyTorch install supports CUDA"
            " capabilities sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90."
        ),
        {},
        "gpu-arch-too-new",
    ),
    "printed list, old": (
        (
            "Tesla K40c with CUDA capability sm_35 is not compatible with the current"
            " PyTorch installation.\nThe current PyTorch install supports CUDA"
            " capabilities sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90."
        ),
        {},
        "gpu-arch-too-old",
    ),
    # cuDNN does not start
    "cuDNN handle, no memory": (
        (
            f"{CUDNN_HANDLE}\nMemory usage: 5177344 bytes free, 8361017344 bytes"
            " total.\n"
            "Possibly insufficient driver version: 525.105.17"
        ),
        LINUX,
        "gpu-memory",
    ),
    "cuDNN handle, old driver": (
        (
            f"{CUDNN_HANDLE}\nMemory usage: 7977344000 bytes free, 8361017344"
            " bytes total.\n"
            "Possibly insufficient driver version: 470.57.2"
        ),
        {
            **LINUX,
            "gpus": _gpu("RTX 3090", "8.6"),
            "driver": {"version": "470.57.02", "cuda_driver_version": "11.4"},
            "environments": _env(torch=TORCH_CU128),
        },
        "driver-too-old",
    ),
    # 803 on a host and in an image
    "803 on a host": (
        "Error 803: system has unsupported display driver / cuda driver combination",
        LINUX,
        "driver-library-mismatch",
    ),
    "803 in a container": (
        "Error 803: system has unsupported display driver / cuda driver combination",
        {**LINUX, "container": {"kind": "docker"}},
        "forward-compat",
    ),
    # a library of another CUDA major
    "runtime of another major": (
        (
            "ImportError: libcudart.so.11.0: cannot open shared object file: No"
            " such file"
            " or directory"
        ),
        {**LINUX, "environments": _env(torch=TORCH_CU128)},
        "companion-mismatch",
    ),
    "runtime of TensorFlow": (
        (
            "Could not load dynamic library 'libcudart.so.11.0'; dlerror:"
            " libcudart.so.11.0:"
            " cannot open shared object file: No such file or directory"
        ),
        LINUX,
        "cuda-lib-missing",
    ),
    # pip's answers
    "pip, older Python": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " tensorflow>=2.14.0 (from versions: 2.2.0, 2.2.1, 2.12.0, 2.13.0, 2.13.1)"
        ),
        {},
        "python-unsupported",
    ),
    "pip, newer Python": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " torch==1.7.1"
            " (from versions: 2.6.0, 2.7.0, 2.7.1)"
        ),
        {},
        "python-unsupported",
    ),
    "pip, no list, a Python without wheels": (
        "ERROR: No matching distribution found for torch==2.3.0",
        {**LINUX, "environments": _env(python_version="3.13.1")},
        "python-unsupported",
    ),
    "pip, no such release": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " torch==1.7.9"
            " (from versions: 1.7.0, 1.7.1, 1.8.0)"
        ),
        {},
        "wrong-index-or-pin",
    ),
    "pip, label not on this index": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " torch==1.9.0+cu111 (from versions: 1.7.0, 1.7.1, 1.8.0, 1.9.0)"
        ),
        {"environments": _env(python_version="3.8.10")},
        "wrong-index-or-pin",
    ),
    "pip, source stubs only": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " torch==1.7.1"
            " (from versions: 0.1.2, 0.1.2.post1, 0.1.2.post2)"
        ),
        {"environments": _env(python_version="3.8.10", bits=32)},
        "no-wheel-for-platform",
    ),
    "pip, none for a new Python": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " tensorflow==2.17.0 (from versions: none)"
        ),
        {"environments": _env(python_version="3.13.1")},
        "python-unsupported",
    ),
    "two packages in one folder": (
        (
            "UserWarning: Specified provider 'CUDAExecutionProvider' is not in"
            " available"
            " provider names.Available providers: 'CPUExecutionProvider'"
        ),
        {
            "commands": [
                {
                    "tool": "pip",
                    "action": "install",
                    "requirements": ["onnxruntime-gpu", "onnxruntime"],
                }
            ]
        },
        "duplicate-or-shadowed-install",
    ),
    "one package of two": (
        (
            "UserWarning: Specified provider 'CUDAExecutionProvider' is not in"
            " available"
            " provider names.Available providers: 'CPUExecutionProvider'"
        ),
        {},
        "cpu-only-build",
    ),
    "ptxas of Triton": (
        "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
        {
            **LINUX,
            "gpus": _gpu("NVIDIA GB10", "12.1"),
            "environments": _env(torch=_torch("2.9.1", "13.0", ["9.0", "12.0"])),
        },
        "compiler-toolchain",
    ),
    # a build that is not named: what its kin lack the GPU for
    "not compatible, only ever too new": (
        (
            "CUDA capability sm_86 is not compatible with the current PyTorch"
            " installation."
        ),
        {
            **LINUX,
            "gpus": _gpu("NVIDIA GeForce RTX 3090", "8.6"),
            "environments": _env(torch={"version": None, "kind": "unknown"}),
        },
        "gpu-arch-too-new",
    ),
    "no kernel, only ever too old": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": _gpu("Tesla K40c", "3.5"),
            "environments": _env(torch={"version": "1.7.1", "kind": "unknown"}),
        },
        "gpu-arch-too-old",
    ),
    # pip's conflicts
    "conflict, protobuf": (
        (
            "ERROR: tensorflow 1.15.0 has requirement protobuf>=3.6.1, but you'll have"
            " protobuf 3.5.2 which is incompatible."
        ),
        LINUX,
        "protobuf-abi",
    ),
    "conflict, torchvision": (
        (
            "torchvision 0.20.1 requires torch==2.5.1, but you have torch 2.6.0 which"
            " is incompatible."
        ),
        LINUX,
        "companion-mismatch",
    ),
    # what Windows brings
    "libcuda, WSL": (
        (
            "Could not load dynamic library 'libcuda.so.1'; dlerror: libcuda.so.1:"
            " cannot open shared object file: No such file or directory"
        ),
        {"host": {"os": "linux", "is_wsl": True}},
        "wsl-specific",
    ),
    "TensorFlow on Windows": (
        "Num GPUs Available: 0",
        {
            "host": {"os": "windows", "machine": "x86_64"},
            "gpus": _gpu("NVIDIA GeForce RTX 3060", "8.6"),
            "environments": _env(
                tensorflow={
                    "version": "2.12.0",
                    "package": "tensorflow",
                    "kind": "cpu",
                    "gpu_available": False,
                }
            ),
        },
        "no-wheel-for-platform",
    ),
    # words of a person, read with the build
    "told unused, TensorFlow on Windows": (
        "tensorflow 2.16 can't use my GPU",
        {
            "host": {"os": "windows", "machine": "x86_64"},
            "environments": _env(
                tensorflow={
                    "version": "2.16.1",
                    "package": "tensorflow",
                    "kind": "unknown",
                }
            ),
        },
        "no-wheel-for-platform",
    ),
    "told unused, CPU build": (
        "My GPU is not detected",
        {**LINUX, "environments": _env(torch={"version": "2.1.0", "kind": "cpu"})},
        "cpu-only-build",
    ),
    # the stub libcuda
    "stub, container": (
        "failed call to cuInit: UNKNOWN ERROR (34)",
        {**LINUX, "container": {"kind": "kubernetes"}},
        "container-no-gpu",
    ),
    "stub, container that asked": (
        "failed call to cuInit: UNKNOWN ERROR (34)",
        {
            **LINUX,
            "commands": [
                {
                    "tool": "docker",
                    "action": "run",
                    "image": "x/y",
                    "gpus": "--gpus all",
                }
            ],
        },
        "cuda-lib-conflict",
    ),
    # pip has nothing for a Python that is not told
    "nothing on offer, an old pin": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " torch==1.11.0+cu113 (from versions: none)"
        ),
        {},
        "python-unsupported",
    ),
    "nothing on offer, an index without the release": (
        (
            "ERROR: Could not find a version that satisfies the requirement"
            " torch==2.7.1 (from versions: none)"
        ),
        {
            "commands": [
                {
                    "tool": "pip",
                    "action": "install",
                    "requirements": ["torch==2.7.1"],
                    "sources": ["https://download.pytorch.org/whl/cu127"],
                }
            ]
        },
        "wrong-index-or-pin",
    ),
    "an old pin, newer ones on offer": (
        (
            "Could not find a version that satisfies the requirement tensorflow==1.3.0"
            " (from -r ./requirements.txt (line 2)) (from versions: 1.13.1, 1.14.0)"
        ),
        {},
        "python-unsupported",
    ),
    "both packages of one runtime": (
        (
            "I had installed both onnxruntime and onnxruntime-gpu\n"
            "Available providers: ['CPUExecutionProvider']"
        ),
        LINUX,
        "duplicate-or-shadowed-install",
    ),
    # cuBLAS brings its own kernels
    "cuBLAS older than the GPU": (
        (
            "RuntimeError: cublas runtime error : the GPU program failed to execute at"
            " /pytorch/aten/src/THC/THCBlas.cu:450"
        ),
        {
            **LINUX,
            "gpus": _gpu("GeForce RTX 2080 Ti", "7.5"),
            "environments": _env(torch=_torch("1.1.0", "9.0", ["3.5", "6.0", "7.0"])),
        },
        "gpu-arch-too-new",
    ),
    "one of two GPUs is served, the other may be": (
        NO_KERNEL,
        {
            **LINUX,
            "gpus": [*_gpu("Tesla K80", "3.7"), *_gpu("Tesla K40c", "3.5")],
            "environments": _env(torch={"version": "1.3.1", "kind": "unknown"}),
        },
        "gpu-arch-too-old",
    ),
    "no kernel, an old GPU and no framework": (
        NO_KERNEL,
        {**LINUX, "gpus": _gpu("Tesla K40m", "3.5")},
        "gpu-arch-too-old",
    ),
    "a symbol that a CUDA library lacks": (
        (
            "ImportError: /opt/env/lib/python3.10/site-packages/torch/lib/libtorch_cpu"
            ".so: undefined symbol: cuptiActivityEnableDriverApi, version"
            " libcupti.so.12"
        ),
        LINUX,
        "cuda-lib-conflict",
    ),
    "a least capability that this GPU has not": (
        "No CUDA device found with minimum required compute capability 3.5",
        {**LINUX, "gpus": _gpu("GeForce GTX 780M", "3.0")},
        "gpu-arch-too-old",
    ),
    "counting under WSL": (
        (
            "Unexpected error from cudaGetDeviceCount(). Did you run some cuda"
            " functions before calling NumCudaDevices() that might have already set an"
            " error? Error 2: out of memory"
        ),
        {"host": {"os": "linux", "is_wsl": True}},
        "wsl-specific",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_neighbours_and_facts_decide(name: str, catalogue: Catalogue) -> None:
    text, facts, cause = CASES[name]
    report = _judge(text, facts, catalogue)
    said = [f"{f.severity} {f.certainty} {f.cause}" for f in report.findings]
    assert report.findings, "nothing found"
    assert report.findings[0].cause == cause, said


CALM: dict[str, tuple[str, dict[str, Any]]] = {
    "macOS": (
        "AssertionError: Torch not compiled with CUDA enabled",
        {"host": {"os": "macos", "machine": "arm64"}},
    ),
    "ROCm": (
        "AssertionError: Torch not compiled with CUDA enabled",
        {
            "host": {"os": "linux"},
            "environments": _env(torch={"version": "2.1.0", "kind": "rocm"}),
        },
    ),
    "NumPy's harmless warning": (
        (
            "RuntimeWarning: numpy.dtype size changed, may indicate binary"
            " incompatibility. Expected 96, got 88"
        ),
        LINUX,
    ),
    "memory": ("torch.cuda.OutOfMemoryError: CUDA out of memory.", LINUX),
    "program": (
        "RuntimeError: CUDA error: device-side assert triggered",
        {"host": {"os": "linux"}, "environments": _env(torch=TORCH_CU128)},
    ),
    "noise": (
        (
            "Unable to register cuDNN factory: Attempting to register factory"
            " for plugin"
            " cuDNN when one has already been registered\n"
            "TF-TRT Warning: Could not find TensorRT"
        ),
        {},
    ),
    "a companion for CUDA on a Mac": (
        (
            "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was"
            " built for:\n    PyTorch 2.0.1 with CUDA 1106 (you have 2.0.1)"
        ),
        {"host": {"os": "macos", "machine": "arm64"}},
    ),
    "cuBLAS new enough": (
        "cublas runtime error : the GPU program failed to execute",
        {**LINUX, "environments": _env(torch=TORCH_CU128)},
    ),
    "a least capability that this GPU has": (
        "requires a minimum compute capability of 6.0",
        {**LINUX, "gpus": _gpu("Tesla T4", "7.5")},
    ),
    "told unused": ("My GPU is not detected", LINUX),
    "undecided": ("RuntimeError: No CUDA GPUs are available", {}),
    "nothing": ("It does not work, please help", {}),
}


@pytest.mark.parametrize("name", CALM)
def test_no_alarm_without_an_install_cause(name: str, catalogue: Catalogue) -> None:
    text, facts = CALM[name]
    report = _judge(text, facts, catalogue)
    harmless = {"gpu-memory", "not-an-install-problem", "healthy"}
    alarms = [
        f"{f.code} {f.cause} {f.message}"
        for f in report.findings
        if f.severity == "error" and f.cause not in harmless
    ]
    assert not alarms


def test_verdicts(catalogue: Catalogue) -> None:
    def verdict(name: str) -> str:
        return _judge(*CALM[name], catalogue).verdict

    assert verdict("macOS") == "nothing-to-check"
    assert verdict("ROCm") == "nothing-to-check"
    assert verdict("memory") == "healthy"
    assert verdict("program") == "healthy"
    assert verdict("noise") == "healthy"
    assert verdict("undecided") == "not-enough-facts"
    assert verdict("nothing") == "not-enough-facts"


def test_questions_would_decide(catalogue: Catalogue) -> None:
    report = _judge(*CALM["undecided"], catalogue)
    assert 1 <= len(report.questions) <= 2
    assert any("CUDA_VISIBLE_DEVICES" in question for question in report.questions)
    answered = _judge(NO_DEVICE, {"env_vars": {"CUDA_VISIBLE_DEVICES": "0"}}, catalogue)
    assert not any("CUDA_VISIBLE_DEVICES" in q for q in answered.questions)
    assert not _judge(*CALM["memory"], catalogue).questions


def test_a_live_machine_asks_nothing(catalogue: Catalogue) -> None:
    snapshot = replace(_snapshot(NO_DEVICE, {}, catalogue), origin="live")
    assert not judge(snapshot, MATRICES, catalogue=catalogue).questions


def test_numbers_of_the_reporter_are_named(catalogue: Catalogue) -> None:
    facts = {
        "host": {"os": "linux", "distribution_id": "ubuntu", "machine": "x86_64"},
        "driver": {"version": "410.48", "cuda_driver_version": "10.0"},
        "gpus": _gpu("TITAN Xp", "6.1"),
        "environments": _env(
            manager="pip",
            python_version="3.6.9",
            torch=_torch("1.3.0", "10.1", ["3.7", "5.0", "6.0", "7.0", "7.5"]),
        ),
    }
    text = "The NVIDIA driver on your system is too old (found version 10000)."
    first = _judge(text, facts, catalogue).findings[0]
    assert first.code == "FW111"
    assert (
        first.message == "driver 410.48 is too old for torch 1.3.0, built for CUDA 10.1"
    )
    assert first.evidence[-1].value.startswith("The NVIDIA driver on your system")
    assert any("418.39" in fix.why for fix in first.fix)


def test_a_possibility_reads_as_one(catalogue: Catalogue) -> None:
    first = _judge(*CALM["undecided"], catalogue).findings[0]
    assert first.message.startswith("possibly the driver answers")


def test_missing_library_is_named(catalogue: Catalogue) -> None:
    text = "Could not load dynamic library 'libcusolver.so.10'; dlerror: not found"
    first = _judge(text, {}, catalogue).findings[0]
    assert "libcusolver.so.10" in first.message


def test_a_message_supports_the_finding_of_the_facts(catalogue: Catalogue) -> None:
    text, facts, cause = CASES["no kernel, new GPU"]
    found = [f for f in _judge(text, facts, catalogue).findings if f.cause == cause]
    assert [f.code for f in found] == ["FW402"]
    assert any(item.source == "line 1" for item in found[0].evidence)


def test_at_most_three_possibilities(catalogue: Catalogue) -> None:
    lines = [
        "No CUDA GPUs are available",
        "CUDA_ERROR_UNKNOWN",
        "invalid device ordinal",
    ]
    report = _judge("\n".join(lines), {}, catalogue)
    assert 1 <= len(report.findings) <= 3
    assert {f.certainty for f in report.findings} == {"possible"}
    assert {f.severity for f in report.findings} <= {"warning", "info"}
