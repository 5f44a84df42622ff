"""Whatever is pasted gives a snapshot: no text raises, none takes long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwdoctor.intake.catalogue import Catalogue, load_catalogue
from fwdoctor.intake.reading import read_report
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import decode_snapshot, encode

MATRICES = Matrices()
CATALOGUE: Catalogue = load_catalogue(MATRICES.folder / "messages")
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.txt"))
PREFIX_STEP = 200
SECONDS = 1.0  # a pattern that backtracks takes minutes; a busy machine is slow

# Pieces of every format, whole and broken, to be put together at random.
FRAGMENTS = (
    "PyTorch version: 2.0.1+cu117\n",
    "CUDA used to build PyTorch: None\n",
    "Is CUDA available: No\n",
    "GPU models and configuration: \nGPU 0: NVIDIA GeForce RTX 3090\nGPU 7: Tesla K80",
    "Nvidia driver version: 390\n",
    "[pip3] torch==2.0.1\n[conda] pytorch 1.9.0 py3.8_cpu_0 pytorch\n",
    "| NVIDIA-SMI 535.54.03   Driver Version: 535.54.03   CUDA Version: 12.2 |\n",
    "|   0  NVIDIA GeForce ...  Off  | 00000000:01:00.0 Off |  N/A |\n",
    "| N/A   32C    P0    45W / 400W   |   87MiB / 40960MiB   |   N/A  Default  |\n",
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d2f7a34-1111-2222-3333-444444444444)\n",
    "name, driver_version, compute_cap\nTesla T4, 470.57.02, 7.5\n",
    "Failed to initialize NVML: Driver/library version mismatch\n",
    "NVML library version: 550.54\n",
    "No devices were found\n",
    "### GPU model and memory\n\n8x A100 / 8x H100\n",
    "* **CUDA/cuDNN version**: `CUDA11.0/ cuDNN8`\n",
    "$ pip list\nPackage Version\n------- -------\ntorch 2.0.1\nonnxruntime\n",
    "# packages in environment at /opt/conda:\npytorch 1.9.0 py3.8_cuda11.1_cudnn8_0\n",
    "dependencies:\n  - pytorch=1.9.0=py3.8_cpu_0\n  - pip:\n    - torch==2.0\n",
    "$ pip3 install torch===1.3.0 -f https://download.pytorch.org/whl/torch_stable.html",
    "conda create -n x python=3.6 pytorch cudatoolkit=10.2 -c pytorch",
    "docker run -it --gpus all -e NVIDIA_VISIBLE_DEVICES=all -v a:b image:tag ls",
    "FROM tensorflow/tensorflow:2.6.0-gpu\n",
    "(from versions: 2.2.0, 2.2.1, none)",
    "ERROR: Could not find a version that satisfies the requirement torch==1.8.1+cu102",
    "Successfully installed torch-2.0.1 numpy-1.26.4\n",
    "NVRM: Xid (PCI:0000:3b:00): 79, pid=123, name=python, fallen off.\n",
    "export CUDA_VISIBLE_DEVICES=\nos.environ['CUDA_VISIBLE_DEVICES'] = '-1'\n",
    "The NVIDIA driver on your system is too old (found version 10010).",
    "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with",
    "supports CUDA capabilities sm_37 sm_50 compute_70.",
    "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
    "(device: 0, name: RTX 3070, pci bus id: 0000:01:00.0, compute capability: 8.6)",
    "Loaded runtime CuDNN library: 8.0.5 but source was compiled with: 8.1.0.",
    "I use torch 2.3.0+cu121, a RTX 3090, driver 535, CUDA 12.2, on Windows 11 (WSL2).",
    "On an NVIDIA Jetson board, JetPack 5.1.2 / L4T R35.4.1 (aarch64).",
    "python 3.6.10 |Anaconda, Inc.| (default, Mar 25 2020, 23:51:54) [GCC 7.3.0]",
    "/opt/conda/envs/dl/lib/python3.8/site-packages/torch/cuda/__init__.py",
    "C:\\Users\\x\\AppData\\Local\\Programs\\Python\\Python310\\lib\\site-packages\\torch",
    "torch.cuda.is_available() -> False",
    "\n",
    " ",
    "```\n",
    "> ",
    ": ",
    "| ",
    "\u3001\uff1a",
)


def check(text: str) -> None:
    """The snapshot of a text, written as JSON and read again, is the same."""
    snapshot = read_report(text, catalogue=CATALOGUE, matrices=MATRICES)
    assert decode_snapshot(json.loads(json.dumps(encode(snapshot)))) == snapshot


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=400))
def test_any_text_gives_a_snapshot(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), max_size=14),
    st.integers(0, 3),
)
def test_any_mixture_of_formats_gives_a_snapshot(parts: list[str], cut: int) -> None:
    text = "".join(parts)
    check(text[cut:])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_prefix_of_a_sample_gives_a_snapshot(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for end in range(0, len(text), PREFIX_STEP):
        check(text[:end])
    check("\n".join(line[: len(line) // 2] for line in text.splitlines()))


@pytest.mark.parametrize(
    "piece", [*FRAGMENTS, "a", "=", ".", "1.", "/a", "(", '"', "-"]
)
def test_twenty_kilobytes_of_one_piece_take_no_time(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.process_time()
    read_report(text, catalogue=CATALOGUE, matrices=MATRICES)
    assert time.process_time() - start < SECONDS
