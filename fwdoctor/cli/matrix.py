"""`fwdoctor matrix`: look anything up in the compatibility data, with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command

if TYPE_CHECKING:
    import datetime as dt

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.report.registry import RenderOptions

    Answer = dict[str, Any]


@command
def matrix(
    topic: Annotated[
        str | None,
        typer.Argument(help="torch, tensorflow, cuda, cudnn, driver or gpu."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Argument(help="A version or a GPU name: 2.5.1, 550.54.14, RTX 4090."),
    ] = None,
    format_name: Annotated[
        str,
        typer.Option("--format", "-f", help="terminal or json.", metavar="FORMAT"),
    ] = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the source of each fact.")
    ] = False,
) -> None:
    """Look up releases, toolkits, drivers and GPUs, with their sources."""
    import json
    import sys

    from fwdoctor.cli.boundary import emit
    from fwdoctor.matrices import query
    from fwdoctor.matrices.load import Matrices

    chosen = options.one_of(format_name, ("terminal", "json"), "--format")
    matrices, today = Matrices(), _today()
    wanted = options.one_of(topic, query.TOPICS, "TOPIC") if topic else None
    answer = _answer(matrices, wanted, " ".join(name or ()), today)
    note = query.age_note(matrices, today)
    if chosen == "json":
        emit(json.dumps(answer, indent=2, ensure_ascii=False) + "\n", output)
        return
    shown = options.render_options(color=color, output=output, verbose=verbose)
    emit(_text(wanted, answer, note, shown), output)
    if note and wanted:
        typer.echo(f"warning: {note}", file=sys.stderr)


def _today() -> dt.date:
    import datetime as dt

    return dt.datetime.now(tz=dt.timezone.utc).date()


def _answer(
    matrices: Matrices, topic: str | None, name: str, today: dt.date
) -> Answer | list[Answer]:
    from fwdoctor.matrices import query

    if topic is None:
        return query.overview(matrices, today)
    if topic in ("torch", "tensorflow"):
        if name:
            return query.find_release(matrices, topic, name)
        return query.list_releases(matrices, topic)
    find, show = {
        "cuda": (query.find_cuda, query.list_cuda),
        "cudnn": (query.find_cudnn, query.list_cudnn),
        "driver": (query.find_driver, query.list_drivers),
        "gpu": (query.find_gpu, query.list_gpus),
    }[topic]
    return find(matrices, name) if name else show(matrices)


def _text(
    topic: str | None,
    answer: Answer | list[Answer],
    note: str | None,
    shown: RenderOptions,
) -> str:
    from fwdoctor.report import matrix_tables as tables

    if isinstance(answer, list):
        return tables.render_list(topic or "", answer, shown)
    if topic is None:
        return tables.render_overview(answer, note, shown)
    return tables.render_one(topic, answer, shown)
