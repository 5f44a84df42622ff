"""Reports on recorded machines against expected texts in tests/golden/.

`pytest --update-golden` rewrites the texts; review the diff. The outcomes of rules are
replaced by four of a kind, so that a new rule changes no text it has no part in.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from fwdoctor.cli.checking import CheckRequest, run_check
from fwdoctor.cli.snapshot_file import read_snapshot
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import encode
from fwdoctor.model.finding import Outcome, Report
from fwdoctor.report.registry import FORMATS, RenderOptions, render

TESTS = Path(__file__).resolve().parent.parent
MACHINES = TESTS / "machines"
GOLDEN = TESTS / "golden"
SCHEMA = json.loads(
    (TESTS.parent / "docs" / "report.schema.json").read_text(encoding="utf-8")
)
NAMES = (
    "picture",
    "h200-580-clean-pair",
    "no-gpu-torch-cpu",
    "rtx4090-550-clobbered",
    "nothing-readable",
)
OUTCOMES = (
    Outcome(code="FW001", name="cpu-without-avx", outcome="passed", ms=0.1),
    Outcome(code="FW111", name="driver-too-old", outcome="failed", ms=0.2),
    Outcome(
        code="FW301",
        name="cudnn-mismatch",
        outcome="skipped",
        reason="no framework is known",
    ),
    Outcome(
        code="FW999", name="example", outcome="crashed", reason="KeyError: 'driver'"
    ),
)
LOOKS = {
    "txt": RenderOptions(width=100, seconds=0.19),
    "quiet.txt": RenderOptions(width=100, verbosity=-1),
    "verbose.txt": RenderOptions(width=100, verbosity=1, seconds=0.19),
    "ascii.txt": RenderOptions(width=100, is_ascii=True, seconds=0.19),
    "60.txt": RenderOptions(width=60, seconds=0.19),
    "colour.txt": RenderOptions(width=100, is_colored=True, seconds=0.19),
}


@pytest.fixture(scope="module")
def reports(matrices: Matrices) -> dict[str, Report]:
    """What is said of each machine, with the outcomes above."""
    return {
        name: dataclasses.replace(
            judge(read_snapshot(str(path_of(name))), matrices), outcomes=OUTCOMES
        )
        for name in NAMES
    }


def path_of(name: str) -> Path:
    return MACHINES / name / "snapshot.json"


def compare(text: str, name: str, *, update: bool) -> None:
    path = GOLDEN / name
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.is_file(), f"{path} is not there: run pytest --update-golden"
    assert text == path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", NAMES)
def test_terminal(
    reports: dict[str, Report], update_golden: bool, name: str, look: str
) -> None:
    text = render(reports[name], "terminal", LOOKS[look])
    compare(text, f"{name}.{look}", update=update_golden)


@pytest.mark.parametrize("name", NAMES)
def test_markdown(reports: dict[str, Report], update_golden: bool, name: str) -> None:
    text = render(reports[name], "markdown", RenderOptions())
    compare(text, f"{name}.md", update=update_golden)


@pytest.mark.parametrize("name", NAMES)
def test_json(reports: dict[str, Report], update_golden: bool, name: str) -> None:
    """The snapshot is what went in, so it is compared and not kept a second time."""
    data = json.loads(render(reports[name], "json", RenderOptions()))
    given = json.loads(path_of(name).read_text(encoding="utf-8"))
    assert data.pop("snapshot").items() >= given.items()
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    compare(text, f"{name}.json", update=update_golden)


@pytest.mark.parametrize("name", NAMES)
def test_json_is_valid_and_one_object_in_both_forms(
    reports: dict[str, Report], name: str
) -> None:
    text = render(reports[name], "json", RenderOptions())
    line = render(reports[name], "jsonl", RenderOptions())
    jsonschema.validate(json.loads(text), SCHEMA)
    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(text)


def test_every_golden_text_is_used() -> None:
    expected = {f"{name}.{kind}" for name in NAMES for kind in (*LOOKS, "md", "json")}
    found = {path.name for path in GOLDEN.iterdir() if path.stem.split(".")[0] in NAMES}
    assert found == expected


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", NAMES)
def test_lines_keep_to_the_width(
    reports: dict[str, Report], name: str, width: int
) -> None:
    """Commands are never broken; other lines only hold words that are too long."""
    commands = {
        command
        for finding in reports[name].findings
        for fix in finding.fix
        for command in fix.commands
    }
    for verbosity in (-1, 0, 1):
        options = RenderOptions(width=width, verbosity=verbosity)
        lines = render(reports[name], "terminal", options).splitlines()
        for line in lines[1:]:
            if line.strip() in commands or len(line) <= width:
                continue
            assert len(line.split()) <= 3, line


@pytest.mark.parametrize("name", NAMES)
def test_colour_adds_nothing_but_colour(reports: dict[str, Report], name: str) -> None:
    from rich.text import Text

    plain = render(reports[name], "terminal", LOOKS["txt"])
    coloured = render(reports[name], "terminal", LOOKS["colour.txt"])
    assert coloured != plain
    assert Text.from_ansi(coloured).plain.rstrip() == plain.rstrip()


@pytest.mark.parametrize("name", NAMES)
def test_ascii_keeps_every_line(reports: dict[str, Report], name: str) -> None:
    text = render(reports[name], "terminal", LOOKS["ascii.txt"])
    assert text.isascii()
    assert text.count("\n") == render(reports[name], "terminal", LOOKS["txt"]).count(
        "\n"
    )
    assert "?" not in text.replace("\n?       ", "\n")


@pytest.mark.parametrize("name", NAMES)
def test_markdown_table_rows_have_three_cells(
    reports: dict[str, Report], name: str
) -> None:
    text = render(reports[name], "markdown", RenderOptions())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) >= 4
    for row in rows:
        assert row.replace("\\|", "").count("|") == 4, row


@pytest.mark.parametrize("fail_on", ["error", "warning", "never"])
@pytest.mark.parametrize("name", NAMES)
def test_the_exit_code_knows_no_format(name: str, fail_on: str) -> None:
    """The code is chosen from the report, before a format is: rendering is pure."""
    report, code = run_check(CheckRequest(snapshot=str(path_of(name)), fail_on=fail_on))
    before = encode(report)
    for format_name in FORMATS:
        render(report, format_name, RenderOptions())
    assert encode(report) == before
    again = run_check(CheckRequest(snapshot=str(path_of(name)), fail_on=fail_on))
    assert again[1] is code
