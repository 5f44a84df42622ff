"""Writing a release record: deterministic, atomic, and careful with what people wrote.

`authored` is never touched; its `variant_facts` fill gaps of measured variants. A
refresh that learns nothing changes no byte: the date of a source moves only with the
fields it supports.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import UsageError
from fwdoctor.matrices.measurement import (
    Json,
    merge_platforms,
    row_name,
    split_platforms,
)
from fwdoctor.matrices.packed import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.matrices.measurement import Measurement

LINE_LENGTH = 200
COSTLY_KEYS = ("compute_capabilities", "ptx")  # kept until they are read again


def read_record(path: Path) -> Json | None:
    """Return the record in a file, None when there is no file."""
    return read_object(str(path)) if os.path.lexists(path) else None


def update_record(path: Path, measurement: Measurement, *, today: str) -> bool:
    """Write what was measured; False when the file says it already."""
    old = read_record(path)
    new = merge_record(old, measurement, today=today)
    text = dump_record(new)
    if old is not None and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def merge_record(old: Json | None, measurement: Measurement, *, today: str) -> Json:
    """Join what was measured with what stays: authored facts, dates, costly facts."""
    before = old or {}
    rows = split_platforms(measurement.facts.get("variants", ()))
    kept = _keep_costly_facts(rows, before)
    authored = before.get("authored", {})
    _fill_rows(rows, authored.get("variant_facts", ()))
    new = {
        **measurement.facts,
        "variants": merge_platforms(rows),
        "sources": sorted([*map(dict, measurement.sources), *kept], key=_is_costly),
    }
    if authored:
        new["authored"] = authored
    if _without_dates(before) == _without_dates(new):
        return before
    dates = {_source_key(item): item["retrieved"] for item in before.get("sources", ())}
    for item in new["sources"]:
        item["retrieved"] = dates.get(_source_key(item), today)
    return new


def apply_authored(record: Json) -> Json:
    """Return a record with its authored variant facts filled in, measuring nothing."""
    rows = split_platforms(record["variants"])
    _fill_rows(rows, record.get("authored", {}).get("variant_facts", ()))
    return {**record, "variants": merge_platforms(rows)}


def dump_record(record: Json) -> str:
    """Return the JSON text of a record: sorted keys, short lists on one line."""
    return _dump(record, 0) + "\n"


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader never sees half of it.

    Raises UsageError naming a file that cannot be written; it is as it was then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        problem = f"{path}: {error.strerror or error}"
        raise UsageError("output-unwritable", problem) from error


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _keep_costly_facts(rows: list[Json], old: Json) -> list[Json]:
    """Copy facts of fat binaries not walked this time; return their sources."""
    known = {_row_key(row): row for row in split_platforms(old.get("variants", ()))}
    sources = old.get("sources", ())
    sourced = {field for item in sources for field in item["fields"]}
    kept = set()
    for row in rows:
        before = known.get(_row_key(row), {})
        for key in COSTLY_KEYS:
            field = f"variants[{row_name(row)}].{key}"
            if field in sourced and key in before and key not in row:
                row[key] = before[key]
                kept.add(field)
    return [dict(item) for item in sources if kept & set(item["fields"])]


def _fill_rows(rows: list[Json], authored: Iterable[Json]) -> None:
    """Add what people wrote about measured rows, where measuring found nothing."""
    for entry in authored:
        for row in rows:
            if (
                row["package"] == entry["package"]
                and row["platforms"][0] in entry["platforms"]
            ):
                row.update({k: v for k, v in entry["facts"].items() if k not in row})


def _row_key(row: Json) -> tuple[str, str, str]:
    return row["package"], row["index"], row["platforms"][0]


def _is_costly(source: Json) -> bool:
    """Whether it gave nothing but costly facts: such stand last, read again or not."""
    return all(field.endswith(COSTLY_KEYS) for field in source["fields"])


def _source_key(item: Json) -> str:
    return f"{item['source']} {item['fields']}"


def _without_dates(record: Json) -> Json:
    """A record without what says nothing: the dates and the order of its sources."""
    sources = sorted(
        (
            {key: value for key, value in item.items() if key != "retrieved"}
            for item in record.get("sources", ())
        ),
        key=_source_key,
    )
    return {**record, "sources": sources}


def _dump(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if not isinstance(value, (dict, list)) or not value:
        return flat
    if depth > 0 and len(flat) + 2 * depth <= LINE_LENGTH:
        return flat
    inner = "  " * (depth + 1)
    if isinstance(value, dict):
        lines = [
            f"{inner}{json.dumps(key)}: {_dump(value[key], depth + 1)}"
            for key in sorted(value)
        ]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
    lines = [inner + _dump(item, depth + 1) for item in value]
    return "[\n" + ",\n".join(lines) + "\n" + "  " * depth + "]"
