"""Documents: generated ones are current, written ones say what is true.

After a change of a rule, a record or an option: `python scripts/generate_docs.py`.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.main import get_command

from fwdoctor.cli import make_app
from fwdoctor.rules.registry import load_rules

ROOT = Path(__file__).resolve().parent.parent
RULES = {rule.code: rule for rule in load_rules()}
WRITTEN = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("envs/*.md"))
    if path.name not in ("matrix.md", "cli.md")
)
# Document → the library that draws it, and the release it was drawn with.
DRAWN_BY = {"cli.md": ("typer", "0.29."), "check.svg": ("rich", "15.")}
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(fwdoctor [^`]+)`")
# `fwdoctor check --python .venv`, also behind uvx, a path or `$ `.
_CALL = re.compile(r"(?:^|[\s/])fwdoctor ((?:[a-z]+|-)[^\n|&;]*)", re.MULTILINE)
_OPTION = re.compile(r"(?<!\S)--?[a-z][\w-]*")
_NAMED = re.compile(r"\b(FW\d{3}) ([a-z][a-z0-9]*(?:-[a-z0-9]+)+)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


written = pytest.mark.parametrize("path", WRITTEN, ids=name_of)


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/generate_docs.py, which sets variables for the help texts."""
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setenv("NO_COLOR", "1")
    path = ROOT / "scripts" / "generate_docs.py"
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documents_are_current(generator: ModuleType) -> None:
    stale = [
        name_of(path)
        for path, text in generator.documents().items()
        if is_comparable(path)
        and not (path.is_file() and path.read_text(encoding="utf-8") == text)
    ]
    assert stale == [], "run python scripts/generate_docs.py"


def is_comparable(path: Path) -> bool:
    """Help texts and pictures look different with other releases of their library."""
    library, release = DRAWN_BY.get(path.name, ("typer", ""))
    return f"{version(library)}.".startswith(release)


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "rules").glob("FW*.md")}
    assert pages == set(RULES)
    listed = (ROOT / "docs" / "rules" / "README.md").read_text(encoding="utf-8")
    assert all(f"[{code}]({code}.md)" in listed for code in RULES)


def test_the_command_reference_has_every_command() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    parts = re.split(r"^## fwdoctor ?(\w*)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert sorted(sections) == sorted(["", *commands()])
    for name, command in commands().items():
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("-") or option in sections[name]


@written
def test_links_lead_to_files(path: Path) -> None:
    for target in _LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        assert (path.parent / target.partition("#")[0]).exists(), target


@written
def test_codes_are_rules_under_their_names(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # FW999 is nobody's, FWNNN a placeholder.
    codes = set(re.findall(r"\bFW\d{3}\b", text)) - {"FW999"}
    assert codes <= set(RULES)
    for code, name in _NAMED.findall(text):
        assert name == RULES[code].name, f"{code} {name}"


def commands() -> dict[str, typer.core.TyperCommand]:
    group = get_command(make_app())
    return dict(group.commands)  # type: ignore[attr-defined]  # a group of commands


def own_options() -> set[str]:
    """Options of `fwdoctor` itself."""
    parameters = get_command(make_app()).params
    return {name for parameter in parameters for name in parameter.opts} | {"--help"}


def calls(text: str) -> Iterator[str]:
    """Command lines of fwdoctor in shell blocks, session transcripts and prose."""
    for language, block in _FENCE.findall(text):
        if language in ("sh", "bash", "shell", "console"):
            yield from _CALL.findall(block)
        else:
            sessions = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
            yield from _CALL.findall("\n".join(sessions))
    for inline in _INLINE.findall(_FENCE.sub("", text)):
        yield from _CALL.findall(inline)


@written
def test_commands_and_their_options_exist(path: Path) -> None:
    known = commands()
    for call in calls(path.read_text(encoding="utf-8")):
        word = call.split()[0]
        if word.startswith("-"):
            assert word in own_options(), f"fwdoctor {call}"
            continue
        assert word in known, f"fwdoctor {call}"
        options = {
            name for parameter in known[word].params for name in parameter.opts
        } | {"--help", "-h"}
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", call)
        for option in _OPTION.findall(unquoted):
            assert option in options, f"fwdoctor {call}"


def test_the_readme_shows_commands_and_output() -> None:
    """So that the tests above have something to look at."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(list(calls(text))) >= 4
    assert "docs/check.svg" in _LINK.findall(text)
    assert re.search(r"^\$ fwdoctor check", text, re.MULTILINE)
