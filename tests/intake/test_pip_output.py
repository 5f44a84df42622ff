"""What pip prints while it installs."""

from __future__ import annotations

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.pip_output import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


def test_offers() -> None:
    facts = parse(
        "ERROR: Could not find a version that satisfies the requirement"
        " tensorflow>=2.14.0 (from versions: 2.2.0, 2.2.1, ... 2.13.1)\n"
    )
    assert facts is not None
    assert facts.commands[0].requirements == ("tensorflow>=2.14.0",)
    assert facts.commands[0].offered == ("2.2.0", "2.2.1", "2.13.1")


def test_no_offer_is_an_answer() -> None:
    facts = parse("satisfies the requirement torch (from versions: none)\n")
    assert facts is not None
    assert facts.commands[0].offered == ()


def test_an_offer_to_a_requirements_file() -> None:
    facts = parse(
        "ERROR: Could not find a version that satisfies the requirement torch==1.1.0"
        " (from -r requirements.txt (line 9)) (from versions: 1.7.0, 1.7.1)\n"
    )
    assert facts is not None
    assert facts.commands[0].requirements == ("torch==1.1.0",)
    assert facts.commands[0].offered == ("1.7.0", "1.7.1")


def test_wheels_tell_python_and_platform() -> None:
    facts = parse(
        "Downloading torch-2.0.1-cp311-cp311-manylinux1_x86_64.whl (619.9 MB)\n"
        "Successfully installed numpy-1.26.4 torch-2.0.1\n"
    )
    assert facts is not None
    assert {p.name: p.version for p in facts.packages} == {
        "torch": "2.0.1",
        "numpy": "1.26.4",
    }
    assert said(facts) == {"python": "3.11", "os": "linux", "machine": "x86_64"}


def test_a_refused_wheel_tells_nothing_of_this_python() -> None:
    facts = parse(
        "ERROR: torch-1.0.1-cp35-cp35m-linux_x86_64.whl is not a supported wheel on"
        " this platform.\n"
    )
    assert said(facts) == {}


def test_what_was_there_already() -> None:
    facts = parse(
        "Requirement already satisfied: torch in /usr/lib/python3/dist-packages"
        " (1.13.1)\n"
    )
    assert facts is not None
    assert facts.packages[0].version == "1.13.1"


def test_what_pip_says_of_the_interpreter() -> None:
    facts = parse(
        '    "platform_machine": "ARM64",\n    "platform_system": "Windows",\n'
        '    "python_full_version": "3.12.5",\n'
    )
    assert said(facts) == {
        "machine": "aarch64",
        "os": "windows",
        "distribution": "Windows",
        "python": "3.12.5",
    }
