"""Lightning's tree of bullets."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.lightning import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


SAMPLE = """\
* CUDA:
\t- GPU:
\t\t- Tesla T4
\t\t- Tesla T4
\t- available:         True
\t- version:           11.8
* Packages:
\t- numpy:             1.22.4
\t- torch:             2.0.1+cu118
* System:
\t- OS:                Linux
\t- python:            3.10.11
"""


def test_tree() -> None:
    facts = parse(SAMPLE)
    assert facts is not None
    assert facts.gpus is not None
    assert [gpu.name for gpu in facts.gpus] == ["Tesla T4", "Tesla T4"]
    values = said(facts)
    assert values["torch"] == "2.0.1+cu118"
    assert values["torch_cuda"] == "11.8"
    assert values["torch_gpu"] == "true"
    assert values["python"] == "3.10.11"
    assert values["os"] == "linux"
    assert facts.packages[0].name == "numpy"


def test_a_build_without_cuda() -> None:
    facts = parse(
        "* CUDA:\n    - GPU: None\n    - available: False\n    - version: None\n"
    )
    assert said(facts) == {"torch_gpu": "false", "torch_kind": "cpu"}
