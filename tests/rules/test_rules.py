"""Every rule against its examples: tests/rules/FWNNN/bad-*.json and good-*.json.

An example is a small snapshot, or {"expect": {…}, "snapshot": {…}} where `expect` may
hold `message_contains`, `detail_contains` and `commands_contain` (lists of texts that
the rule's findings must show), `commands_lack` (that no command may hold) and
`severity`. A bad example must make its rule speak,
as the first cause when its name starts with `bad-first-`; a good one must leave it
silent. No rule may crash on any example, whoever it was written for.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import decode_snapshot
from fwdoctor.model.finding import Report
from fwdoctor.rules.causes import HARMLESS_CAUSES, LAYER_OF, Cause
from fwdoctor.rules.pages import HEADINGS
from fwdoctor.rules.registry import Rule, load_rules

FOLDER = Path(__file__).parent
RULES = load_rules()
CODES = frozenset(rule.code for rule in RULES)
MATRICES = Matrices()
EXPECTATIONS = {
    "message_contains",
    "detail_contains",
    "commands_contain",
    "commands_lack",
    "severity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    code: str
    path: Path
    is_bad: bool
    must_be_first: bool
    expect: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.code}-{self.path.stem}"


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The expectations and the snapshot of one file."""
    data = json.loads(path.read_text("utf-8"))
    if "snapshot" not in data:
        return {}, data
    unknown = set(data.get("expect", {})) - EXPECTATIONS
    assert not unknown, f"{path}: unknown expectation {', '.join(unknown)}"
    return data.get("expect", {}), data["snapshot"]


def _examples() -> list[Example]:
    found = []
    for path in sorted(FOLDER.glob("FW*/*.json")):
        kind = re.match(r"(bad-first-|bad-|good-)[a-z0-9-]+\.json$", path.name)
        assert kind, f"{path}: a name starts with bad-, bad-first- or good-"
        found.append(
            Example(
                code=path.parent.name,
                path=path,
                is_bad=kind[1] != "good-",
                must_be_first=kind[1] == "bad-first-",
                expect=_read(path)[0],
            )
        )
    return found


EXAMPLES = _examples()
BAD = [example for example in EXAMPLES if example.is_bad]
GOOD = [example for example in EXAMPLES if not example.is_bad]


@cache
def _report(path: Path) -> Report:
    data = {"schema_version": 1, **_read(path)[1]}
    return judge(decode_snapshot(data), MATRICES)


def _said(report: Report) -> str:
    return "\n".join(
        f"{f.code} {f.role} {f.severity}/{f.certainty}: {f.message}"
        for f in report.findings
    )


@pytest.mark.parametrize("example", BAD, ids=lambda example: example.id)
def test_bad_example_is_found(example: Example) -> None:
    report = _report(example.path)
    own = [f for f in report.findings if f.code == example.code]
    outcome = next(o for o in report.outcomes if o.code == example.code)
    assert own, f"silent: {outcome.outcome} {outcome.reason}\n{_said(report)}"
    if example.must_be_first:
        assert report.findings[0].code == example.code, _said(report)


@pytest.mark.parametrize("example", BAD, ids=lambda example: example.id)
def test_bad_example_says_what_is_expected(example: Example) -> None:
    own = [f for f in _report(example.path).findings if f.code == example.code]
    shown = {
        "message_contains": "\n".join(f.message for f in own),
        "detail_contains": "\n".join(f.detail for f in own),
        "commands_contain": "\n".join(
            command for f in own for fix in f.fix for command in fix.commands
        ),
    }
    for what, text in shown.items():
        for wanted in example.expect.get(what, ()):
            assert wanted in text, f"{what}: {wanted!r} is not in\n{text}"
    for unwanted in example.expect.get("commands_lack", ()):
        assert unwanted not in shown["commands_contain"], shown["commands_contain"]
    if "severity" in example.expect:
        assert {f.severity for f in own} == {example.expect["severity"]}


@pytest.mark.parametrize("example", BAD, ids=lambda example: example.id)
def test_finding_reads_well(example: Example) -> None:
    for finding in _report(example.path).findings:
        assert finding.message == finding.message.strip() != ""
        assert "\n" not in finding.message, finding.message
        assert not finding.message.endswith("."), finding.message
        assert "None" not in f"{finding.message} {finding.detail}", finding
        assert finding.subject, finding
        for fix in finding.fix:
            assert fix.commands or fix.why, finding
            assert all("\n" not in c and "None" not in c for c in fix.commands)


@pytest.mark.parametrize("example", GOOD, ids=lambda example: example.id)
def test_good_example_is_silent(example: Example) -> None:
    report = _report(example.path)
    assert not [f for f in report.findings if f.code == example.code], _said(report)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_no_rule_crashes(example: Example) -> None:
    crashed = [o for o in _report(example.path).outcomes if o.outcome == "crashed"]
    assert not crashed, crashed


def test_folders_are_codes_of_rules() -> None:
    folders = {entry for entry in os.listdir(FOLDER) if entry.startswith("FW")}
    assert folders <= CODES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule_has_examples(rule: Rule) -> None:
    own = [example for example in EXAMPLES if example.code == rule.code]
    assert sum(example.is_bad for example in own) >= 2
    assert sum(not example.is_bad for example in own) >= 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_page_has_its_headings(rule: Rule) -> None:
    lines = rule.page.splitlines()
    assert lines[0].endswith("."), "the page opens with a sentence"
    places = []
    for heading in HEADINGS:
        assert lines.count(heading) == 1, f"{heading} is not there once"
        place = lines.index(heading)
        assert lines[place + 1] == "-" * len(heading), f"{heading} is not underlined"
        assert "".join(lines[place + 2 : place + 3]), f"{heading} says nothing"
        places.append(place)
    assert places == sorted(places), "the headings are out of order"
    assert any("https://" in line for line in lines[places[-1] :]), "no reference"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule_is_well_declared(rule: Rule) -> None:
    assert re.fullmatch(r"FW\d{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.name)
    module = rule.check.__module__.rpartition(".")[2]
    assert module == f"{rule.code.lower()}_{rule.name.replace('-', '_')}"


def test_codes_and_names_are_unique() -> None:
    assert len(CODES) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_explained_codes_exist() -> None:
    dangling = {
        f"{rule.code} explains {code}"
        for rule in RULES
        for code in rule.explains
        if code not in CODES
    }
    assert not dangling


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule_does_not_explain_itself(rule: Rule) -> None:
    assert rule.code not in rule.explains


def test_every_cause_has_a_layer() -> None:
    assert set(LAYER_OF) == set(get_args(Cause))


def test_every_cause_has_rules() -> None:
    covered = {rule.cause for rule in RULES}
    assert set(get_args(Cause)) - HARMLESS_CAUSES <= covered


def test_every_cause_has_a_rule_that_hears() -> None:
    heard = {rule.cause for rule in RULES if rule.hears}
    assert set(get_args(Cause)) - HARMLESS_CAUSES <= heard
