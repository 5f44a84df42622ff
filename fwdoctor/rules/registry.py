"""Finds every rule by scanning this folder, and fails loudly on a broken one."""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.rules.causes import LAYER_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Problem, Severity
    from fwdoctor.model.snapshot import Snapshot

    Check = Callable[[Snapshot, Matrices], Iterator[Problem]]

_MODULE = re.compile(r"(fw\d{3})_[a-z0-9_]+")

# Codes of rules that no longer exist; a code is never used again.
RETIRED_CODES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: what it is called, what it needs, and its check.

    `needs` are dotted paths of snapshot facts; where one is unknown the rule is
    skipped and the reason recorded. `explains` are the codes of findings that follow
    from this one. `hears` marks the rule that speaks for messages of its cause.
    """

    code: str
    name: str
    cause: str
    severity: Severity
    needs: tuple[str, ...]
    explains: tuple[str, ...]
    hears: bool
    since: str
    page: str
    check: Check

    @property
    def layer(self) -> int:
        """Position of its cause in the stack, from the base up."""
        return LAYER_OF[self.cause]


def rule(
    code: str,
    name: str,
    *,
    cause: str,
    severity: Severity = "error",
    needs: tuple[str, ...] = (),
    explains: tuple[str, ...] = (),
    hears: bool = False,
    since: str = "0.1.0",
) -> Callable[[Check], Check]:
    """Declare the decorated generator as the check of rule `code`."""

    def declare(check: Check) -> Check:
        if cause not in LAYER_OF:
            raise ValueError(f"{code}: unknown cause {cause!r}")
        page = check.__globals__.get("__doc__") or ""
        check.__dict__["rule"] = Rule(
            code=code,
            name=name,
            cause=cause,
            severity=severity,
            needs=needs,
            explains=explains,
            hears=hears,
            since=since,
            page=page.strip(),
            check=check,
        )
        return check

    return declare


def load_rules() -> tuple[Rule, ...]:
    """Every rule of this folder, sorted by code.

    Raises RuntimeError for a module without a rule, a code that is not the module's,
    a duplicate, or two rules hearing one cause.
    """
    rules: list[Rule] = []
    for module_name in _module_names():
        module = importlib.import_module(f"fwdoctor.rules.{module_name}")
        found = getattr(getattr(module, "check", None), "rule", None)
        if not isinstance(found, Rule):
            raise RuntimeError(f"{module_name} declares no rule")  # noqa: TRY004
        if found.code.lower() != module_name[:5] or found.code in RETIRED_CODES:
            raise RuntimeError(f"{module_name} declares code {found.code}")
        rules.append(found)
    _refuse_duplicates(rules)
    return tuple(rules)


def _module_names() -> list[str]:
    names = {entry.partition(".")[0] for entry in os.listdir(os.path.dirname(__file__))}
    return sorted(name for name in names if _MODULE.fullmatch(name))


def _refuse_duplicates(rules: list[Rule]) -> None:
    for label, values in (
        ("code", [rule.code for rule in rules]),
        ("name", [rule.name for rule in rules]),
        ("hearing cause", [rule.cause for rule in rules if rule.hears]),
    ):
        doubled = {value for value in values if values.count(value) > 1}
        if doubled:
            raise RuntimeError(f"{label} used twice: {', '.join(sorted(doubled))}")


def find_rule(text: str, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule with this code or name, in any case."""
    wanted = text.strip().lower()
    return next((r for r in rules if wanted in (r.code.lower(), r.name)), None)
