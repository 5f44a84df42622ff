"""Names in a snapshot are whatever somebody wrote: none of them acts on the reader."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import decode_snapshot
from fwdoctor.model.finding import Evidence, Finding, Fix, Report
from fwdoctor.report.markdown import escape
from fwdoctor.report.registry import FORMATS, RenderOptions, render
from fwdoctor.report.visible import json_text, visible
from tests.report.test_reports import MACHINES

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\x9b2J",
    "a\nok      everything is fine",
    "a\r\nb\vc\fd\x1ce\x85f\u2028g",
    "\u202etxt.exe\u2066",
    "half \ud800 a pair, caf\udce9",
    "[bold red]rich[/bold red] [link=https://evil.example]x[/link]",
    "| cell | another |",
    "``` \n# heading",
    "`````",
    "<script>alert(1)</script> <!-- -->",
    "[text](https://evil.example) ![image](x) <https://evil.example>",
    "**bold** _it_ ~~gone~~ \\ &lt; $x$ # - + 1. =",
    "- item",
    "1. item",
    "    code",
    "---",
    "@maintainer and #12",
    "trailing backslash \\",
)
TEXT = st.sampled_from(HOSTILE) | st.text(max_size=30)
MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
MATRICES = Matrices()
_OURS = re.compile("\x1b\\[[0-9;]*m")  # colours, when asked for


def hostile_snapshot(text: str) -> dict[str, Any]:
    """A machine on which every free text is this one."""
    driver_too_old = {"index": 0, "name": text, "compute_capability": "8.9"}
    framework = {
        "version": text,
        "package": "torch",
        "kind": "cuda",
        "cuda": "13.2",
        "path": text,
        "problem": text,
    }
    environment = {
        "prefix": text,
        "python": text,
        "manager": "pip",
        "python_version": text,
        "is_target": True,
        "torch": framework,
        "shadowing": [text],
        "problem": text,
    }
    return {
        "schema_version": 1,
        "host": {"os": "linux", "distribution": text, "machine": text, "kernel": text},
        "driver": {"version": "550.54.14", "nvml_code": 0, "version_source": text},
        "gpus": [driver_too_old],
        "pci": [
            {
                "address": text,
                "vendor": "nvidia",
                "device_id": text,
                "kind": "gpu",
                "kernel_driver": text,
            }
        ],
        "container": {"kind": "docker", "scheduler": "slurm", "scheduler_gpus": text},
        "environments": [environment, environment | {"is_target": False}],
        "env_vars": {"CUDA_VISIBLE_DEVICES": text, "LD_LIBRARY_PATH": text},
        "assumptions": [{"fact": text, "value": text, "was": text}],
        "probes": [{"name": text, "status": "error", "reason": text}],
    }


def hostile_report(text: str) -> Report:
    """What the rules say of that machine, and a finding whose every part is hostile."""
    report = judge(decode_snapshot(hostile_snapshot(text)), MATRICES)
    finding = Finding(
        code="FW999",
        name="hostile",
        cause="driver-too-old",
        severity="error",
        role="cause",
        subject=text,
        message=text,
        detail=text,
        evidence=(Evidence(fact=text, value=text, source=text),),
        fix=(Fix(effort="reboot", commands=(text, "true"), why=text, verify=text),),
    )
    return dataclasses.replace(
        report,
        headline=text,
        findings=(finding, *report.findings),
        questions=(text,),
        input=text,
    )


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
@pytest.mark.parametrize("is_colored", [False, True])
@given(text=TEXT)
@settings(max_examples=60, deadline=None)
def test_terminal_shows_only_printable_characters(
    text: str, verbosity: int, is_colored: bool
) -> None:
    options = RenderOptions(verbosity=verbosity, is_colored=is_colored, width=80)
    shown = render(hostile_report(text), "terminal", options)
    plain = _OURS.sub("", shown) if is_colored else shown
    assert [line for line in plain.split("\n") if not line.isprintable()] == []
    shown.encode("utf-8")


def test_a_name_begins_no_line_of_its_own() -> None:
    report = hostile_report("a\nok      everything is fine")
    shown = render(report, "terminal", RenderOptions(width=200))
    assert not any(line.startswith("ok      every") for line in shown.splitlines())


def test_square_brackets_stay_as_they_are() -> None:
    text = "[bold red]rich[/bold red]"
    shown = render(hostile_report(text), "terminal", RenderOptions(is_colored=True))
    assert text in _OURS.sub("", shown)


@pytest.mark.parametrize("name", ["json", "jsonl"])
@given(text=TEXT)
@settings(max_examples=60, deadline=None)
def test_json_brings_everything_and_nothing_active(text: str, name: str) -> None:
    report = hostile_report(text)
    shown = render(report, name, RenderOptions())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", shown)
    shown.encode("utf-8")
    assert json.loads(shown)["headline"] == text


def tokens_of(markdown: str) -> list[Token]:
    """All tokens, those inside of lines too."""
    found = []
    for token in MARKDOWN.parse(markdown):
        found += [token, *(token.children or ())]
    return found


def shape_of(markdown: str) -> list[str]:
    """The kinds of tokens, texts left out: what the document is made of."""
    ignored = ("text", "text_special", "softbreak")
    return [token.type for token in tokens_of(markdown) if token.type not in ignored]


@given(text=TEXT)
@settings(max_examples=150, deadline=None)
def test_markdown_keeps_its_shape(text: str) -> None:
    """Whatever a name holds, the document has the parts it has for a harmless name."""
    expected = _finding_part(hostile_report("harmless"))
    assert _finding_part(hostile_report(f"x{text}x")) == expected
    shape = shape_of(render(hostile_report(text), "markdown", RenderOptions()))
    for kind in ("html_block", "image", "link_open", "s_open", "code_block", "hr"):
        assert kind not in shape
    assert shape.count("table_open") == 1
    assert shape.count("heading_open") == 1


def _finding_part(report: Report) -> list[str]:
    """The shape of the report with our own finding alone."""
    alone = dataclasses.replace(report, findings=report.findings[:1])
    return shape_of(render(alone, "markdown", RenderOptions()))


@given(text=TEXT)
@settings(max_examples=100, deadline=None)
def test_commands_stay_in_their_fence(text: str) -> None:
    shown = render(hostile_report(text), "markdown", RenderOptions())
    fences = [token for token in tokens_of(shown) if token.type == "fence"]
    assert all(token.info == "sh" for token in fences)
    assert fences[0].content == f"{visible(text)}\ntrue\n"


def test_the_markdown_name_is_redacted_before_it_is_escaped() -> None:
    report = dataclasses.replace(
        hostile_report("x"), headline="in /data/people/al_ice/project"
    )
    options = RenderOptions(home="/data/people/al_ice", user="al_ice")
    shown = render(report, "markdown", options)
    assert "al_ice" not in shown.replace("\\", "")


@given(text=TEXT)
def test_escaped_text_reads_as_before(text: str) -> None:
    shown = MARKDOWN.render(escape(visible(text)))
    plain = re.sub("<[^>]*>", "", shown)
    for entity, character in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("amp", "&")):
        plain = plain.replace(f"&{entity};", character)
    assert plain.strip().replace("\u2060", "") == visible(text).strip()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_bears_every_hostile_text(name: str) -> None:
    for text in HOSTILE:
        render(hostile_report(text), name, RenderOptions()).encode("utf-8")


@given(
    value=st.recursive(
        TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)
    )
)
def test_json_text_is_json(value: Any) -> None:
    assert json.loads(json_text(value)) == value


@pytest.mark.skipif(not os.path.exists("/bin/sh"), reason="a POSIX shell")
@pytest.mark.parametrize("place", ["python", "prefix", "owner", "location"])
def test_a_name_in_a_command_stays_one_word_of_it(place: str) -> None:
    """`$(…)` in the name of a folder or a distribution is not run when pasted."""
    evil = '$(id)`id`; rm -rf "~" \'q'
    path = MACHINES / "rtx4090-550-clobbered" / "snapshot.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    environment = data["environments"][0]
    if place == "owner":
        environment["clashes"][0]["owners"][0] += evil
    elif place == "location":
        for library in environment["tensorflow"]["libraries"]:
            library["intended"] = f"/{evil}/{library['soname']}"
    else:
        environment[place] += evil
    report = judge(decode_snapshot(data), MATRICES)
    fixes = [fix for finding in report.findings for fix in finding.fix]
    words = [word for fix in fixes for word in (*fix.commands, fix.verify)]
    concerned = [command for command in words if "(id)" in command]
    assert concerned
    for command in concerned:
        assert any(evil in word for word in words_of(command)), command


def words_of(command: str) -> list[str]:
    """The words a shell makes of a command, without running it."""
    script = f"set -- {command}\nprintf '%s\\0' \"$@\""
    shell = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=True
    )
    return shell.stdout.split("\0")
