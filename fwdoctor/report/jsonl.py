"""The report as one line of JSON, for many reports in one stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fwdoctor.report.json_report import as_json

if TYPE_CHECKING:
    from fwdoctor.model.finding import Report
    from fwdoctor.report.registry import RenderOptions


def render(report: Report, options: RenderOptions) -> str:
    """One line of JSON with its newline."""
    return json.dumps(as_json(report, options), separators=(",", ":")) + "\n"
