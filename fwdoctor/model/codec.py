"""Records to JSON and back: the only module that knows the JSON shape.

Encoding follows the dataclass fields. Decoding ignores unknown keys (a newer fwdoctor
wrote them) and names the field when a value has the wrong type.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fwdoctor.errors import SnapshotError
from fwdoctor.model.snapshot import SCHEMA_VERSION, Snapshot
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

T = TypeVar("T")
_TEXT_TYPES: tuple[Any, ...] = (DriverVersion, CudaVersion, ComputeCapability)


def encode(value: Any) -> Any:
    """The JSON form of a record or of anything inside one."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, _TEXT_TYPES):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: encode(getattr(value, name)) for name in value.__dataclass_fields__
        }
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def decode_snapshot(data: Any) -> Snapshot:
    """The snapshot in a JSON object; raises SnapshotError naming the field."""
    if not isinstance(data, dict):
        raise SnapshotError("snapshot-foreign", "not a JSON object")
    if "snapshot" in data and "findings" in data:
        data = data["snapshot"]  # a whole report was given
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise SnapshotError(
            "snapshot-foreign", "field schema_version: missing or not a number"
        )
    if version > SCHEMA_VERSION:
        raise SnapshotError(
            "snapshot-newer",
            f"field schema_version: {version} is newer than {SCHEMA_VERSION},"
            " the newest this fwdoctor reads",
            hint="upgrade fwdoctor",
        )
    return decode(Snapshot, data, "snapshot")


def decode(kind: type[T], data: Any, where: str) -> T:
    """An instance of the record type `kind` from its JSON form."""
    result: T = _decode(kind, data, where)
    return result


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_optional(kind, data, where)
    if origin is Literal:
        return _one_of(get_args(kind), data, where)
    if origin is tuple:
        return _decode_tuple(get_args(kind)[0], data, where)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(get_args(kind)[1], data, where)
    if kind in _TEXT_TYPES:
        return _decode_text(kind, data, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_record(kind, data, where)
    return _decode_plain(kind, data, where)


def _wrong(where: str, data: Any, wanted: str) -> SnapshotError:
    return SnapshotError(
        "snapshot-damaged", f"field {where}: {type(data).__name__}, not {wanted}"
    )


def _decode_optional(kind: Any, data: Any, where: str) -> Any:
    if data is None:
        return None
    inner = next(arg for arg in get_args(kind) if arg is not type(None))
    return _decode(inner, data, where)


def _one_of(allowed: tuple[Any, ...], data: Any, where: str) -> Any:
    if data not in allowed:
        words = ", ".join(map(repr, allowed))
        raise SnapshotError("snapshot-damaged", f"field {where}: not one of {words}")
    return data


def _decode_tuple(inner: Any, data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise _wrong(where, data, "a list")
    return tuple(_decode(inner, item, f"{where}[{i}]") for i, item in enumerate(data))


def _decode_mapping(inner: Any, data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _wrong(where, data, "an object")
    return {key: _decode(inner, item, f"{where}.{key}") for key, item in data.items()}


def _decode_text(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, str):
        raise _wrong(where, data, "a string")
    try:
        return kind.parse(data)
    except ValueError as error:
        raise SnapshotError("snapshot-damaged", f"field {where}: {error}") from error


def _decode_record(kind: type[Any], data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise _wrong(where, data, "an object")
    hints = get_type_hints(kind)
    values = {
        field.name: _decode(
            hints[field.name], data[field.name], f"{where}.{field.name}"
        )
        for field in dataclasses.fields(kind)
        if field.name in data
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise SnapshotError("snapshot-damaged", f"{where}: {error}") from error


def _decode_plain(kind: Any, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise _wrong(where, data, kind.__name__)
    return data
