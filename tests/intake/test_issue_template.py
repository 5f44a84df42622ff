"""Fields of issue forms, in the three generations and edited by hand."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.issue_template import parse
from fwdoctor.intake.normalise import normalise


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


FIELDS = {
    "TensorFlow version": ("2.5.0.dev20201027 (tf-nightly)", "tensorflow"),
    "OS platform and distribution": ("Ubuntu 20.04", "distribution"),
    "Python version": ("3.8", "python"),
    "NVIDIA driver version": ("455.45.01", "driver"),
    "CUDA version": ("11.2.0", "cuda_name"),
    "cuDNN version": ("8.0.5.39", "cudnn"),
}
LAYOUTS = {
    "bold": "* **{}**: `{}`\n",
    "dash": "- {}: {}\n",
    "bare": "{} {}\n",
    "heading": "### {}\n\n{}\n\n",
    "full-width": "{}\uff1a{}\n",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(layout: str) -> None:
    text = "".join(layout.format(label, value) for label, (value, _) in FIELDS.items())
    values = said(parse(normalise(text)))
    for value, name in FIELDS.values():
        assert values[name] == value.split(" (")[0]
    assert values["tensorflow_package"] == "tf-nightly"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("- CUDA/cuDNN version: CUDA11.0/ cuDNN8", {"cuda_name": "11.0", "cudnn": "8"}),
        ("- CUDA/cuDNN version: 11.6r11.6/8.6", {"cuda_name": "11.6", "cudnn": "8.6"}),
        ("- CUDA/cuDNN version: unknown/unknown", {}),
        ("- CUDA Version (nvidia-smi): 12.2", {"driver_cuda": "12.2"}),
        ("- NVIDIA driver version: other than 535.183.01", {}),
        ("- torch.version.cuda: None", {"torch_kind": "cpu"}),
        ("- torch.cuda.is_available(): No", {"torch_gpu": "false"}),
        ("- tf.test.is_built_with_cuda(): False", {"tensorflow_kind": "cpu"}),
        ("nvcc 11.3.58", {"nvcc": "11.3.58"}),
        ("cuDNN version incompatibility: PyTorch was compiled against (8, 7, 0)", {}),
        ("CUDA is not available", {}),
        ("### CUDA version\n\n_No response_\n", {}),
        ("### CUDA version\n\n### Python version\n\n3.9\n", {"python": "3.9"}),
    ],
)
def test_values(line: str, expected: dict[str, str]) -> None:
    assert said(parse(line)) == expected


def test_gpus() -> None:
    facts = parse("- GPU model and memory: 2x GTX 1050 Ti 4GB\n")
    assert facts is not None
    assert facts.gpus is not None
    assert [gpu.name for gpu in facts.gpus] == ["GTX 1050 Ti 4GB"] * 2
    assert facts.gpus[0].memory_bytes == 4 * 1024**3
    other = parse("- GPU model and memory: AMD Radeon RX 6800\n")
    assert other is not None
    assert other.gpus is None
    assert other.vendors == ("amd",)
    assert said(parse("- GPU model and memory: 8 GPUs\n")) == {"gpu_count": "8"}


def test_a_form_in_chinese() -> None:
    facts = parse(
        "- \u663e\u5361\u578b\u53f7: GeForce GTX 1650\n"
        "- \u9a71\u52a8\u7248\u672c: 460.80\n"
        "- CUDA\u7248\u672c: 11.2\n"
        "- \u7cfb\u7edf: Ubuntu 20.04\n"
    )
    assert facts is not None
    values = {name: fact.value for name, fact in facts.values.items()}
    assert values["driver"] == "460.80"
    assert values["cuda_name"] == "11.2"
    assert values["distribution"] == "Ubuntu 20.04"
    assert [gpu.name for gpu in facts.gpus or ()] == ["GeForce GTX 1650"]
