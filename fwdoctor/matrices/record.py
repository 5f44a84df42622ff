"""One JSON object of the matrices being read; every error names its file and field."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fwdoctor.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")
_SHARED_KINDS = (list, dict)


class Rows(Sequence[T]):
    """Rows of a file, made into records when first looked at.

    Raises MatrixError then, naming file and field of a damaged one. Where there are
    `columns` a row is the list of its values.
    """

    def __init__(
        self,
        table: Record,
        field: str,
        values: list[Any],
        make: Callable[[Record], T],
        columns: Sequence[str] = (),
    ) -> None:
        self._table = table
        self._field = field
        self._values = values
        self._make = make
        self._columns = columns

    @functools.cached_property
    def _made(self) -> tuple[T, ...]:
        return tuple(
            self._table.make_row(f"{self._field}[{i}]", self._row(value), self._make)
            for i, value in enumerate(self._values)
        )

    def _row(self, value: Any) -> Any:
        if self._columns and isinstance(value, list):
            return dict(zip(self._columns, value, strict=False))
        return value

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return iter(self._made)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._made[index]


class Shared:
    """Values that stand once in a packed file, which holds their numbers elsewhere."""

    def __init__(self, values: Sequence[Any] = ()) -> None:
        self.values = values
        self.made: dict[tuple[object, int], Any] = {}  # rows, by maker and number

    def find(self, value: Any) -> Any:
        """The value behind a number; anything else as it is."""
        is_number = type(value) is int and 0 <= value < len(self.values)
        return self.values[value] if is_number else value


class Record:
    """One JSON object being read; errors name the file and the field."""

    def __init__(
        self, path: str, where: str, data: Any, shared: Shared | None = None
    ) -> None:
        self._path = path
        self._where = where
        if not isinstance(data, dict):
            raise MatrixError("matrix-foreign", f"{path}: {where or 'file'}: no object")
        self.data = data
        self._shared = shared

    def _fail(self, field: str, problem: str) -> MatrixError:
        name = f"{self._where}.{field}" if self._where else field
        return MatrixError("matrix-damaged", f"{self._path}: field {name}: {problem}")

    def get(self, field: str, kind: type[T], *, required: bool = False) -> T | None:
        """The value of this type; None when absent or null."""
        value = self.data.get(field)
        if type(value) is kind:  # JSON has no subclasses; a bool is no int
            return value
        if value is None:
            if required:
                raise self._fail(field, "missing")
            return None
        if self._shared is not None and kind in _SHARED_KINDS:
            value = self._shared.find(value)
        if type(value) is not kind:
            raise self._fail(field, f"{type(value).__name__}, not {kind.__name__}")
        return value

    def text(self, field: str) -> str:
        """A required string."""
        return self.get(field, str, required=True) or ""

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        values = tuple(self.get(field, list) or ())
        try:
            is_text = _are_texts(values)
        except TypeError:  # a list or an object among them
            is_text = False
        if not is_text:
            raise self._fail(field, "not all strings")
        return values

    def one_or_more(self, field: str) -> tuple[str, ...]:
        """A string or a list of strings; empty when absent."""
        if isinstance(self.data.get(field), str):
            return (self.text(field),)
        return self.texts(field)

    def numbers(self, field: str) -> tuple[int, ...]:
        """A list of integers; empty when absent."""
        values = self.get(field, list) or []
        if not all(isinstance(value, int) for value in values):
            raise self._fail(field, "not all integers")
        return tuple(values)

    def mapping(self, field: str) -> Mapping[str, Any]:
        """An object; empty when absent."""
        return self.get(field, dict) or {}

    def parsed(self, field: str, parse: Callable[[str], T]) -> T | None:
        """A string run through `parse`; None when absent."""
        text = self.get(field, str)
        return None if text is None else self._parse(field, parse, text)

    def needed(self, field: str, parse: Callable[[str], T]) -> T:
        """A required string run through `parse`."""
        return self._parse(field, parse, self.text(field))

    def parsed_list(self, field: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Strings run through `parse`."""
        return self._parse(field, functools.partial(_each, parse), self.texts(field))

    def parsed_values(self, field: str, parse: Callable[[str], T]) -> dict[str, T]:
        """An object of strings, each run through `parse`."""
        return {
            key: self._parse(f"{field}.{key}", parse, text)
            for key, text in self.mapping(field).items()
        }

    def _parse(self, field: str, parse: Callable[[Any], T], text: object) -> T:
        try:
            return parse(text)
        except (ValueError, AttributeError) as error:
            raise self._fail(field, str(error)) from error

    def rows(self, field: str, make: Callable[[Record], T]) -> Rows[T]:
        """A list of objects, each to be made into a record; empty when absent."""
        if self._shared is not None and isinstance(self.data.get(field), dict):
            table = self.inner(field)  # of a packed file
            values = table.get("rows", list, required=True) or []
            return Rows(self, field, values, make, table.texts("columns"))
        return Rows(self, field, self.get(field, list) or [], make)

    def make_row(self, field: str, value: Any, make: Callable[[Record], T]) -> T:
        """One of these objects made into a record; once, where rows share it."""
        if self._shared is None or type(value) is not int:
            return make(self.within(field, value))
        made = self._shared.made
        if (make, value) not in made:
            made[make, value] = make(self.within(field, self._shared.find(value)))
        row: T = made[make, value]
        return row

    def inner(self, field: str) -> Record:
        """An object as a record; an empty one when absent."""
        return self.within(field, self.mapping(field))

    def within(self, field: str, data: Any) -> Record:
        """What stands in a field, as a record."""
        where = f"{self._where}.{field}" if self._where else field
        return Record(self._path, where, data, self._shared)

    def with_authored(self) -> Record:
        """The same record with hand-written facts where the measured part has none."""
        authored = self.mapping("authored")
        if not authored:
            return self
        return Record(self._path, self._where, _merged(self.data, authored))


def _merged(measured: Mapping[str, Any], authored: Mapping[str, Any]) -> dict[str, Any]:
    """Measured values win; lists of rows are joined; objects are merged."""
    result = dict(measured)
    for key, value in authored.items():
        present = result.get(key)
        if present is None:
            result[key] = value
        elif isinstance(present, list) and isinstance(value, list):
            result[key] = [*present, *(row for row in value if row not in present)]
        elif isinstance(present, dict) and isinstance(value, dict):
            result[key] = _merged(present, value)
    return result


# The same few dozen lists stand in every file: each is looked at once.
@functools.cache
def _are_texts(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, str) for value in values)


@functools.cache
def _each(parse: Callable[[str], T], texts: tuple[str, ...]) -> tuple[T, ...]:
    return tuple(map(parse, texts))
