"""The command line: the only folder that imports typer; one file per command.

Command modules import nothing heavy at the top; each imports what it needs in its body.
"""

from __future__ import annotations

import typer

from fwdoctor.cli import (
    check,
    env,
    explain,
    image,
    matrix,
    recommend,
    rules,
    smoke,
    snapshot,
    translate,
    triage,
)

app = typer.Typer(
    name="fwdoctor",
    help="GPU install doctor for PyTorch and TensorFlow.",
    epilog="Start with: fwdoctor check --python .venv",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(check.check)
app.command()(snapshot.snapshot)
app.command()(triage.triage)
app.command()(explain.explain)
app.command()(rules.rules)
app.command()(matrix.matrix)
app.command()(recommend.recommend)
app.command()(env.env)
app.command()(translate.translate)
app.command()(smoke.smoke)
app.command()(image.image)


@app.callback(invoke_without_command=True)
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
    app()
