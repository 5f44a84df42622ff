"""Writing a release record: deterministic, atomic, and careful with what people wrote.

`authored` is never touched. A refresh that learns nothing changes no byte: the date of
a source moves only with the facts it supports.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.measurement import Json, row_name

if TYPE_CHECKING:
    from fwdoctor.matrices.measurement import Measurement

LINE_LENGTH = 100
CARRIED_KEYS = ("compute_capabilities", "ptx")  # costly to measure, kept until re-read


def read_record(path: Path) -> Json | None:
    """Return the record in a file, None when there is no file."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise MatrixError(
            "matrix-unreadable", f"`{path}` is not JSON: {error}"
        ) from error
    if not isinstance(record, dict):
        raise MatrixError("matrix-unreadable", f"`{path}` holds no record")
    return record


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
    new = {**measurement.facts, "sources": [*map(dict, measurement.sources)]}
    if old is None:
        return _dated(new, {}, today)
    carried = _carry_costly_facts(old, new)
    if "authored" in old:
        new["authored"] = old["authored"]
    new["sources"] += carried
    unchanged = _without_dates(old) == _without_dates(new)
    dates = {_source_key(item): item.get("retrieved", today) for item in old["sources"]}
    return old if unchanged else _dated(new, dates, today)


def dump_record(record: Json) -> str:
    """Return the JSON text of a record: sorted keys, short lists on one line."""
    return _dump(record, 0) + "\n"


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _carry_costly_facts(old: Json, new: Json) -> list[Json]:
    """Copy facts of fat binaries not walked this time; return their sources."""
    known = {row_name(row): row for row in old.get("variants", ())}
    carried = []
    for row in new.get("variants", ()):
        before = known.get(row_name(row), {})
        for key in CARRIED_KEYS:
            if key in before and key not in row and before["cuda"] == row["cuda"]:
                row[key] = before[key]
                carried.append(f"variants[{row_name(row)}].{key}")
    wanted = set(carried)
    return [
        dict(item) for item in old.get("sources", ()) if wanted & set(item["fields"])
    ]


def _dated(record: Json, dates: dict[str, str], today: str) -> Json:
    for item in record["sources"]:
        item["retrieved"] = dates.get(_source_key(item), today)
    return record


def _source_key(item: Json) -> str:
    return f"{item['source']} {item['fields']}"


def _without_dates(record: Json) -> Json:
    sources = [
        {key: value for key, value in item.items() if key != "retrieved"}
        for item in record.get("sources", ())
    ]
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
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_dump(value[key], depth + 1)}"
            for key in sorted(value)
        ]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
    lines = [inner + _dump(item, depth + 1) for item in value]
    return "[\n" + ",\n".join(lines) + "\n" + "  " * depth + "]"
