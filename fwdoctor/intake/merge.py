"""The facts of all parsers made one, the most exact source first.

1. collect_env, which asked the running PyTorch
2. nvidia-smi, which asked the driver
3. what frameworks printed: log lines, banners
4. lists of packages
5. the fields of an issue form
6. prose

Where two say different things the earlier one counts; where one says nothing the
next is heard.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final, TypeVar

from fwdoctor.intake.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.intake.facts import Fact, FactName
    from fwdoctor.model.snapshot import Gpu

T = TypeVar("T")
SOURCE: Final = "merged"


def merge(every: Iterable[Facts]) -> Facts:
    """One set of facts out of several, given in the order in which they count."""
    ordered = tuple(every)
    values: dict[FactName, Fact] = {}
    env_vars: dict[str, str] = {}
    for facts in ordered:
        for name, fact in facts.values.items():
            values.setdefault(name, fact)
        for variable, value in facts.env_vars.items():
            env_vars.setdefault(variable, value)
    return Facts(
        source=SOURCE,
        values=values,
        gpus=merge_gpus([facts.gpus for facts in ordered if facts.gpus]),
        vendors=_each(vendor for facts in ordered for vendor in facts.vendors),
        packages=_each(p for facts in ordered for p in facts.packages),
        libraries=_each(item for facts in ordered for item in facts.libraries),
        xids=_each(event for facts in ordered for event in facts.xids),
        commands=tuple(command for facts in ordered for command in facts.commands),
        env_vars=env_vars,
    )


def _each(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def merge_gpus(lists: list[tuple[Gpu, ...]]) -> tuple[Gpu, ...] | None:
    """The first list, its gaps filled from the others where these mean the same GPU."""
    if not lists:
        return None
    first, *others = lists
    for other in others:
        named = {gpu.index: gpu for gpu in other}
        only = other[0] if len(other) == 1 else None
        first = tuple(_filled(gpu, named.get(gpu.index) or only) for gpu in first)
    return first


def _filled(gpu: Gpu, other: Gpu | None) -> Gpu:
    if other is None or not _may_be_same(gpu.name, other.name):
        return gpu
    values = {
        field.name: getattr(other, field.name)
        for field in fields(gpu)
        if getattr(gpu, field.name) is None
    }
    if is_vague(gpu.name) and other.name:
        values["name"] = other.name
    return replace(gpu, **values)


def _may_be_same(one: str | None, other: str | None) -> bool:
    if is_vague(one) or is_vague(other):
        return True
    first, second = _plain(one), _plain(other)
    return first in second or second in first


def is_vague(name: str | None) -> bool:
    """Whether a name is missing, or was cut before it said which model it is."""
    return not any(character.isdigit() for character in _plain(name))


def _plain(name: str | None) -> str:
    """Less the parts that nvidia-smi cuts off, and what stands in brackets."""
    words = (name or "").split("(")[0].split("...")[0].lower()
    for vendor in ("nvidia", "geforce", "tesla", "quadro"):
        words = words.replace(vendor, " ")
    return " ".join(words.split())
