"""The report as one JSON object; the schema is docs/report.schema.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fwdoctor.model.codec import encode
from fwdoctor.model.snapshot import SCHEMA_VERSION

if TYPE_CHECKING:
    from fwdoctor.model.finding import Report
    from fwdoctor.report.registry import RenderOptions


def render(report: Report, options: RenderOptions) -> str:
    """Indented JSON, one object, final newline."""
    del options
    return json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n"


def as_json(report: Report) -> dict[str, Any]:
    """The report as a JSON object, in the order a reader wants it."""
    fields = encode(report)
    first = {"schema_version": SCHEMA_VERSION}
    if fields["input"] is None:
        del fields["input"]
    result: dict[str, Any] = first | fields
    return result
