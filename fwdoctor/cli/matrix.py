"""`fwdoctor matrix`: look anything up in the compatibility data, with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fwdoctor.cli import data_age, options
from fwdoctor.cli.boundary import command

if TYPE_CHECKING:
    import datetime as dt

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.report.registry import RenderOptions

    Answer = dict[str, Any]

_LONGEST_NAME = 200


@command
def matrix(
    topic: Annotated[
        str | None,
        typer.Argument(help="torch, tensorflow, pairs, cuda, cudnn, driver or gpu."),
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
    """Look up releases, pairs, drivers and GPUs, with their sources."""
    import json

    from fwdoctor.cli.boundary import emit
    from fwdoctor.matrices.load import Matrices

    chosen = options.one_of(format_name, ("terminal", "json"), "--format")
    matrices, today = Matrices(), data_age.today()
    wanted, asked = _topic(topic), _name(name)
    answer = _answer(matrices, wanted, asked, today)
    note = data_age.find_note(matrices, today)
    shown = options.render_options(color=color, output=output, verbose=verbose)
    if chosen == "json":
        emit(json.dumps(answer, indent=2, ensure_ascii=False) + "\n", output)
    else:
        emit(_text(wanted, asked, answer, note, shown), output)
    _tell(wanted, asked, answer, note)


def _topic(text: str | None) -> str | None:
    from fwdoctor.errors import UsageError
    from fwdoctor.matrices.overview import TOPICS
    from fwdoctor.matrices.spellings import topic_name

    topic = None if text is None else topic_name(text)
    if topic is None or topic in TOPICS:
        return topic
    problem = f"TOPIC: {text!r} is not one of {', '.join(TOPICS)}"
    hint = 'for example `fwdoctor matrix torch 2.9.1`, `fwdoctor matrix gpu "RTX 4090"`'
    raise UsageError("bad-option", problem, hint=hint)


def _name(words: list[str] | None) -> str:
    """The name as one text; a usage error for an empty one, say of a variable."""
    from fwdoctor.errors import UsageError

    name = " ".join(words or ()).strip()
    if words and not name:
        hint = "give a version or a name, or leave it out for the whole list"
        raise UsageError("no-name", "NAME is empty", hint=hint)
    if len(name) > _LONGEST_NAME:
        raise UsageError("no-name", f"NAME has {len(name)} characters, no name has")
    return name


def _tell(
    topic: str | None, name: str, answer: Answer | list[Answer], note: str | None
) -> None:
    """Say on stderr what was understood, and that the data are old."""
    import sys

    version = answer.get("version", name) if isinstance(answer, dict) else name
    if version not in name:
        typer.echo(f"note: {name!r} is read as {topic} {version}", file=sys.stderr)
    if note and topic:
        typer.echo(f"warning: {note}", file=sys.stderr)


def _answer(
    matrices: Matrices, topic: str | None, name: str, today: dt.date
) -> Answer | list[Answer]:
    from fwdoctor.matrices import query, query_pairs
    from fwdoctor.matrices.overview import overview

    if topic is None:
        return overview(matrices, today)
    if topic in ("torch", "tensorflow"):
        if name:
            return query.find_release(matrices, topic, name)
        return query.list_releases(matrices, topic)
    if topic == "pairs":
        if name:
            return query_pairs.find_pairs(matrices, name)
        return query_pairs.list_pairs(matrices)
    find, show = {
        "cuda": (query.find_cuda, query.list_cuda),
        "cudnn": (query.find_cudnn, query.list_cudnn),
        "driver": (query.find_driver, query.list_drivers),
        "gpu": (query.find_gpu, query.list_gpus),
    }[topic]
    return find(matrices, name) if name else show(matrices)


def _text(
    topic: str | None,
    name: str,
    answer: Answer | list[Answer],
    note: str | None,
    shown: RenderOptions,
) -> str:
    from fwdoctor.report import matrix_tables, pair_tables

    if isinstance(answer, list):
        if topic == "pairs":
            show = pair_tables.render_some_pairs if name else pair_tables.render_pairs
            return show(answer, shown)
        return matrix_tables.render_list(topic or "", answer, shown)
    if topic is None:
        return matrix_tables.render_overview(answer, note, shown)
    return matrix_tables.render_one(topic, answer, shown)
