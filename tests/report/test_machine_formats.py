"""Formats that machines read, by independent readers where there are any."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from fwdoctor.assume import apply_assumptions
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.finding import Evidence, Finding, Fix, Outcome, Report
from fwdoctor.model.snapshot import Environment, Framework, Host, Snapshot
from fwdoctor.report.registry import FORMATS, RenderOptions, render
from fwdoctor.versions import CudaVersion

HOSTILE = "a <b>&\"'\x1b[31m\x00\r\n::error::%0A ]]> \ud800 /home/alice/x"
OPTIONS = RenderOptions(home="/home/alice", user="alice")


@pytest.fixture(scope="module")
def report(matrices: Matrices) -> Report:
    """A driver too old for the installed PyTorch, judged by the real rules."""
    torch = Framework(
        version="2.9.1", package="torch", kind="cuda", cuda=CudaVersion.parse("13.0")
    )
    env = Environment(prefix="/home/alice/.venv", is_target=True, torch=torch)
    snapshot = Snapshot(
        created_at="2026-01-02T03:04:05+00:00",
        host=Host(os="linux", machine="x86_64"),
        environments=(env,),
    )
    facts = ("driver=550.144.03", "gpu=RTX 4090")
    return judge(apply_assumptions(snapshot, facts, matrices), matrices)


@pytest.fixture(scope="module")
def hostile() -> Report:
    """A report whose every text was written by somebody unfriendly."""
    finding = Finding(
        code="FW111",
        name="driver-too-old",
        cause="driver-too-old",
        severity="error",
        role="cause",
        subject=HOSTILE,
        message=HOSTILE,
        detail=HOSTILE,
        evidence=(Evidence(fact=HOSTILE, value=HOSTILE, source=HOSTILE),),
        fix=(Fix(effort="ask", commands=(HOSTILE,), why=HOSTILE),),
    )
    outcomes = (
        Outcome(code="FW111", name="driver-too-old", outcome="failed"),
        Outcome(code="FW112", name="x", outcome="crashed", reason=HOSTILE),
        Outcome(code="FW113", name="y", outcome="skipped", reason=HOSTILE),
    )
    return Report(
        fwdoctor_version="0",
        verdict="findings",
        headline=HOSTILE,
        input=HOSTILE,
        findings=(
            finding,
            replace(finding, code="FW999", severity="info", role="separate"),
        ),
        outcomes=outcomes,
    )


def test_junit_counts_what_it_holds(report: Report) -> None:
    root = ET.fromstring(render(report, "junit", OPTIONS).encode())
    suite = root.find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert suite.get("tests") == root.get("tests") == str(len(report.outcomes))
    assert len(cases) == len(report.outcomes)
    failed = [case for case in cases if case.find("failure") is not None]
    errors = {f.code for f in report.findings if f.severity == "error"}
    assert {str(c.get("classname"))[-5:] for c in failed} == errors == {"FW111"}
    assert suite.get("failures") == "1"
    skipped = [case for case in cases if case.find("skipped") is not None]
    assert suite.get("skipped") == str(len(skipped))
    assert skipped
    text = failed[0].findtext("failure") or ""
    assert "580.65.06" in text  # what to do stands in the text, with its numbers


def test_junit_is_read_by_another_program(report: Report) -> None:
    junitparser = pytest.importorskip("junitparser")
    xml = junitparser.JUnitXml.fromstring(render(report, "junit", OPTIONS).encode())
    assert (xml.failures, xml.tests) == (1, len(report.outcomes))


def test_a_warning_passes_in_junit_and_is_still_told(report: Report) -> None:
    softened = replace(
        report, findings=tuple(replace(f, severity="warning") for f in report.findings)
    )
    root = ET.fromstring(render(softened, "junit", OPTIONS).encode())
    assert root.get("failures") == "0"
    assert any("warning: " in (e.text or "") for e in root.iter("system-out"))


def sarif(report: Report) -> Any:
    return json.loads(render(report, "sarif", OPTIONS))


def test_sarif_has_what_code_scanning_needs(report: Report) -> None:
    log = sarif(report)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(report.findings) > 0
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri)
        assert not uri.startswith("/")
        assert "alice" not in uri
        assert result["partialFingerprints"]
    assert {rule["id"] for rule in rules} == {f.code for f in report.findings}
    assert all(rule["shortDescription"]["text"] for rule in rules)
    assert len({rule["id"] for rule in rules}) == len(rules)


def test_github_annotations_are_one_line_each(report: Report) -> None:
    lines = render(report, "github", OPTIONS).splitlines()
    assert lines[0].startswith("::error title=FW111 ")
    assert "%0A" in lines[0]
    assert lines[-1] == f"fwdoctor: {report.headline}"
    shown = [f for f in report.findings if f.role != "consequence"]
    assert len(lines) == len(shown) + 1


class _Page(HTMLParser):
    """Tags opened and closed, attributes that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loads += [n for n, _ in attrs if n in ("src", "href", "onclick", "style")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_html_loads_nothing_and_is_well_formed(
    which: str, request: pytest.FixtureRequest
) -> None:
    page = _Page()
    page.feed(render(request.getfixturevalue(which), "html", OPTIONS))
    assert page.open == []
    assert page.loads == []
    assert not {"script", "b", "link", "img", "iframe"} & set(page.seen)
    assert page.seen.count("article") > 0


@pytest.mark.parametrize("name", ["junit", "sarif", "github", "html"])
def test_what_somebody_wrote_breaks_no_format(name: str, hostile: Report) -> None:
    text = render(hostile, name, OPTIONS)
    text.encode()  # no lone surrogate is left
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "alice" not in text
    if name == "junit":
        root = ET.fromstring(text.encode())
        assert (root.get("tests"), root.get("errors")) == ("4", "1")
    elif name == "sarif":
        log = json.loads(text)
        (run,) = log["runs"]
        assert run["invocations"][0]["executionSuccessful"] is False
        assert run["tool"]["driver"]["rules"][1]["id"] == "FW999"
    elif name == "github":
        commands = [line for line in text.splitlines() if line.startswith("::")]
        assert len(commands) == len(text.splitlines()) - 1 == len(hostile.findings)
        assert all(line.count("::error::") <= line.count("%") for line in commands)


def test_every_format_ends_with_a_newline(report: Report) -> None:
    assert all(render(report, name, OPTIONS).endswith("\n") for name in FORMATS)
