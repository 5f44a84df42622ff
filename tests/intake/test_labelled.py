"""«Label: value» in all its layouts."""

from __future__ import annotations

import pytest

from fwdoctor.intake.labelled import LabelTable

TABLE = LabelTable(("CUDA version", "CUDA Version (nvidia-smi)", "GPU", "driver"))


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("CUDA version: 11.2", "cuda version", "11.2"),
        ("CUDA version    :   11.2", "cuda version", "11.2"),
        ("* CUDA version: `11.2`", "cuda version", "11.2"),
        ("  - CUDA_version=11.2", "cuda version", "11.2"),
        ("1. CUDA version: 11.2", "cuda version", "11.2"),
        ("CUDA version (e.g. 10.2): 11.2", "cuda version", "11.2"),
        ("### CUDA version\n\n11.2\n", "cuda version", "11.2"),
        ("CUDA version:\n11.2\n", "cuda version", "11.2"),
        ("- CUDA version (e.g. 10.2):\n  11.2\n", "cuda version", "11.2"),
        ("CUDA version 11.2", "cuda version", "11.2"),
        ("CUDA Version (nvidia-smi): 12", "cuda version (nvidia-smi)", "12"),
        ("GPU: RTX 3090", "gpu", "RTX 3090"),
    ],
)
def test_layouts(text: str, label: str, value: str) -> None:
    (field,) = TABLE.iter_fields(text)
    assert (field.label, field.value) == (label, value)
    assert text[field.offset :].lstrip("` ").startswith(value)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA version:",
        "CUDA version: N/A",
        "CUDA version:\n- compiler: gcc 9\n",
        "CUDA version:\nHow it was built: by hand\n",
        "CUDA version:\n\nIt fails with 11.2\n",
        "CUDA version:\n> 11.2 of somebody else\n",
        "### CUDA version\n\n_No response_\n",
        "### CUDA version\n\n### GPU\n",
        "### CUDA version is wrong",
        "the CUDA version: 11.2",
        "GPUs: 4",
        "driverless: 1",
    ],
)
def test_no_fields(text: str) -> None:
    assert list(TABLE.iter_fields(text)) == []


def test_an_answer_of_none_is_kept_where_it_says_something() -> None:
    answers = LabelTable(("torch.version.cuda",), keeps_none=True)
    (field,) = answers.iter_fields("torch.version.cuda: None")
    assert field.value == "None"


def test_fields_come_in_the_order_of_the_text() -> None:
    text = "driver: 535\nGPU: T4\nCUDA version: 12\n"
    assert [field.value for field in TABLE.iter_fields(text)] == ["535", "T4", "12"]
