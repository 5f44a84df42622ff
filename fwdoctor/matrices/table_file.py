"""Writing a table of the NVIDIA data: deterministic, and readable in a diff.

A record with its own `facts` has a line for each key; a record that names a set of
facts has one line. `python -m fwdoctor.matrices.table_file FILE…` rewrites files so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fwdoctor.errors import MatrixError


def dump_table(table: dict[str, Any]) -> str:
    """Return the JSON text of a table: sorted keys, two spaces, a final newline."""
    entries = [_entry(key, _block(key, table[key]), "  ") for key in sorted(table)]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def read_table(path: Path) -> dict[str, Any]:
    """The object in a file; raises MatrixError when it holds no table."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise MatrixError("matrix-unreadable", f"{path}: {reason}") from error
    except ValueError as error:
        raise MatrixError("matrix-damaged", f"{path}: {error}") from error
    if not isinstance(table, dict) or not isinstance(table.get("records"), list):
        raise MatrixError("matrix-foreign", f"{path}: field records: missing")
    return table


def _block(key: str, value: Any) -> str:
    if not value:
        return _flat(value)
    if key == "records":
        rows = [f"    {_record(row)}" for row in value]
        return "[\n" + ",\n".join(rows) + "\n  ]"
    if isinstance(value, dict):
        rows = [_entry(name, _flat(value[name]), "    ") for name in sorted(value)]
        return "{\n" + ",\n".join(rows) + "\n  }"
    return _flat(value)


def _record(row: dict[str, Any]) -> str:
    if "facts" not in row:
        return _flat(row)
    lines = [_entry(key, _flat(row[key]), "      ") for key in sorted(row)]
    return "{\n" + ",\n".join(lines) + "\n    }"


def _entry(key: str, text: str, indent: str) -> str:
    return f"{indent}{json.dumps(key)}: {text}"


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def main(names: list[str]) -> None:
    """Rewrite each named file in the form of `dump_table`."""
    for name in names:
        path = Path(name)
        path.write_text(dump_table(read_table(path)), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
