"""`python -m fwdoctor.matrices.pack`: whole/facts.json, all files in one for speed.

It holds the fields that `typed.py` asks for, without sources and notes. Lists and
objects stand once, under `shared`; a field holds their number. A table's rows are lists
of the values of its columns. A new field of `typed.py` or table of `load.py` gets into
it by running this again, and a test fails until that is done.
"""

from __future__ import annotations

import functools
import json
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import ExitCode, FwdoctorError
from fwdoctor.matrices.load import FRAMEWORKS, TABLES, find_matrices_folder, sort_names
from fwdoctor.matrices.packed import NAME, read_object
from fwdoctor.matrices.record import Record
from fwdoctor.matrices.record_file import write_text
from fwdoctor.matrices.typed import read_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDS = "records"  # the field of a table's rows


def write_packed(folder: Path) -> None:
    """Write the packed file of a folder, if it says something new."""
    path = folder / NAME
    text = dump_packed(folder)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def dump_packed(folder: Path) -> str:
    """Return the text of a folder's packed file: a line a file, and a shared value."""
    shared = _Shared()
    files = {}
    for name, read in _readers(folder):
        facts = shared.pack_fields(_asked(folder / name, read))
        data = (folder / name).read_bytes()
        files[name] = {"crc32": zlib.crc32(data), "facts": facts, "size": len(data)}
    lines = [f"{_flat(name)}:{_flat(file)}" for name, file in files.items()]
    values = list(map(_flat, shared.values))
    return f'{{"files":{{\n{_joined(lines)}\n}},"shared":[\n{_joined(values)}\n]}}\n'


def _readers(folder: Path) -> Iterator[tuple[str, Callable[[Record], object]]]:
    for name, make in TABLES.items():
        if (folder / name).is_file():
            yield name, functools.partial(_read_whole_table, make)
    for framework in FRAMEWORKS:
        names = (path.name for path in (folder / framework).glob("*.json"))
        for name in sort_names(names, folder / framework):
            yield f"{framework}/{name}", _read_whole_release


def _read_whole_table(make: Callable[[Record], object], record: Record) -> object:
    return tuple(record.rows(RECORDS, make))


def _read_whole_release(record: Record) -> object:
    release = read_release(record)
    return tuple(release.variants), tuple(release.conda)


class _Noting(dict[str, Any]):
    """An object that notes which of its fields were asked for."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__({key: _noting(value) for key, value in data.items()})
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def _noting(value: Any) -> Any:
    """Rows note what is asked of them; other values are taken whole."""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return [_Noting(row) for row in value]
    return value


def _asked(path: Path, read: Callable[[Record], object]) -> _Noting:
    record = Record(str(path), "", read_object(str(path))).with_authored()
    noting = _Noting({**record.data, "authored": None})  # it is merged now
    read(Record(str(path), "", noting))
    return noting


class _Shared:
    """Lists and objects, each once, in the order in which they were met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.values: list[Any] = []

    def pack(self, value: Any) -> Any:
        """A value as it stands in the packed file."""
        if not isinstance(value, (list, dict)):
            return value
        if isinstance(value, _Noting):
            value = self.pack_fields(value)
        elif any(isinstance(row, _Noting) for row in value):
            value = list(map(self.pack, value))
        text = _flat(value)
        if text not in self._numbers:
            self._numbers[text] = len(self.values)
            self.values.append(value)
        return self._numbers[text]

    def pack_fields(self, row: _Noting) -> dict[str, Any]:
        """The fields that were asked for, where they hold something."""
        fields = {key: row.get(key) for key in sorted(row.asked)}
        return {
            key: self._pack_table(value) if key == RECORDS else self.pack(value)
            for key, value in fields.items()
            if value not in _ABSENT
        }

    def _pack_table(self, rows: list[_Noting]) -> dict[str, Any]:
        packed = [self.pack_fields(row) for row in rows]
        columns = sorted({key for row in packed for key in row})
        values = [[row.get(key) for key in columns] for row in packed]
        return {"columns": columns, "rows": values}


_ABSENT: tuple[object, ...] = (None, [], {})


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _joined(lines: list[str]) -> str:
    return ",\n".join(lines)


def main() -> int:
    """Pack the shipped files; return the exit code."""
    try:
        write_packed(find_matrices_folder())
    except FwdoctorError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
