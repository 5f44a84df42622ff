"""Environment variables as shells and Python set them."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.variables import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export CUDA_VISIBLE_DEVICES=1", {"CUDA_VISIBLE_DEVICES": "1"}),
        ("export CUDA_VISIBLE_DEVICES=", {"CUDA_VISIBLE_DEVICES": ""}),
        ("set CUDA_VISIBLE_DEVICES=0", {"CUDA_VISIBLE_DEVICES": "0"}),
        ('$env:CUDA_VISIBLE_DEVICES = "0"', {"CUDA_VISIBLE_DEVICES": "0"}),
        (
            'os.environ["CUDA_VISIBLE_DEVICES"] = "-1"',
            {"CUDA_VISIBLE_DEVICES": "-1"},
        ),
        ("CUDA_VISIBLE_DEVICES=2 python train.py", {"CUDA_VISIBLE_DEVICES": "2"}),
        ("ENV CUDA_HOME=/opt/cuda", {"CUDA_HOME": "/opt/cuda"}),
        (
            "$ echo $LD_LIBRARY_PATH\n/usr/local/cuda/lib64:/opt/x",
            {"LD_LIBRARY_PATH": "/usr/local/cuda/lib64:/opt/x"},
        ),
        (
            "dlerror: x; LD_LIBRARY_PATH: /usr/local/cuda-10.2/lib64",
            {"LD_LIBRARY_PATH": "/usr/local/cuda-10.2/lib64"},
        ),
    ],
)
def test_settings(text: str, expected: dict[str, str]) -> None:
    facts = parse(text)
    assert facts is not None
    assert facts.env_vars == expected


def test_other_variables_and_secrets_stay_out() -> None:
    facts = parse("export HF_TOKEN=abc\nexport MY_NAME=me\nCUDA_CACHE_KEY=1\n")
    assert said(facts) == {}
    assert facts is None
