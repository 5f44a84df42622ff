"""Every entry of the message catalogue against its own examples, and the matcher."""

from __future__ import annotations

import html
import importlib
import json
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.errors import MatrixError
from fwdoctor.intake.catalogue import Catalogue, MessageEntry, load_catalogue
from fwdoctor.intake.normalise import normalise

# The parser of regular expressions, private to the standard library.
sre_parse: Any = importlib.import_module(
    "re._parser" if sys.version_info >= (3, 11) else "sre_parse"
)

ROOT = Path(__file__).parents[2]
MESSAGES = ROOT / "matrices" / "messages"
SCHEMA = ROOT / "matrices" / "schema" / "messages.schema.json"

RECORDS: list[tuple[Path, dict[str, Any]]] = [
    (path, record)
    for path in sorted(MESSAGES.glob("*.json"))
    for record in json.loads(path.read_text(encoding="utf-8"))["messages"]
]
EXAMPLES = [
    pytest.param(record, example, id=f"{record['id']}-{index}")
    for _, record in RECORDS
    for index, example in enumerate(record["examples"])
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MESSAGES)


def ids(catalogue: Catalogue, text: str) -> set[str]:
    return {match.id for match in catalogue.match(normalise(text))}


# The entries as data


def test_there_are_hundreds_of_entries() -> None:
    assert len(RECORDS) >= 900


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.json")), ids=lambda p: p.stem)
def test_file_follows_the_schema(path: Path) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)


def test_ids_are_unique() -> None:
    counts = Counter(record["id"] for _, record in RECORDS)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(("path", "record"), RECORDS, ids=[r["id"] for _, r in RECORDS])
def test_entry_is_coherent(path: Path, record: dict[str, Any]) -> None:
    assert record["origin"] == path.stem
    assert record["cause"] not in record.get("also", ())
    assert "  " not in record["literal"]
    if record["noise"]:
        assert record["cause"] is None
        assert "also" not in record
    elif record["cause"] is None:
        assert record["certainty"] == "possible"
    groups = re.compile(record.get("pattern", "")).groupindex
    assert set(groups) == set(record.get("captures", {}))
    assert all(
        source.startswith(("https://", "measured: ")) for source in record["sources"]
    )


# Every entry on real-looking text


@pytest.mark.parametrize(("record", "example"), EXAMPLES)
def test_example_is_found(
    catalogue: Catalogue, record: dict[str, Any], example: str
) -> None:
    found = ids(catalogue, example)
    assert record["id"] in found
    noise = {name for name in found if catalogue.get(name).noise}
    assert noise == (found if record["noise"] else set())


@pytest.mark.parametrize("record", [r for _, r in RECORDS], ids=lambda r: r["id"])
def test_counter_examples_are_not_found(
    catalogue: Catalogue, record: dict[str, Any]
) -> None:
    for text in record.get("counter_examples", ()):
        assert record["id"] not in ids(catalogue, text), text


def wrapped(text: str, glue: str) -> str:
    """The text broken near column 80: at a blank (mail), or anywhere (terminal)."""
    rest = re.sub(r"[ \t]+", " ", text.replace("\n", " "))
    if glue == " ":
        return textwrap.fill(rest, 78, break_long_words=False, break_on_hyphens=False)
    return "\n".join(rest[start : start + 80] for start in range(0, len(rest), 80))


MUTILATIONS: dict[str, Callable[[str], str]] = {
    "quoted": lambda t: "> " + t.replace("\n", "\n> "),
    "quoted twice": lambda t: "> > " + t.replace("\n", "\n> > "),
    "html": lambda t: "<pre><code>" + html.escape(t) + "</code></pre>",
    "html twice": lambda t: html.escape(html.escape(t)),
    "ray": lambda t: "(pid=11300) " + t.replace("\n", "\n(pid=11300) "),
    "vllm": lambda t: "(APIServer pid=1) " + t.replace("\n", "\n(APIServer pid=1) "),
    "compose": lambda t: "test_1  | " + t.replace("\n", "\ntest_1  | "),
    "journald": lambda t: "\n".join(
        f"Mar 03 10:11:12 node7 python[812]: {line}" for line in t.split("\n")
    ),
    "timestamp": lambda t: "\n".join(
        f"2025-02-26T14:28:01.123456789Z {line}" for line in t.split("\n")
    ),
    "carriage returns": lambda t: t.replace("\n", "\r\n") + "\r\n",
    "colour": lambda t: f"\x1b[31;1m{t}\x1b[0m",
    "bold": lambda t: f"**{t}**",
    "full width": lambda t: t.replace(":", "\uff1a").replace("(", "\uff08"),
    "typographic quotes": lambda t: t.replace("'", "\u2019"),
    "no-break blanks": lambda t: t.replace(" ", "\u00a0"),
    "zero width": lambda t: t.replace(" ", " \u200b"),
    "indented": lambda t: "        " + t.replace("\n", "\n        "),
    "wide blanks": lambda t: t.replace(" ", "   "),
    "list item": lambda t: "- " + t,
    "one long line": lambda t: "x " * 1500 + t + " y" * 1500,
    "between lines": lambda t: f"first line\n{t}\nlast line",
}


@pytest.mark.parametrize("name", MUTILATIONS)
def test_mutilated_examples_are_still_found(catalogue: Catalogue, name: str) -> None:
    mutilate = MUTILATIONS[name]
    missed = [
        record["id"]
        for _, record in RECORDS
        for example in record["examples"]
        if record["id"] not in ids(catalogue, mutilate(example))
    ]
    assert missed == []


@pytest.mark.parametrize("glue", [" ", ""], ids=["at blanks", "inside words"])
def test_wrapped_examples_are_still_found(catalogue: Catalogue, glue: str) -> None:
    missed = [
        record["id"]
        for _, record in RECORDS
        for example in record["examples"]
        if record["id"] not in ids(catalogue, wrapped(example, glue))
    ]
    assert missed == []


# Regular expressions that cannot run away

UNBOUNDED_FROM = 32  # a repeat that may take this many characters counts as unbounded
Token = tuple[Any, Any]


def repeats(tokens: list[Token]) -> list[tuple[Token, int]]:
    """The wide repeats of a parsed pattern, each with how many are around it."""
    found: list[tuple[Token, int]] = []

    def walk(items: Any, depth: int) -> None:
        for token in items:
            name, argument = str(token[0]), token[1]
            inner = depth
            if name.endswith("REPEAT"):
                if argument[1] >= UNBOUNDED_FROM:
                    found.append((token, depth))
                    inner += 1
                walk(argument[2], inner)
            elif name == "SUBPATTERN":
                walk(argument[3], depth)
            elif name == "BRANCH":
                for branch in argument[1]:
                    walk(branch, depth)
            elif name.startswith("ASSERT"):
                walk(argument[1], depth)

    walk(tokens, 0)
    return found


PATTERNS = [
    pytest.param(record["pattern"], id=record["id"])
    for _, record in RECORDS
    if "pattern" in record
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_has_no_nested_or_unbounded_repeat(pattern: str) -> None:
    wide = repeats(list(sre_parse.parse(pattern)))
    assert [token for token, depth in wide if depth] == []
    endless = [t for t, _ in wide if t[1][1] is sre_parse.MAXREPEAT]
    assert endless == []


def wildcards(pattern: str) -> int:
    """How many wide repeats of (nearly) any character a pattern has."""
    return sum(
        str(item[0]) in {"ANY", "NOT_LITERAL"}
        or (str(item[0]) == "IN" and str(item[1][0][0]) == "NEGATE")
        for token, _ in repeats(list(sre_parse.parse(pattern)))
        for item in token[1][2]
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_is_not_bound_to_the_ends_of_a_line(pattern: str) -> None:
    tokens = str(sre_parse.parse(pattern))
    assert "AT_BEGINNING" not in tokens
    assert "AT_END" not in tokens


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_has_few_wildcards(pattern: str) -> None:
    assert wildcards(pattern) <= 3


ANY_TEXT = load_catalogue(MESSAGES)
PIECES = [
    *(record["literal"] for _, record in RECORDS),
    *(record["examples"][0][:60] for _, record in RECORDS),
]


def hostile_texts(entry: MessageEntry) -> list[str]:
    """Lines made to keep this entry's pattern busy: near misses over and over."""
    example = next(r["examples"][0] for _, r in RECORDS if r["id"] == entry.id)
    half = example[: max(8, len(example) * 2 // 3)]
    return [
        (entry.literal + " ") * 2000,
        entry.literal + "a" * 50_000,
        entry.literal + " " * 20_000 + "x",
        entry.literal + "1.2," * 10_000,
        half * 300,
        ("A" * 60 + " " + entry.literal + " (") * 300,
    ]


@pytest.mark.parametrize("entry", load_catalogue(MESSAGES).entries, ids=lambda e: e.id)
def test_hostile_text_costs_little(entry: MessageEntry) -> None:
    alone = Catalogue((entry,))
    for text in hostile_texts(entry):
        start = time.perf_counter()
        alone.match(text)
        assert time.perf_counter() - start < 8, text[:80]


def test_hostile_texts_together_cost_little(catalogue: Catalogue) -> None:
    text = "".join(f"{entry.literal} " * 20 for entry in catalogue.entries)
    start = time.perf_counter()
    catalogue.match(normalise(text))
    assert time.perf_counter() - start < 60  # 0.5 MB in one line, 0.9 s measured


@pytest.mark.property
@given(st.text(max_size=400))
def test_any_text_is_searched_without_an_error(text: str) -> None:
    ANY_TEXT.match(normalise(text))


@pytest.mark.property
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["", " ", "\n"]))
def test_any_mixture_of_messages_is_searched_without_an_error(
    pieces: list[str], glue: str
) -> None:
    for match in ANY_TEXT.match(normalise(glue.join(pieces))):
        assert match.line >= 1
        assert len(match.text) <= 300


# The matcher


def entry(**overrides: Any) -> MessageEntry:
    fields: dict[str, Any] = {
        "id": "sample",
        "origin": "test",
        "literal": "something broke badly",
        "cause": None,
        "certainty": "possible",
        "meaning": "a sample",
    }
    return MessageEntry(**{**fields, **overrides})


def test_match_tells_line_text_and_captures() -> None:
    sample = entry(
        pattern=r"something broke badly: (?P<code>\d+)(?: at (?P<place>\w+))?",
        captures=(("code", "error.code"), ("place", "error.place")),
        facts=(("library.missing", "libx.so"),),
    )
    found = Catalogue((sample,)).match("fine\nE x.cc:1] something broke badly: 42\nok")
    assert [(m.id, m.line) for m in found] == [("sample", 2)]
    assert found[0].text == "E x.cc:1] something broke badly: 42"
    assert found[0].captures == (("error.code", "42"), ("library.missing", "libx.so"))


def test_text_of_a_match_in_a_long_line_is_cut_around_it() -> None:
    line = "x" * 50_000 + " something broke badly " + "y" * 50_000
    (match,) = Catalogue((entry(),)).match(line)
    assert len(match.text) <= 300
    assert "something broke badly" in match.text


def test_several_messages_in_one_line_are_all_found() -> None:
    sample = entry(
        pattern=r"something broke badly: (?P<code>\d)",
        captures=(("code", "error.code"),),
    )
    found = Catalogue((sample,)).match(
        "something broke badly: 1 | something broke badly: x | something broke badly: 2"
    )
    assert [dict(m.captures)["error.code"] for m in found] == ["1", "2"]


def test_repeats_are_reported_a_bounded_number_of_times() -> None:
    found = Catalogue((entry(),)).match("something broke badly\n" * 10_000)
    assert 1 < len(found) < 100


def test_case_matters_unless_the_entry_says_otherwise() -> None:
    text = "Something Broke Badly"
    assert Catalogue((entry(),)).match(text) == ()
    assert len(Catalogue((entry(ignore_case=True),)).match(text)) == 1


def test_pattern_sees_following_lines_only_when_asked() -> None:
    text = "something broke badly\n  (because)\n  (really)"
    pattern = r"broke badly\s+\((?P<why>\w+)\)"
    one = entry(pattern=pattern, captures=(("why", "error.text"),))
    two = entry(pattern=pattern, captures=(("why", "error.text"),), lines=2)
    assert Catalogue((one,)).match(text) == ()
    assert Catalogue((two,)).match(text)[0].captures == (("error.text", "because"),)


def test_message_broken_over_lines_has_the_number_of_its_first_line() -> None:
    text = "ok\n" + "word " * 14 + "something bro\nke badly and so on\nend"
    (match,) = Catalogue((entry(),)).match(text)
    assert match.line == 2


def test_lines_that_only_follow_each_other_are_not_joined() -> None:
    assert Catalogue((entry(),)).match("something\nbroke badly") == ()


@pytest.mark.parametrize(
    "content",
    ["[]", "{", '{"messages": {}}', '{"messages": [{"id": "a"}]}', '{"messages": [1]}'],
)
def test_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content, encoding="utf-8")
    with pytest.raises(MatrixError, match=r"bad\.json"):
        load_catalogue(tmp_path)


def test_same_id_twice_is_an_error(tmp_path: Path) -> None:
    record = RECORDS[0][1]
    content = json.dumps({"messages": [record, record]})
    (tmp_path / "twice.json").write_text(content, encoding="utf-8")
    with pytest.raises(MatrixError, match="used twice"):
        load_catalogue(tmp_path)


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MatrixError):
        load_catalogue(tmp_path)


# Speed


def a_report() -> str:
    """About six kilobytes: some messages among ordinary log lines."""
    lines = [f"step {n}: loss {1 / (n + 1):.4f}, 0.12 s/it, lr 1e-4" for n in range(90)]
    return "\n".join(lines + [r["examples"][0] for _, r in RECORDS[:20]])


def test_two_hundred_reports_a_second(catalogue: Catalogue) -> None:
    text = a_report()
    catalogue.match(normalise(text))
    start = time.perf_counter()
    for _ in range(20):
        catalogue.match(normalise(text))
    assert (time.perf_counter() - start) / 20 < 0.5  # 2 ms measured, 5 ms aimed at


def test_five_megabytes_of_log(catalogue: Catalogue) -> None:
    text = a_report()
    text = text * (5_000_000 // len(text))
    start = time.perf_counter()
    assert catalogue.match(normalise(text))
    assert time.perf_counter() - start < 40  # 1 s measured
