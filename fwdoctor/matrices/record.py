"""One JSON object of the matrices being read; every error names its file and field."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fwdoctor.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")


class Rows(Sequence[T]):
    """Rows of a file, made into records when first looked at.

    Raises MatrixError then, naming file and field of a damaged one.
    """

    def __init__(
        self, path: str, field: str, values: list[Any], make: Callable[[Record], T]
    ) -> None:
        self._path = path
        self._field = field
        self._values = values
        self._make = make

    @functools.cached_property
    def _made(self) -> tuple[T, ...]:
        return tuple(
            self._make(Record(self._path, f"{self._field}[{i}]", value))
            for i, value in enumerate(self._values)
        )

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


class Record:
    """One JSON object being read; errors name the file and the field."""

    def __init__(self, path: str, where: str, data: Any) -> None:
        self._path = path
        self._where = where
        if not isinstance(data, dict):
            raise MatrixError("matrix-foreign", f"{path}: {where or 'file'}: no object")
        self._data = data

    def _fail(self, field: str, problem: str) -> MatrixError:
        name = f"{self._where}.{field}" if self._where else field
        return MatrixError("matrix-damaged", f"{self._path}: field {name}: {problem}")

    def get(self, field: str, kind: type[T], *, required: bool = False) -> T | None:
        """The value of this type; None when absent or null."""
        value = self._data.get(field)
        if value is None:
            if required:
                raise self._fail(field, "missing")
            return None
        if type(value) is not kind:  # JSON has no subclasses; a bool is no int
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
        if isinstance(self._data.get(field), str):
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
        return Rows(self._path, field, self.get(field, list) or [], make)

    def inner(self, field: str) -> Record:
        """An object as a record; an empty one when absent."""
        return Record(self._path, field, self.mapping(field))

    def with_authored(self) -> Record:
        """The same record with hand-written facts where the measured part has none."""
        authored = self.mapping("authored")
        if not authored:
            return self
        return Record(self._path, self._where, _merged(self._data, authored))


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
