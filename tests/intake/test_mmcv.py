"""Tables of detectron2 and mmcv."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.mmcv import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


TABLE = """\
----------------------  ----------------------------------------------------------------
sys.platform            linux
Python                  3.6.10 |Anaconda, Inc.| (default, Mar 25 2020) [GCC 7.3.0]
numpy                   1.19.1
PyTorch                 1.5.0 @/opt/conda/lib/python3.6/site-packages/torch
GPU available           True
GPU 0,1                 GeForce GTX TITAN X (arch=5.2)
CUDA_HOME               /usr/local/cuda-10.1
PyTorch built with:
  - CUDA Runtime 10.2
  - NVCC architecture flags: -gencode;arch=compute_37,code=sm_37;-gencode;code=sm_75
  - CuDNN 7.6.5
"""
DICT = (
    "{'sys.platform': 'linux', 'Python': '3.7.7 (default)', 'CUDA available': True,"
    " 'GPU 0': 'GeForce GTX 1060', 'CUDA_HOME': '/usr/local/cuda',"
    " 'NVCC': 'Cuda compilation tools, release 11.3, V11.3.58', 'PyTorch':"
    " '1.11.0+cu113', 'TorchVision': '0.12.0+cu113', 'MMCV': '1.5.0'}"
)


def test_table() -> None:
    facts = parse(TABLE)
    assert facts is not None
    assert facts.gpus is not None
    assert [gpu.name for gpu in facts.gpus] == ["GeForce GTX TITAN X"] * 2
    values = said(facts)
    assert values["torch"] == "1.5.0"
    assert values["torch_cuda"] == "10.2"
    assert values["torch_cudnn"] == "7.6.5"
    assert values["torch_archs"] == "sm_37 sm_75"
    assert values["torch_gpu"] == "true"
    assert values["python"] == "3.6.10"
    assert values["manager"] == "conda"
    assert values["cuda_home"] == "/usr/local/cuda-10.1"


def test_dict() -> None:
    facts = parse(DICT)
    assert facts is not None
    values = said(facts)
    assert values["torch"] == "1.11.0+cu113"
    assert values["nvcc"] == "11.3.58"
    assert values["torch_gpu"] == "true"
    assert {p.name for p in facts.packages} == {"torchvision", "mmcv"}


def test_a_value_that_is_only_a_path_says_nothing() -> None:
    assert parse("sys.platform  @x\nGPU available  @/opt\nPyTorch  @/opt\n") is None
