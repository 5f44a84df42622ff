"""Commands and groups that take text as it was typed.

typer 0.29 and newer pass every value through pydantic, also text that needs no
conversion and options nobody gave; importing it is a quarter of what a whole
`fwdoctor check` takes. Older typers convert by themselves and are left alone, as are
values of other types.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer.core

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer._click.core import Context, Parameter

    Process = Callable[[Context, object], object]


class Command(typer.core.TyperCommand):
    """A command that takes text as it was typed."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """All parameters, `--help` too."""
        return _taken_as_typed(super().get_params(ctx))


class Group(typer.core.TyperGroup):
    """The same for the options before a command's name."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """All parameters, `--help` too."""
        return _taken_as_typed(super().get_params(ctx))


def _taken_as_typed(parameters: list[Parameter]) -> list[Parameter]:
    for parameter in parameters:
        described = getattr(parameter, "type_descriptor", None)
        if described and not isinstance(parameter.process_value, partial):
            is_text = described.annotation in (str, list[str])
            way = partial(_process, parameter, parameter.process_value, is_text)
            parameter.process_value = way  # type: ignore[method-assign]  # this one's
    return parameters


def _process(
    parameter: Parameter, process: Process, is_text: bool, ctx: Context, value: object
) -> object:
    """Typer's own way for what is missing, and for what is not text."""
    callback = parameter.callback
    if value is None and not parameter.required:
        return value if callback is None else callback(ctx, parameter, value)
    if value and is_text and callback is None:
        return value
    return process(ctx, value)
