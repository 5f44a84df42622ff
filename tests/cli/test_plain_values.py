"""Options taken as typed: the same values and errors as in typer's own way."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner, Result

from fwdoctor.cli.plain_values import Command


def shown(
    words: Annotated[list[str], typer.Argument()],
    text: Annotated[str | None, typer.Option()] = None,
    usual: Annotated[str, typer.Option()] = "usual",
    many: Annotated[list[str] | None, typer.Option()] = None,
    number: Annotated[float | None, typer.Option()] = None,
    flag: Annotated[bool, typer.Option("--flag")] = False,
) -> None:
    print(repr((words, text, usual, many, number, flag)))


def run(cls: type[typer.core.TyperCommand], line: str) -> Result:
    app = typer.Typer(add_completion=False)
    app.command(cls=cls)(shown)
    return CliRunner().invoke(app, line.split(" ") if line else [])


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a b --text x --many p --many q --flag",
        "a --text= --usual ",
        "a --number 2.5",
        "a --number much",
        "a --text",
        "a --unknown",
        "",
        "--help",
    ],
)
def test_values_and_errors_are_those_of_typer(line: str) -> None:
    ours, theirs = run(Command, line), run(typer.core.TyperCommand, line)
    assert (ours.exit_code, ours.output) == (theirs.exit_code, theirs.output)


def test_the_values_are_those_typed() -> None:
    assert run(Command, "a b --text x --many p --number 2").output == (
        "(['a', 'b'], 'x', 'usual', ['p'], 2.0, False)\n"
    )
