"""Records behave as those of `dataclasses`, whose work is put off."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from fwdoctor.model import lazy_dataclass
from fwdoctor.model.snapshot import Gpu


def declared(decorate: Any) -> Any:
    class Point:
        x: int
        y: int = 2
        tags: list[str] = dataclasses.field(default_factory=list)

    return decorate(frozen=True, slots=True, kw_only=True)(Point)


Ours = declared(lazy_dataclass.dataclass)
Theirs = declared(dataclasses.dataclass)


@pytest.mark.parametrize("given", [{"x": 1}, {"x": 1, "y": 5, "tags": ["a"]}])
def test_values_and_text_are_the_same(given: dict[str, Any]) -> None:
    ours, theirs = Ours(**given), Theirs(**given)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs)
    assert [f.name for f in dataclasses.fields(ours)] == ["x", "y", "tags"]


@pytest.mark.parametrize("given", [{}, {"x": 1, "z": 2}])
def test_missing_and_unknown_values_are_refused_alike(given: dict[str, Any]) -> None:
    said = []
    for cls in (Ours, Theirs):
        with pytest.raises(TypeError) as caught:
            cls(**given)
        said.append(str(caught.value).rpartition("__init__")[2])
    assert said[0] == said[1]


def test_a_factory_makes_a_value_for_each() -> None:
    assert Ours(x=1).tags is not Ours(x=1).tags


def test_equality_and_hash_go_by_values_and_class() -> None:
    assert Gpu(index=0, name="T4") == Gpu(index=0, name="T4")
    assert Gpu(index=0) != Gpu(index=1)
    assert Ours(x=1) != Theirs(x=1)
    assert len({Gpu(index=0), Gpu(index=0), Gpu(index=1)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours(x=1))


@pytest.mark.parametrize("name", ["name", "unheard_of"])
def test_nothing_is_assigned_or_deleted(name: str) -> None:
    gpu = Gpu(index=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(gpu, name, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(gpu, name)
    assert not hasattr(gpu, "__dict__")


def test_copies() -> None:
    gpu = Gpu(index=0, name="T4")
    assert dataclasses.replace(gpu, index=3) == Gpu(index=3, name="T4")
    assert copy.deepcopy(gpu) == gpu
    assert pickle.loads(pickle.dumps(gpu)) == gpu


def test_other_kinds_of_classes_are_not_made() -> None:
    with pytest.raises(TypeError, match="frozen"):
        lazy_dataclass.dataclass(frozen=False, slots=True, kw_only=True)
