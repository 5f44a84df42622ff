"""Output formats by name, and what a renderer may be told about the reader."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.model.finding import Report

# Format name → module of this folder.
FORMATS = {
    "terminal": "terminal",
    "json": "json_report",
    "jsonl": "jsonl",
    "markdown": "markdown",
    "junit": "junit",
    "sarif": "sarif",
    "github": "github",
    "html": "html",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How the reader sees it: verbosity -1 to 1, colour, width in columns, charset."""

    verbosity: int = 0
    is_colored: bool = False
    width: int = 80
    is_ascii: bool = False
    seconds: float | None = None  # time from start to report, for the footer
    home: str | None = None  # what must not leave the machine: the home folder …
    user: str | None = None  # … and the user's name


def render(report: Report, format_name: str, options: RenderOptions) -> str:
    """The report as text in the named format."""
    module = importlib.import_module(f"fwdoctor.report.{FORMATS[format_name]}")
    text: str = module.render(report, options)
    return text
