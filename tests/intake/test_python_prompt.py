"""Answers of a Python prompt."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.python_prompt import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


SESSION = """\
>>> torch.__version__
'1.9.0+cu111'
>>> torch.version.cuda
'11.1'
>>> torch.backends.cudnn.version()
8005
>>> torch.cuda.get_device_name(0)
'NVIDIA GeForce RTX 3090'
>>> torch.cuda.get_device_capability()
(8, 6)
"""


def test_session() -> None:
    facts = parse(SESSION)
    assert facts is not None
    assert said(facts) == {
        "torch": "1.9.0+cu111",
        "torch_cuda": "11.1",
        "torch_kind": "cuda",
        "torch_cudnn": "8.0.5",
    }
    assert facts.gpus is not None
    assert facts.gpus[0].name == "NVIDIA GeForce RTX 3090"
    assert str(facts.gpus[0].compute_capability) == "8.6"


def test_one_line_programs() -> None:
    facts = parse('$ python -c "import torch; print(torch.__version__)"\n2.1.0+cpu\n')
    assert said(facts) == {"torch": "2.1.0+cpu"}


def test_nothing_printed_is_none() -> None:
    facts = parse(">>> torch.version.cuda\n>>> torch.__version__\n'1.4.0'\n")
    assert said(facts)["torch_kind"] == "cpu"


def test_a_question_cut_off_has_no_answer() -> None:
    assert parse(">>> torch.version.cuda\n") is None


def test_tensorflow() -> None:
    facts = parse(
        ">>> tf.__version__\n'2.4.1'\n>>> tf.test.is_built_with_cuda()\nFalse\n"
    )
    assert said(facts) == {"tensorflow": "2.4.1", "tensorflow_kind": "cpu"}
