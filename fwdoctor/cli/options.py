"""Options that several commands share, and how they become render options."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fwdoctor.report.registry import RenderOptions

Format = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="terminal, json, jsonl, markdown, junit, sarif, github or html.",
        metavar="FORMAT",
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        help="Examine this interpreter or virtual environment.", metavar="PATH"
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(help="Examine this venv or conda environment.", metavar="DIR"),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", help="Write to this file.", metavar="FILE"),
]
Color = Annotated[
    str, typer.Option("--color", help="auto, always or never.", metavar="WHEN")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only the verdict and what to type.")
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Evidence, times, passed and skipped checks."),
]
FailOn = Annotated[
    str,
    typer.Option(
        help="Exit 1 from this severity: error, warning or never.", metavar="LEVEL"
    ),
]
Select = Annotated[
    str | None,
    typer.Option(help="Only these rules (codes or names).", metavar="LIST"),
]
Ignore = Annotated[
    str | None,
    typer.Option(help="Leave out these rules (codes or names).", metavar="LIST"),
]
TextOrJson = Annotated[
    str, typer.Option("--format", "-f", help="terminal or json.", metavar="FORMAT")
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        help="Compare with the expectations of fwdoctor.toml or pyproject.toml.",
        metavar="FILE",
    ),
]
ExitStyle = Annotated[
    str,
    typer.Option(
        "--exit-style",
        help="Exit codes and one line as a monitor wants them: nagios, npd, slurm.",
        metavar="STYLE",
    ),
]


def one_of(value: str, allowed: tuple[str, ...], option: str) -> str:
    """The value in lower case; a usage error naming the choices otherwise."""
    if value.lower() not in allowed:
        from fwdoctor.errors import UsageError

        raise UsageError(
            "bad-option", f"{option}: {value!r} is not one of {', '.join(allowed)}"
        )
    return value.lower()


def words(text: str | None) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))


def render_options(
    *,
    color: str,
    output: str | None,
    quiet: bool = False,
    verbose: bool = False,
    seconds: float | None = None,
) -> RenderOptions:
    """How the reader sees it: from the options, the terminal and the variables."""
    from fwdoctor.report.registry import RenderOptions

    when = one_of(color, ("auto", "always", "never"), "--color")
    is_terminal = output is None and sys.stdout.isatty()
    no_color = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return RenderOptions(
        verbosity=-1 if quiet else int(verbose),
        is_colored=when == "always"
        or (when == "auto" and is_terminal and not no_color),
        width=_width(),
        is_ascii=output is None and not _speaks_unicode(),
        seconds=seconds,
        home=os.environ.get("HOME") or os.environ.get("USERPROFILE"),
        user=os.environ.get("USER") or os.environ.get("USERNAME"),
    )


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def _speaks_unicode() -> bool:
    encoding = (
        (sys.stdout.encoding or "ascii").lower().replace("-", "").replace("_", "")
    )
    return encoding in ("utf8", "utf16", "utf32", "cp65001")
