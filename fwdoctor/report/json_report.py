"""The report as one JSON object; the schema is docs/report.schema.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwdoctor.model.codec import encode
from fwdoctor.model.snapshot import SCHEMA_VERSION
from fwdoctor.redact import redact_json
from fwdoctor.report.visible import json_text

if TYPE_CHECKING:
    from fwdoctor.model.finding import Report
    from fwdoctor.report.registry import RenderOptions


def render(report: Report, options: RenderOptions) -> str:
    """Indented JSON, one object, final newline."""
    return json_text(as_json(report, options))


def as_json(report: Report, options: RenderOptions) -> dict[str, Any]:
    """The report as a JSON object, its snapshot without names of persons."""
    fields = encode(report)
    fields["snapshot"] = redact_json(
        fields["snapshot"], home=options.home, user=options.user
    )
    first = {"schema_version": SCHEMA_VERSION}
    if fields["input"] is None:
        del fields["input"]
    result: dict[str, Any] = first | fields
    return result
