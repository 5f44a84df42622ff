"""`fwdoctor check`: probe this machine, judge, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command

if TYPE_CHECKING:
    from fwdoctor.cli.checking import CheckRequest
    from fwdoctor.report.registry import RenderOptions


@command
def check(
    python: options.Python = None,
    prefix: options.Prefix = None,
    snapshot: Annotated[
        str | None,
        typer.Option(
            help="Judge a saved snapshot; - is standard input.", metavar="FILE"
        ),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            help="Replace a fact: driver=550.54.14, gpu='RTX 4090'. Repeatable.",
            metavar="FACT=VALUE",
        ),
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(help="Fail unless usable: gpu,torch,tensorflow.", metavar="LIST"),
    ] = None,
    fail_on: options.FailOn = "error",
    select: options.Select = None,
    ignore: options.Ignore = None,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also import the frameworks, in child processes."),
    ] = False,
    smoke: Annotated[
        bool,
        typer.Option("--smoke", help="After a clean check, also train MNIST."),
    ] = False,
    expect: options.Expect = None,
    image_build: Annotated[
        bool,
        typer.Option(
            "--image-build",
            help="For a RUN line of an image build: no GPU is expected here.",
        ),
    ] = False,
    exit_style: options.ExitStyle = "plain",
    format_name: options.Format = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Can PyTorch and TensorFlow use this machine's GPU, and if not, why?

    Reads files and asks the driver; no framework is imported unless --deep is given.
    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage error or unreadable
    input, 3 internal error, 4 not enough facts to judge what was required.
    """
    import time

    begun = time.perf_counter()
    from fwdoctor.cli.checking import CheckRequest
    from fwdoctor.cli.exit_style import STYLES, errors_styled
    from fwdoctor.report.registry import FORMATS

    style = options.one_of(exit_style, STYLES, "--exit-style")
    with errors_styled(style):
        chosen = options.one_of(format_name, tuple(FORMATS), "--format")
        request = CheckRequest(
            python=python,
            prefix=prefix,
            snapshot=snapshot,
            assume=tuple(assume or ()),
            require=options.words(require),
            fail_on=options.one_of(fail_on, ("error", "warning", "never"), "--fail-on"),
            select=options.words(select),
            ignore=options.words(ignore),
            is_deep=deep,
            is_smoke=smoke,
            is_quiet=quiet,
            expect=expect,
            is_image_build=image_build,
        )
        look = options.render_options(
            color=color, output=output, quiet=quiet, verbose=verbose
        )
        code = _check_and_tell(request, chosen, style, look, output, begun)
    raise typer.Exit(code)


def _check_and_tell(
    request: CheckRequest,
    format_name: str,
    style: str,
    look: RenderOptions,
    output: str | None,
    begun: float,
) -> int:
    import time
    from dataclasses import replace

    from fwdoctor.cli.checking import run_check
    from fwdoctor.cli.telling import tell

    report, code = run_check(request)
    timed = replace(look, seconds=time.perf_counter() - begun)
    told = tell(report, code, format_name, style, timed, output)
    if look.verbosity > 0:
        _warn_of_old_data()
    return told


def _warn_of_old_data() -> None:
    from fwdoctor.cli import data_age
    from fwdoctor.matrices.load import Matrices

    note = data_age.find_note(Matrices(), data_age.today())
    if note:
        typer.echo(f"warning: {note}", err=True)
