"""pip list, freeze and show."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.pip_list import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


TABLE = """\
$ pip list
Package           Version
----------------- ------------
torch             2.0.1+cu118
torch_geometric   2.4.0
onnxruntime-gpu   1.17.0
That is all.
"""


def test_a_table_ends_with_its_rows() -> None:
    facts = parse(TABLE)
    assert facts is not None
    assert {p.name: p.version for p in facts.packages} == {
        "torch": "2.0.1+cu118",
        "torch-geometric": "2.4.0",
        "onnxruntime-gpu": "1.17.0",
    }
    assert said(facts) == {"manager": "pip"}


def test_freeze_lines_with_addresses() -> None:
    facts = parse(
        "numpy==1.26.4\n"
        "torch @ https://download.pytorch.org/whl/torch-2.1.0%2Bcu118-cp310-cp310-"
        "linux_x86_64.whl#sha256=00\n"
    )
    assert facts is not None
    assert {p.name: p.version for p in facts.packages} == {
        "numpy": "1.26.4",
        "torch": "2.1.0+cu118",
    }


def test_names_alone_in_a_list_shortened_by_hand() -> None:
    facts = parse("$ pip list\ncupy-cuda12x\ncupy-cuda13x\nCuPy may not work.\n")
    assert facts is not None
    assert [p.name for p in facts.packages] == ["cupy-cuda12x", "cupy-cuda13x"]


def test_pip_show() -> None:
    facts = parse("Name: tensorflow\nVersion: 2.15.0\nSummary: x\n")
    assert facts is not None
    assert facts.packages[0].version == "2.15.0"


def test_old_tables() -> None:
    facts = parse("$ pip list\ntorch (0.4.1)\nnumpy (1.15.1)\n")
    assert facts is not None
    assert [p.version for p in facts.packages] == ["0.4.1", "1.15.1"]


def test_a_version_in_a_sentence_is_no_list() -> None:
    assert parse("I tried torch 1.13.1 and numpy 1.26") is None
