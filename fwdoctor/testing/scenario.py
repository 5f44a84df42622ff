"""Scenario files: which fake machine a test stands on.

Flat `key=value` lines, `#` for comment lines; the comments before the first key say
which real situation the file stands for. Everything is checked here, so that a typing
mistake is an error with file and line and never a silently healthy GPU.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError
from fwdoctor.testing.keys import (
    ALL_KEYS,
    LISTS_OF_FUNCTIONS,
    find_key,
    function_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCENARIO_DIRECTORY = Path(__file__).parent / "scenarios"
SUFFIX = ".scenario"


class ScenarioError(UsageError):
    """A scenario cannot be read; the message names file and line."""

    def __init__(self, where: str, message: str, *, hint: str | None = None) -> None:
        super().__init__("bad-scenario", f"{where}: {message}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A checked scenario: its name, what it stands for, its keys."""

    name: str
    about: str
    values: Mapping[str, str]

    def get(self, key: str) -> str | None:
        """The text of a key, None when absent."""
        return self.values.get(key)

    def number(self, key: str, fallback: int = 0) -> int:
        """The whole number of a key."""
        text = self.values.get(key)
        return fallback if text is None else int(text, 0)

    def is_set(self, key: str) -> bool:
        """Whether a 0-or-1 key is 1."""
        return self.number(key) == 1

    def words(self, key: str) -> tuple[str, ...]:
        """The comma-separated names of a key."""
        return tuple(
            w.strip() for w in self.values.get(key, "").split(",") if w.strip()
        )

    def under(self, prefix: str) -> dict[str, str]:
        """Keys that start with `prefix`, without it."""
        return {
            key.removeprefix(prefix): value
            for key, value in self.values.items()
            if key.startswith(prefix)
        }

    @property
    def gpu_count(self) -> int:
        """How many GPUs there are: gpu.0.name, gpu.1.name and so on."""
        count = 0
        while f"gpu.{count}.name" in self.values:
            count += 1
        return count

    @property
    def omitted(self) -> frozenset[str]:
        """C functions the driver's libraries lack."""
        return frozenset(self.words("omit"))

    def changed(self, changes: Mapping[str, object]) -> Scenario:
        """The same with some keys replaced; a key set to None is removed."""
        merged: dict[str, object] = {**self.values, **changes}
        kept = {key: str(v) for key, v in merged.items() if v is not None}
        return scenario_of(kept, name=self.name, about=self.about)

    def to_text(self) -> str:
        """The scenario as the C libraries read it."""
        return "".join(f"{key}={value}\n" for key, value in self.values.items())


def parse_scenario(text: str, source: str) -> Scenario:
    """Read scenario text; `source` is the file name for messages."""
    values: dict[str, str] = {}
    about: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        where = f"{source}:{number}"
        if line.startswith("#"):
            about += [] if values else [line.lstrip("# ")]
            continue
        if not line:
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise ScenarioError(where, f"no `=` in {line!r}")
        if key in values:
            raise ScenarioError(where, f"key `{key}` is given twice")
        _check(where, key, value)
        values[key] = value
    scenario = Scenario(
        name=Path(source).stem, about=" ".join(about), values=MappingProxyType(values)
    )
    _check_gpus(source, scenario)
    return scenario


def scenario_of(
    values: Mapping[str, object], *, name: str = "custom", about: str = ""
) -> Scenario:
    """A scenario from a mapping, checked like a file."""
    lines = []
    for key, value in values.items():
        if "\n" in f"{key}{value}":
            raise ScenarioError(name, f"key {key!r}: a value is one line")
        lines.append(f"{key}={value}\n")
    parsed = parse_scenario("".join(lines), name)
    return Scenario(name=name, about=about, values=parsed.values)


def load_scenario(name: str | Path) -> Scenario:
    """A shipped scenario by its name, or any scenario file by its path."""
    path = SCENARIO_DIRECTORY / f"{name}{SUFFIX}"
    if isinstance(name, Path) or "/" in name or name.endswith(SUFFIX):
        path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        close = _closest(str(name), scenario_names())
        raise ScenarioError(str(name), "no such scenario", hint=close) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(str(path), f"cannot be read: {error}") from None
    return parse_scenario(text, str(path))


def scenario_names() -> tuple[str, ...]:
    """Names of the shipped scenarios, sorted."""
    return tuple(sorted(path.stem for path in SCENARIO_DIRECTORY.glob(f"*{SUFFIX}")))


def _check(where: str, key: str, value: str) -> None:
    kind = find_key(key)
    if kind is None:
        names = (known.name for known in ALL_KEYS)
        general = re.sub(r"^gpu\.\d+\.mig\.\d+", "{mig}", key)
        general = re.sub(r"^gpu\.\d+", "{gpu}", general)
        hint = _closest(general, names)
        raise ScenarioError(where, f"unknown key `{key}`", hint=hint)
    if not kind.accepts(value):
        raise ScenarioError(where, f"`{key}` must be {kind.shape}, not {value!r}")
    _check_functions(where, key, value)


def _check_functions(where: str, key: str, value: str) -> None:
    named: list[str] = []
    if key in LISTS_OF_FUNCTIONS:
        named = [word.strip() for word in value.split(",")]
    elif "return." in key or key.startswith("delay_ms."):
        named = [key.rpartition(".")[2]]
    known = function_names() if named else frozenset()
    for name in named:
        if name not in known:
            hint = _closest(name, known)
            raise ScenarioError(where, f"the fake has no function `{name}`", hint=hint)


def _check_gpus(source: str, scenario: Scenario) -> None:
    """GPUs are counted by their names, so a gap would hide the rest."""
    for key in scenario.values:
        found = re.match(r"gpu\.(\d+)\.", key)
        if found and int(found[1]) >= scenario.gpu_count:
            message = (
                f"`{key}` belongs to no GPU: gpu.{scenario.gpu_count}.name is absent"
            )
            raise ScenarioError(source, message)


def _closest(word: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean `{found[0]}`?" if found else None
