"""`fwdoctor image`: judge a container image from its files, without running it."""

from __future__ import annotations

from typing import Annotated

import typer

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command


@command
def image(
    path: Annotated[
        str,
        typer.Argument(
            help="A root file system, an OCI layout or bundle, or a tar archive of"
            " `docker save` or `docker export`; gzip and zstd are read.",
            metavar="PATH",
        ),
    ],
    platform: Annotated[
        str | None,
        typer.Option(
            help="Which image of several: linux/amd64, linux/arm64.", metavar="OS/ARCH"
        ),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(help="Which image of several, by name or tag.", metavar="TAG"),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(
            help="The environment to judge first, a path inside the image.",
            metavar="PATH",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="Take variables and user from this image configuration (JSON).",
            metavar="FILE",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            help="Set a variable as the container will have it. Repeatable.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(
            help="Fail unless built for CUDA: torch,tensorflow.", metavar="LIST"
        ),
    ] = None,
    fail_on: options.FailOn = "error",
    select: options.Select = None,
    ignore: options.Ignore = None,
    expect: options.Expect = None,
    exit_style: options.ExitStyle = "plain",
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Write the report in a further format: sarif=out.sarif. Repeatable.",
            metavar="FORMAT=FILE",
        ),
    ] = None,
    format_name: options.Format = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """On which host drivers and GPUs does this image run, and what is wrong with it?

    Nothing of the image is run or unpacked; no root, no daemon and no GPU is needed.
    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage error or an image
    that cannot be read, 3 internal error, 4 not enough facts to judge.
    """
    import time

    begun = time.perf_counter()
    from fwdoctor.cli.exit_style import STYLES, errors_styled
    from fwdoctor.cli.imaging import ImageRequest, run_image, unmet
    from fwdoctor.cli.telling import further_formats, tell, write_copies
    from fwdoctor.report.registry import FORMATS

    style = options.one_of(exit_style, STYLES, "--exit-style")
    with errors_styled(style):
        chosen = options.one_of(format_name, tuple(FORMATS), "--format")
        copies = further_formats(also or ())
        request = ImageRequest(
            path=path,
            platform=platform,
            tag=tag,
            python=python,
            config=config,
            env=tuple(env or ()),
            require=options.words(require),
            fail_on=options.one_of(fail_on, ("error", "warning", "never"), "--fail-on"),
            select=options.words(select),
            ignore=options.words(ignore),
            expect=expect,
        )
        report, code = run_image(request)
        for reason, _ in unmet(report, request.require):
            typer.echo(f"fwdoctor: {reason}", err=True)
        look = options.render_options(
            color=color,
            output=output,
            quiet=quiet,
            verbose=verbose,
            seconds=time.perf_counter() - begun,
        )
        number = tell(report, code, chosen, style, look, output)
        write_copies(report, copies, look)
    raise typer.Exit(number)
