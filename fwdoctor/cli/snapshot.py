"""`fwdoctor snapshot`: the machine's facts as JSON, redacted."""

from __future__ import annotations

from typing import Annotated

import typer

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command


@command
def snapshot(
    python: options.Python = None,
    prefix: options.Prefix = None,
    raw: Annotated[
        str | None,
        typer.Option(
            help="Also keep the raw text of every source in DIR.", metavar="DIR"
        ),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also import the frameworks, in child processes."),
    ] = False,
    output: options.Output = None,
) -> None:
    """Write the machine's facts as JSON, without user names, hosts or tokens."""
    from fwdoctor.cli.boundary import emit
    from fwdoctor.cli.checking import CheckRequest, take_snapshot
    from fwdoctor.cli.snapshot_file import snapshot_text

    taken = take_snapshot(
        CheckRequest(python=python, prefix=prefix, is_deep=deep, raw_folder=raw)
    )
    emit(snapshot_text(taken), output)
