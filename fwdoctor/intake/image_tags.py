"""What the tag of a well-known image says of the frameworks in it.

tensorflow/tensorflow:2.6.0-gpu-jupyter         TensorFlow 2.6.0 for CUDA
tensorflow/tensorflow:latest                    TensorFlow without CUDA
pytorch/pytorch:1.9.0-cuda10.2-cudnn7-runtime   PyTorch 1.9.0 for CUDA 10.2
nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04     a toolkit and no framework
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "image tag"
# Only where a container is started or built: a sentence may name any image.
_USED = re.compile(
    r"^[^\n]{0,120}?\b(?:docker|podman|nerdctl|singularity|apptainer|FROM|image:)[ \t]"
    r"[^\n]{0,400}?(?=(?:tensorflow/tensorflow|pytorch/pytorch|nvidia/cuda):)",
    re.MULTILINE,
)
_TENSORFLOW = re.compile(
    r"tensorflow/tensorflow:(?:(?P<version>\d\.\d{1,2}\.\d{1,2}(?:rc\d)?)|latest|nightly)"
    r"(?P<gpu>(?:-devel)?-gpu)?(?![\w.])"
)
_TORCH = re.compile(
    r"pytorch/pytorch:(?P<version>\d\.\d{1,2}(?:\.\d{1,2})?)-cuda(?P<cuda>\d{1,2}\.\d)"
    r"-cudnn(?P<cudnn>\d)"
)
_CUDA = re.compile(
    r"nvidia/cuda:(?P<cuda>\d{1,2}\.\d(?:\.\d{1,2})?)(?P<tail>[\w.-]{0,60})"
)
_CUDNN = re.compile(r"-cudnn(\d)")


def parse(text: str) -> Facts | None:
    """The frameworks of the first image that a command of the text uses."""
    if not any(f"/{name}:" in text for name in ("tensorflow", "pytorch", "cuda")):
        return None
    found = Collector(SOURCE, text)
    used = _USED.search(text)
    if used is None:
        return None
    _read_tensorflow(found, _TENSORFLOW.match(text, used.end()))
    _read_torch(found, _TORCH.match(text, used.end()))
    _read_toolkit(found, _CUDA.match(text, used.end()))
    return found.facts()


def _read_tensorflow(found: Collector, match: re.Match[str] | None) -> None:
    if match is None:
        return
    found.add_match("tensorflow", match, "version")
    package = "tensorflow" if match["gpu"] else "tensorflow-cpu"
    found.add("tensorflow_package", package, match.start())
    found.add("tensorflow_kind", "cuda" if match["gpu"] else "cpu", match.start())


def _read_torch(found: Collector, match: re.Match[str] | None) -> None:
    found.add_match("torch", match, "version")
    found.add_match("torch_cuda", match, "cuda")
    if match:
        found.add("torch_kind", "cuda", match.start())


def _read_toolkit(found: Collector, match: re.Match[str] | None) -> None:
    """Development images have nvcc; the others the libraries of a toolkit only."""
    if match is None:
        return
    if "-devel" in match["tail"]:
        found.add_match("nvcc", match, "cuda")
    else:
        found.add_match("cuda_name", match, "cuda")
    cudnn = _CUDNN.match(match["tail"])
    if cudnn:
        found.add("cudnn", cudnn[1], match.start())
