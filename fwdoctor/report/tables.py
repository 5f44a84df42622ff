"""Parts of the tables that `fwdoctor matrix` prints: columns, spans, sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from fwdoctor.report.console import make_console, to_ascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwdoctor.report.registry import RenderOptions

Answer = dict[str, Any]


def span(first: object, last: object) -> str:
    """First and last with a dash, or one of them when the other says nothing new."""
    ends = [str(end) for end in (first, last) if end is not None]
    return " – ".join(dict.fromkeys(ends)) or "?"


def span_of(values: Sequence[object]) -> str:
    """First and last of a sorted list; nothing for an empty one."""
    return span(values[0], values[-1]) if values else ""


def source_lines(sources: Iterable[Answer]) -> list[Text]:
    """A line for each source: what it says, how that was had, and when."""
    return [
        Text(
            f"{', '.join(s['fields'])}: {s['source']}"
            f" ({s['confidence']}, {s.get('retrieved', '?')})",
            style="dim",
        )
        for s in sources
    ]


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of plain cells; long ones are folded."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def render(parts: Iterable[Table | Text], options: RenderOptions) -> str:
    """The text of tables and lines, as wide and as coloured as the reader wants."""
    console = make_console(options, least_width=60)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    text = "\n".join(lines) + "\n"
    return to_ascii(text) if options.is_ascii else text
