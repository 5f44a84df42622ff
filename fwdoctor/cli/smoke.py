"""`fwdoctor smoke`: train MNIST in each framework and prove what happened."""

from __future__ import annotations

from typing import Annotated

import typer

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command


@command
def smoke(
    framework: Annotated[
        str,
        typer.Argument(help="torch, tensorflow or all.", metavar="FRAMEWORK"),
    ] = "all",
    python: Annotated[
        str | None,
        typer.Option(
            help="Train with this interpreter or virtual environment.", metavar="PATH"
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(help="Train in this venv or conda environment.", metavar="DIR"),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:1.", metavar="DEVICE")
    ] = "auto",
    all_gpus: Annotated[
        bool,
        typer.Option(
            "--all-gpus", help="Each GPU alone, then together; two processes on a CPU."
        ),
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Models: dense, cnn, mlp50, mlp64, cnn128, or all. [dense,cnn]",
            metavar="LIST",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Train on all 60,000 images, test on all 10,000."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(help="mnist.npz, or a folder of IDX files.", metavar="PATH"),
    ] = None,
    download: Annotated[
        bool,
        typer.Option("--download", help="Let the framework download the whole set."),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(help="Stop a child that takes longer.", metavar="N"),
    ] = None,
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Fail when no GPU was trained on.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also torch.compile and XLA.")
    ] = False,
    expect: options.Expect = None,
    format_name: options.Format = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train MNIST on the detected GPU, in each framework, and prove it.

    Uses the examined environment's own Python, in child processes with a deadline. The
    images come with fwdoctor; nothing is downloaded unless --download is given.
    Exit codes: 0 everything asked for trained well, 1 findings, 2 usage error or
    unreadable input, 3 internal error, 4 nothing could be tested.
    """
    import time

    begun = time.perf_counter()
    from fwdoctor.cli.boundary import emit
    from fwdoctor.cli.smoking import SmokeCommand, run_smoke_command
    from fwdoctor.report.registry import FORMATS, render

    chosen = options.one_of(format_name, tuple(FORMATS), "--format")
    request = SmokeCommand(
        framework=options.one_of(
            framework, ("torch", "tensorflow", "all"), "FRAMEWORK"
        ),
        python=python,
        prefix=prefix,
        device=device,
        all_gpus=all_gpus,
        presets=preset,
        is_full=full,
        data=data,
        may_download=download,
        seconds=seconds,
        require_gpu=require_gpu,
        is_deep=deep,
        is_quiet=quiet,
        expect=expect,
    )
    report, code = run_smoke_command(request)
    look = options.render_options(
        color=color,
        output=output,
        quiet=quiet,
        verbose=verbose,
        seconds=time.perf_counter() - begun,
    )
    emit(render(report, chosen, look), output)
    raise typer.Exit(int(code))
