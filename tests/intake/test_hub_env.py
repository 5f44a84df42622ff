"""transformers env and diffusers-cli env."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.hub_env import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


SAMPLE = """\
- `transformers` version: 4.27.4
- Platform: Linux-5.4.0-144-generic-x86_64-with-glibc2.31
- Python version: 3.8.13
- PyTorch version (GPU?): 1.12.1+cu116 (False)
- Tensorflow version (GPU?): 2.11.0 (True)
- Accelerator: NVIDIA GeForce RTX 3090, 24576 MiB
"""


def test_versions_and_what_is_usable() -> None:
    facts = parse(SAMPLE)
    assert facts is not None
    values = said(facts)
    assert values["torch"] == "1.12.1+cu116"
    assert values["torch_gpu"] == "false"
    assert values["tensorflow"] == "2.11.0"
    assert values["tensorflow_gpu"] == "true"
    assert values["python"] == "3.8.13"
    assert values["os"] == "linux"
    assert facts.gpus is not None
    assert facts.gpus[0].name == "NVIDIA GeForce RTX 3090"


def test_what_is_not_installed_is_not_told() -> None:
    facts = parse("- PyTorch version (GPU?): not installed (NA)\n")
    assert "torch" not in said(facts)
