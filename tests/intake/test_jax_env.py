"""JAX reports and ONNX Runtime lines."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.jax_env import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


SAMPLE = """\
jax:    0.4.31
jaxlib: 0.4.31
numpy:  1.26.4
python: 3.12.5 (main, Aug 14 2024, 05:08:31) [Clang 18.1.8]
jax.devices (1 total, 1 local): [CudaDevice(id=0)]
platform: uname_result(system='Linux', node='x', release='5.15.0-118', machine='x86_64')
"""


def test_environment_report() -> None:
    facts = parse(SAMPLE)
    assert facts is not None
    assert {p.name: p.version for p in facts.packages}["jaxlib"] == "0.4.31"
    values = said(facts)
    assert values["python"] == "3.12.5"
    assert values["os"] == "linux"
    assert values["machine"] == "x86_64"


def test_onnx_runtime_in_a_sentence() -> None:
    facts = parse("I use onnxruntime-gpu 1.17.1 here")
    assert facts is not None
    assert facts.packages[0].name == "onnxruntime-gpu"
