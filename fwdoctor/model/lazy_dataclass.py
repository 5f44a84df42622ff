"""`dataclass` for records: the methods are made when they are first needed.

The standard library compiles six methods for every class it is given, half a
millisecond in all; for the records of a check that was a tenth of the whole command.
Here `__init__` is compiled for the first instance and the other methods are shared.
Type checkers see the standard decorator.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  # exported
else:

    def dataclass(*, frozen: bool, slots: bool, kw_only: bool) -> object:
        """As `dataclasses.dataclass`, with just these three options, all True."""
        if not (frozen and slots and kw_only):
            raise TypeError("records are frozen, slotted and keyword-only")
        return _made


def _made(cls: type[Any]) -> type[Any]:
    plain = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=True, kw_only=True
    )
    record = plain(cls)
    for name, method in _SHARED.items():
        setattr(record, name, method)
    return record


def _init(self: Any, /, **given: object) -> None:
    cls = type(self)
    cls.__init__ = _compile_init(cls)
    cls.__init__(self, **given)


def _compile_init(cls: type[Any]) -> Callable[..., None]:
    scope: dict[str, Any] = {"put": object.__setattr__, "absent": object()}
    parameters, body = [], []
    for field in dataclasses.fields(cls):
        name = value = field.name
        if field.default_factory is not dataclasses.MISSING:
            scope[f"make_{name}"] = field.default_factory
            parameters.append(f"{name}=absent")
            value = f"make_{name}() if {name} is absent else {name}"
        elif field.default is not dataclasses.MISSING:
            scope[f"default_{name}"] = field.default
            parameters.append(f"{name}=default_{name}")
        else:
            parameters.append(name)
        body.append(f" put(self, {name!r}, {value})")
    head = f"def __init__(self, *, {', '.join(parameters)}):"
    exec("\n".join([head, *body]), scope)  # noqa: S102  # our own field names
    made: Callable[..., None] = scope["__init__"]
    return made


def _values(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, name) for name in self.__dataclass_fields__)


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *_value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__}.{name} is frozen")


def _setstate(self: Any, state: tuple[object, ...]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)


_SHARED = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _values,
    "__setstate__": _setstate,
}
