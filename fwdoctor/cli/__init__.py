"""The command line: the only folder that imports typer; one file per command.

Command modules import nothing heavy at the top; each imports what it needs in its body.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from fwdoctor.cli.plain_values import Command, Group

if TYPE_CHECKING:
    from collections.abc import Iterable

# Each is a file here with a function of the same name; `--help` keeps this order.
COMMANDS = (
    "check",
    "snapshot",
    "triage",
    "explain",
    "rules",
    "matrix",
    "recommend",
    "env",
    "translate",
    "smoke",
    "image",
)


def make_app(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        name="fwdoctor",
        cls=Group,
        help="GPU install doctor for PyTorch and TensorFlow.",
        epilog="Start with: fwdoctor check --python .venv",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_main)
    for name in commands:
        module = import_module(f"fwdoctor.cli.{name}")
        app.command(name, cls=Command)(getattr(module, name))
    return app


def _main(
    version: bool = typer.Option(  # typer declares flags as booleans
        False, "--version", "-V", help="Print the version and exit."
    ),
) -> None:
    if version:
        from fwdoctor import __version__

        typer.echo(f"fwdoctor {__version__}")
        raise typer.Exit


def run() -> None:
    """Run the command line; exits with a documented code."""
    asked = sys.argv[1:2]
    # typer reads the options of every command it is given: hand it the one asked for.
    make_app(asked if asked and asked[0] in COMMANDS else COMMANDS)()
