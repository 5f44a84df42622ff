"""What rich writes for a terminal, as text: width, colour and charset as wanted."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from fwdoctor.report.registry import RenderOptions

_IN_ASCII = str.maketrans(
    {
        "·": "-",
        "–": "-",
        "─": "-",
        "«": '"',
        "»": '"',
        "→": "->",
        "…": "...",
        "≥": ">=",
    }
)


def make_console(options: RenderOptions, least_width: int) -> Console:
    """A console that keeps what it prints, for `capture`."""
    return Console(
        file=io.StringIO(),
        force_terminal=options.is_colored,
        no_color=not options.is_colored,
        color_system="standard" if options.is_colored else None,
        width=max(options.width, least_width),
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        safe_box=options.is_ascii,
    )


def to_ascii(text: str) -> str:
    """The text for a terminal that knows nothing else."""
    return text.translate(_IN_ASCII).encode("ascii", "replace").decode("ascii")
