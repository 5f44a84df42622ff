"""Install lines, taken apart."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.install_commands import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


@pytest.mark.parametrize(
    ("text", "tool", "requirements", "sources"),
    [
        (
            "$ pip3 install torch==1.8.1+cu102 -f https://download.pytorch.org/whl/x",
            "pip",
            ("torch==1.8.1+cu102",),
            ("https://download.pytorch.org/whl/x",),
        ),
        (
            "(base) C:\\> conda install -c pytorch pytorch=1.9.0 cudatoolkit=11.3",
            "conda",
            ("pytorch=1.9.0", "cudatoolkit=11.3"),
            ("pytorch",),
        ),
        (
            "conda create -n x python=3.6 pytorch -c pytorch -c conda-forge",
            "conda",
            ("python=3.6", "pytorch"),
            ("pytorch", "conda-forge"),
        ),
        ('uv add "torch>=2.6"', "uv", ("torch>=2.6",), ()),
        (
            "uv pip install torch --index-url=https://download.pytorch.org/whl/cu128",
            *("uv", ("torch",), ("https://download.pytorch.org/whl/cu128",)),
        ),
        ("RUN python3 -m pip install jax[cuda12]", "pip", ("jax[cuda12]",), ()),
        ("!pip install -U -q tensorflow", "pip", ("tensorflow",), ()),
    ],
)
def test_commands(
    text: str, tool: str, requirements: tuple[str, ...], sources: tuple[str, ...]
) -> None:
    facts = parse(text)
    assert facts is not None
    command = facts.commands[0]
    assert (command.tool, command.requirements, command.sources) == (
        *(tool, requirements, sources),
    )


def test_a_wheel_is_a_pin_and_its_address_a_source() -> None:
    url = (
        "https://download.pytorch.org/whl/cu100/torch-1.0.1-cp35-cp35m-linux_x86_64.whl"
    )
    facts = parse(f"pip3 install {url}")
    assert facts is not None
    assert facts.commands[0].requirements == ("torch==1.0.1",)
    assert facts.commands[0].sources == (url,)


def test_a_sentence_goes_on_after_its_command() -> None:
    facts = parse("I ran pip install torch==1.13.1 and then it failed with an error")
    assert facts is not None
    assert facts.commands[0].requirements == ("torch==1.13.1",)


def test_two_commands_in_a_line() -> None:
    facts = parse(
        "$ pip install nvidia-pyindex; pip install nvidia-tensorflow[horovod]"
    )
    assert facts is not None
    assert [c.requirements for c in facts.commands] == [
        *(("nvidia-pyindex",), ("nvidia-tensorflow[horovod]",))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Please install the package with `pip install tf-keras`.",
        "You should try `pip install torch==1.7.1`",
        "# pip install torch",
    ],
)
def test_advice_is_no_command(text: str) -> None:
    facts = parse(text)
    assert facts is None or not facts.commands


def test_secrets_stay_out() -> None:
    facts = parse("pip install torch -i https://me:secret@example.org/simple")
    assert facts is not None
    assert "secret" not in f"{facts.commands[0].text} {facts.commands[0].sources}"
    assert said(facts) == {"manager": "pip"}
