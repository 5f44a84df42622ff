"""Paths in tracebacks: Python, manager, operating system."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.file_paths import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'File "/opt/conda/envs/dl/lib/python3.8/site-packages/torch/__init__.py"',
            {"python": "3.8", "os": "linux", "manager": "conda"},
        ),
        (
            "/usr/lib/python3.10/dist-packages/tensorflow/__init__.py",
            {"python": "3.10", "os": "linux"},
        ),
        (
            "C:\\Users\\x\\Python\\Python310\\lib\\site-packages\\torch",
            {"os": "windows", "python": "3.10"},
        ),
        (
            "flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so: undefined symbol",
            {"python": "3.10", "machine": "x86_64", "os": "linux"},
        ),
    ],
    ids=["conda", "system", "windows", "extension"],
)
def test_paths(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected


def test_other_paths_say_nothing() -> None:
    assert parse("cat /etc/os-release") is None


@pytest.mark.parametrize(
    "text",
    ["/Users/me/torch/install/bin/luajit: error", "me-MacBook-Air:work me$ python"],
)
def test_a_home_of_macos(text: str) -> None:
    assert said(parse(text))["os"] == "macos"


@pytest.mark.parametrize(
    "text",
    ["C:/Users/me/torch", "/mnt/c/Users/me/torch", "https://x.org/Users/me/"],
)
def test_homes_of_other_systems(text: str) -> None:
    assert said(parse(text)).get("os") != "macos"
