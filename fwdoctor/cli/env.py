"""`fwdoctor env`: environment files that will work on this driver and GPU."""

from __future__ import annotations

from typing import Annotated

import typer

from fwdoctor.cli import planning
from fwdoctor.cli.boundary import command


@command
def env(
    files: Annotated[
        list[str],
        typer.Argument(
            help="environment.yml, requirements.txt, pyproject.toml, pixi.toml,"
            " pylock.toml, uv.lock, conda-lock.yml, Dockerfile, devcontainer.json.",
            metavar="FILE…",
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            help="The kind of file, where its name does not say.", metavar="K"
        ),
    ] = None,
    frameworks: planning.For = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(help="'torch>=2.6,<2.9'. Repeatable.", metavar="SPEC"),
    ] = None,
    target: planning.TargetOption = None,
    snapshot: planning.SnapshotOption = None,
    python: planning.Python = None,
    manager: planning.ManagerOption = None,
    companions: planning.With = None,
    prefer: planning.Prefer = "newest",
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that are there.")
    ] = False,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Print the file instead of writing it.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Resolve it for real (network) and compare."),
    ] = False,
    old_pixi: Annotated[
        bool,
        typer.Option("--old-pixi", help="pixi.toml with [system-requirements]."),
    ] = False,
    conda: Annotated[
        str | None,
        typer.Option(
            help="The conda, mamba or micromamba for conda-lock.", metavar="PROGRAM"
        ),
    ] = None,
) -> None:
    """Write environment files with exact versions for this driver and GPU.

    An existing pyproject.toml is merged into, its comments kept; nothing else is
    overwritten without --force. Locks (pylock.toml, uv.lock, conda-lock.yml) and
    --verify ask the package index. Exit codes: 0 written (and, with --verify, resolved
    as planned), 1 no such environment exists or it did not resolve as planned, 2 usage
    error, 4 the machine's GPU is not known.
    """
    from fwdoctor.cli.env_files import EnvRequest, write_files

    request = EnvRequest(
        files=tuple(files),
        kind=kind,
        wish=planning.PlanWish(
            constraints=tuple(constraint or ()),
            frameworks=frameworks,
            companions=companions,
            target=target,
            snapshot=snapshot,
            manager=manager,
            python=python,
            prefer=prefer,
        ),
        is_forced=force,
        is_stdout=stdout,
        is_verified=verify,
        is_old_pixi=old_pixi,
        conda=conda,
    )
    raise typer.Exit(int(write_files(request)))
