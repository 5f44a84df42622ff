"""Reads fwdoctor.toml, or `[tool.fwdoctor]` of a pyproject.toml, strictly.

A key that is not known is an error with a suggestion: a misspelt expectation that is
silently ignored would be worse than none.
"""

from __future__ import annotations

import datetime as dt
import difflib
import importlib
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import UsageError
from fwdoctor.expectations.model import (
    FRAMEWORKS,
    Expectations,
    FleetMember,
    Override,
)
from fwdoctor.model.finding import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIMIT_BYTES = 1_000_000
# Every key of the file, by table: what is checked, and what the schema lists.
KEYS: dict[str, tuple[str, ...]] = {
    "": ("require", "fleet", "forbid", "severity"),
    "require": (*FRAMEWORKS, "gpus"),
    "fleet": ("name", "gpu", "driver"),
    "forbid": ("causes",),
    "severity": ("rule", "level", "reason", "until"),
}


class ExpectationsError(UsageError):
    """The file cannot be used; the message names it and the key."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__("expectations-unusable", message, hint=hint)


def read_expectations(path: str) -> Expectations:
    """The expectations of a file; raises ExpectationsError naming file and key."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ExpectationsError(f"{path}: {error.strerror or error}") from error
    if len(content) > LIMIT_BYTES:
        raise ExpectationsError(f"{path}: larger than {LIMIT_BYTES} bytes")
    return parse_expectations(content.decode("utf-8", "replace"), path)


def parse_expectations(text: str, path: str) -> Expectations:
    """The expectations in a text of TOML."""
    toml = _find_toml()
    try:
        data = toml.loads(text)
    except (toml.TOMLDecodeError, RecursionError) as error:
        raise ExpectationsError(f"{path}: {error}") from error
    if path.rpartition("/")[2] == "pyproject.toml":
        tool = data.get("tool", {})
        if not isinstance(tool, dict) or "fwdoctor" not in tool:
            raise ExpectationsError(f"{path}: it has no [tool.fwdoctor] table")
        data = tool["fwdoctor"]
    return _Reader(path).read(data)


def _find_toml() -> Any:
    try:
        return importlib.import_module("tomllib")
    except ImportError:  # Python 3.10
        return importlib.import_module("tomli")


class _Reader:
    """Turns plain data into expectations, naming the file in every complaint."""

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, data: Any) -> Expectations:
        top = self._table(data, "")
        require = self._table(top.get("require", {}), "require")
        forbid = self._table(top.get("forbid", {}), "forbid")
        return Expectations(
            path=self._path,
            frameworks={
                name: self._specifier(name, require[name])
                for name in FRAMEWORKS
                if name in require
            },
            gpus=self._gpus(require.get("gpus")),
            fleet=tuple(self._member(row) for row in self._rows(top, "fleet")),
            forbidden_causes=self._causes(forbid.get("causes", [])),
            overrides=tuple(self._override(row) for row in self._rows(top, "severity")),
        )

    def _fail(self, problem: str, *, hint: str | None = None) -> ExpectationsError:
        return ExpectationsError(f"{self._path}: {problem}", hint=hint)

    def _table(self, data: Any, name: str) -> Mapping[str, Any]:
        where = f"[{name}]" if name else "the file"
        if not isinstance(data, dict):
            raise self._fail(f"{where} is not a table")
        for key in data:
            if key not in KEYS[name]:
                raise self._fail(
                    f"{where} has no key {key!r}", hint=_suggest(key, KEYS[name])
                )
        return data

    def _rows(self, top: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
        rows = top.get(name, [])
        if not isinstance(rows, list):
            raise self._fail(f"{name} is a list of tables: write [[{name}]]")
        return [self._table(row, name) for row in rows]

    def _text(self, row: Mapping[str, Any], table: str, key: str) -> str:
        value = row.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self._fail(f"[[{table}]] needs {key!r}, a text")
        return value.strip()

    def _specifier(self, name: str, value: Any) -> str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        if not isinstance(value, str):
            raise self._fail(f"[require] {name} is a text such as '>=2.6' or '*'")
        text = "" if value.strip() == "*" else value.strip()
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            raise self._fail(
                f"[require] {name} = {value!r} is not a version range",
                hint="such as '>=2.6,<3' or '*' for any version",
            ) from None
        return text

    def _gpus(self, value: Any) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._fail("[require] gpus is a number of GPUs")
        return value

    def _member(self, row: Mapping[str, Any]) -> FleetMember:
        gpu = self._text(row, "fleet", "gpu")
        driver = self._text(row, "fleet", "driver")
        named = row.get("name", f"{gpu}, driver {driver}")
        if not isinstance(named, str):
            raise self._fail("[[fleet]] name is a text")
        return FleetMember(name=named, gpu=gpu, driver=driver)

    def _causes(self, value: Any) -> tuple[str, ...]:
        from fwdoctor.rules.causes import LAYER_OF

        if not isinstance(value, list):
            raise self._fail("[forbid] causes is a list")
        for cause in value:
            if cause not in LAYER_OF:
                raise self._fail(
                    f"[forbid] causes has no cause {cause!r}",
                    hint=_suggest(str(cause), LAYER_OF),
                )
        return tuple(value)

    def _override(self, row: Mapping[str, Any]) -> Override:
        from fwdoctor.rules.registry import find_rule, load_rules

        name = self._text(row, "severity", "rule")
        rules = load_rules()
        if find_rule(name, rules) is None:
            words = [word for rule in rules for word in (rule.code, rule.name)]
            raise self._fail(
                f"[[severity]] rule {name!r} is none of fwdoctor's",
                hint=_suggest(name, words),
            )
        level = self._text(row, "severity", "level")
        if level not in SEVERITIES:
            raise self._fail(
                f"[[severity]] level {level!r} is not one of {', '.join(SEVERITIES)}"
            )
        until = row.get("until")
        if isinstance(until, dt.datetime) or not isinstance(until, dt.date):
            raise self._fail(
                "[[severity]] needs 'until', a date without quotes",
                hint="until = 2027-01-31; after that day the override ends",
            )
        return Override(
            rule=name,
            level=level,
            reason=self._text(row, "severity", "reason"),
            until=until,
        )


def _suggest(word: str, known: Iterable[str]) -> str:
    choices = list(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {', '.join(choices[:12])}"
