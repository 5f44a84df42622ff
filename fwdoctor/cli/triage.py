"""`fwdoctor triage`: read pasted text, name the cause."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command

if TYPE_CHECKING:
    from fwdoctor.cli.triaging import Triage
    from fwdoctor.errors import ExitCode
    from fwdoctor.model.finding import Report

PROGRESS_FROM = 20  # fewer inputs need no progress line


@command
def triage(
    files: Annotated[
        list[str],
        typer.Argument(help="Files to read; - is standard input.", metavar="FILE..."),
    ],
    fail_on: options.FailOn = "error",
    format_name: options.Format = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Name the cause behind a pasted report: logs, tables, lists, tracebacks.

    Reads any mixture of collect_env, nvidia-smi, pip and conda lists, TensorFlow logs
    and error messages. Nothing in the text is executed or followed. Exit codes as for
    check; 4 when the text does not hold enough to go by.
    """
    from fwdoctor.cli.boundary import emit
    from fwdoctor.cli.triaging import Triage
    from fwdoctor.report.registry import FORMATS, render

    chosen = options.one_of(format_name, tuple(FORMATS), "--format")
    level = options.one_of(fail_on, ("error", "warning", "never"), "--fail-on")
    look = options.render_options(
        color=color, output=output, quiet=quiet, verbose=verbose
    )
    triaging = Triage()
    codes: list[ExitCode] = []
    texts: list[str] = []
    for count, name in enumerate(files, 1):
        report, code = _judge(triaging, name, level)
        codes.append(code)
        text = render(report, chosen, look) if report is not None else ""
        if output is None:
            emit(text, None)
        else:
            texts.append(text)
        _say_progress(count, len(files))
    if output is not None:
        emit("".join(texts), output)
    raise typer.Exit(int(_worst(codes)))


def _judge(triaging: Triage, name: str, level: str) -> tuple[Report | None, ExitCode]:
    """One input's report; a fault of one input never stops the others."""
    from fwdoctor.cli.boundary import say_internal
    from fwdoctor.errors import ExitCode, UsageError
    from fwdoctor.report.visible import visible

    try:
        return triaging.judge_file(name, fail_on=level)
    except UsageError as error:
        hint = f" ({error.hint})" if error.hint else ""
        typer.echo(f"fwdoctor: {visible(error.message)}{hint}", err=True)
        return None, ExitCode.USAGE
    except Exception as error:  # one input of many
        typer.echo(f"fwdoctor: {visible(name)} could not be judged", err=True)
        say_internal(error)
        return None, ExitCode.INTERNAL


def _say_progress(count: int, total: int) -> None:
    if total >= PROGRESS_FROM and (count % 50 == 0 or count == total):
        ending = "\n" if count == total else "\r"
        print(f"{count} of {total} reports", end=ending, file=sys.stderr)


def _worst(codes: list[ExitCode]) -> ExitCode:
    """Our own fault first, then unreadable input, findings, too few facts."""
    from fwdoctor.errors import ExitCode

    order = (
        ExitCode.INTERNAL,
        ExitCode.USAGE,
        ExitCode.FINDINGS,
        ExitCode.NOT_ENOUGH_FACTS,
        ExitCode.OK,
    )
    return next(code for code in order if code in codes)
