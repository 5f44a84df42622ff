"""`fwdoctor translate`: an old install line, and what to type instead."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fwdoctor.cli import options, planning
from fwdoctor.cli.boundary import command

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.report.registry import RenderOptions
    from fwdoctor.solve.translate import Translation

FORMATS = ("terminal", "json")
_LONGEST_BYTES = 1_000_000


@command
def translate(
    line: Annotated[
        str,
        typer.Argument(
            help="The line, in quotes; - reads lines or requirements from stdin.",
            metavar="COMMAND|-",
        ),
    ],
    target: planning.TargetOption = None,
    snapshot: planning.SnapshotOption = None,
    format_name: options.TextOrJson = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """What an old install line asked for, whether it still works, what to type today.

    Understands pip, uv, conda, mamba and pixi lines and requirements. Nothing of it is
    executed. Exit codes: 0 translated, 1 there is no equivalent for this machine, 2 no
    install line of PyTorch or TensorFlow in it, or a usage error.
    """
    from fwdoctor.cli.boundary import emit
    from fwdoctor.matrices.load import Matrices

    chosen = options.one_of(format_name, FORMATS, "--format")
    wish = planning.PlanWish(target=target, snapshot=snapshot)
    found = _translations(_text_of(line), wish, Matrices())
    look = options.render_options(
        color=color, output=output, quiet=quiet, verbose=verbose
    )
    emit(_rendered(found, chosen, look), output)
    is_possible = all(item.plan.outcome == "complete" for item in found)
    raise typer.Exit(0 if is_possible else 1)


def _text_of(line: str) -> str:
    from fwdoctor.errors import UsageError

    text = line
    if line == "-":
        text = sys.stdin.buffer.read(_LONGEST_BYTES + 1).decode("utf-8", "replace")
    if len(text) > _LONGEST_BYTES:
        raise UsageError("input-too-long", "more than a megabyte is no install line")
    return text


def _translations(
    text: str, wish: planning.PlanWish, matrices: Matrices
) -> tuple[Translation, ...]:
    from fwdoctor.errors import UsageError
    from fwdoctor.solve.install_line import parse_install_lines
    from fwdoctor.solve.translate import translate as translated

    lines = parse_install_lines(text)
    if not lines:
        raise UsageError(
            "no-install-line",
            "no install line of pip, uv, conda, mamba or pixi, and no requirements",
            hint=_hint(text),
        )
    snapshot = planning.machine_snapshot(wish, matrices)
    every = (translated(line, snapshot, matrices) for line in lines)
    found = tuple(item for item in every if item is not None)
    if not found:
        raise UsageError(
            "no-framework", "the line asks for neither PyTorch nor TensorFlow"
        )
    return found


def _hint(text: str) -> str:
    """An example; for a line that names a file, to give the file itself."""
    found = re.search(r"\s(?:-f|--file|-r|--requirement)[ =]*([\w./-]+)", text)
    if found is not None:
        return f"give the file itself: fwdoctor translate - < {found[1]}"
    return 'for example: fwdoctor translate "pip install torch==1.8.1+cu102"'


def _rendered(
    found: tuple[Translation, ...], format_name: str, look: RenderOptions
) -> str:
    if format_name == "json":
        import json

        from fwdoctor.model.codec import encode

        return json.dumps(encode(found), indent=2, ensure_ascii=False) + "\n"
    from fwdoctor.report.translation_text import render

    return render(found, look)
