"""The message catalogue: known lines of logs, and what each one establishes.

The entries are data (matrices/messages/*.json); this module loads and finds them. It
judges nothing: what follows from the messages of a text together is the rules' work.

How one pass stays fast with hundreds of entries: every entry has a literal, and most
literals hold whole words in their middle. The words of the text are collected once;
an entry with a word that is not among them is never looked at. Of the others the
literal is searched, and the regular expression is tried only on the line where it
stands.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from fwdoctor.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SHOWN_CHARACTERS = 300
_WINDOW_CHARACTERS = 2000  # how much of a line a regular expression sees on each side
_MOST_PER_ENTRY = 64  # occurrences of one entry reported from one text
_MOST_TRIED = 256  # occurrences of one literal looked at
# A text wrapped by hand or by mail is short; a log file of megabytes is not wrapped.
_MOST_WRAPPED_CHARACTERS = 200_000
_NARROWEST_WRAP = 60  # columns that a line and the first word after it take at least
_WIDEST_WRAP = 250
_MOST_WRAPPED_LINES = 8
# The start of a log line, so surely not the rest of the line before.
_LINE_START = re.compile(
    r"\d{4}-\d\d-\d\d[ T]|[IWEF](?:\d{4})? |[\[(]?\d\d:\d\d:\d\d|[-*#+] |\|"
)

_WORD = re.compile(r"[A-Za-z_]{3,}")
_BLANKS = re.compile(r"[ \t]{2,}|\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEntry:
    """One known message: how it is recognised, and what it stands for."""

    id: str
    origin: str
    literal: str
    cause: str | None
    certainty: str
    meaning: str
    pattern: str | None = None
    also: tuple[str, ...] = ()
    noise: bool = False
    ignore_case: bool = False
    lines: int = 1
    captures: tuple[tuple[str, str], ...] = ()  # group of the pattern, name of the fact
    facts: tuple[tuple[str, str], ...] = ()  # facts the message establishes by itself
    fix_hint: str | None = None
    versions: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMatch:
    """One place in a text where an entry was found; `captures` are (fact, value)."""

    id: str
    line: int
    text: str
    captures: tuple[tuple[str, str], ...] = ()


class _View(NamedTuple):
    """A text to search, and where its pieces came from."""

    text: str
    starts: tuple[int, ...]  # offset of each piece
    line_numbers: tuple[int, ...]  # line number of each piece
    joined: bool  # pieces are broken lines put together

    def piece_at(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def spans_pieces(self, found: _Found) -> bool:
        return self.piece_at(found.start) != self.piece_at(found.end - 1)


class _Found(NamedTuple):
    """Where a message stands; without `matches`, how far there is none."""

    start: int
    end: int
    captures: tuple[tuple[str, str], ...] = ()
    matches: bool = True


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The known messages, ready to be looked for."""

    entries: tuple[MessageEntry, ...]
    _by_id: dict[str, MessageEntry] = field(init=False, repr=False, compare=False)
    # The rarest inner word of a literal, all of its inner words, and the entry.
    _by_word: dict[str, list[tuple[frozenset[str], MessageEntry]]] = field(
        init=False, repr=False, compare=False
    )
    _wordless: list[MessageEntry] = field(init=False, repr=False, compare=False)
    # Filled as entries are first met: compiling all patterns costs more than a triage.
    _compiled: dict[str, re.Pattern[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inner = [(_inner_words(entry.literal), entry) for entry in self.entries]
        counts = Counter(word for words, _ in inner for word in words)
        by_word: dict[str, list[tuple[frozenset[str], MessageEntry]]] = {}
        wordless: list[MessageEntry] = []
        for words, entry in inner:
            if words:
                rarest = min(words, key=lambda word: (counts[word], -len(word), word))
                by_word.setdefault(rarest, []).append((words, entry))
            else:
                wordless.append(entry)
        object.__setattr__(self, "_by_id", {entry.id: entry for entry in self.entries})
        object.__setattr__(self, "_by_word", by_word)
        object.__setattr__(self, "_wordless", wordless)
        object.__setattr__(self, "_compiled", {})

    def get(self, message_id: str) -> MessageEntry:
        """The entry of a match; raises `KeyError` for an id that is not there."""
        return self._by_id[message_id]

    def match(self, text: str) -> tuple[MessageMatch, ...]:
        """All known messages in a text (already normalised), in the order of lines."""
        squeezed = _BLANKS.sub(" ", text)
        lines = squeezed.split("\n")
        found = list(self._match_view(_plain_view(lines)))
        if len(squeezed) <= _MOST_WRAPPED_CHARACTERS:
            runs = tuple(_wrapped_runs(lines))
            for glue in (" ", "") if runs else ():
                found.extend(self._match_view(_joined_view(lines, runs, glue)))
        return _in_order(found)

    def _match_view(self, view: _View) -> Iterator[MessageMatch]:
        lower = _lower(view.text)
        for entry in self._candidates(lower):
            yield from self._match_entry(entry, view, lower)

    def _candidates(self, lower: str) -> Iterator[MessageEntry]:
        yield from self._wordless
        present = set(_WORD.findall(lower))
        for word in self._by_word.keys() & present:
            for words, entry in self._by_word[word]:
                if words <= present:
                    yield entry

    def _match_entry(
        self, entry: MessageEntry, view: _View, lower: str
    ) -> Iterator[MessageMatch]:
        text = lower if entry.ignore_case else view.text
        literal = entry.literal.lower() if entry.ignore_case else entry.literal
        tried, reported, floor = 0, 0, 0
        offset = text.find(literal)
        while offset >= 0 and tried < _MOST_TRIED and reported < _MOST_PER_ENTRY:
            if literal.isdigit():
                end = _number_end(text, offset)
                if end > offset + len(literal) or text[offset - 1 : offset].isdigit():
                    offset = text.find(literal, end)
                    continue
            tried += 1
            found = self._found_at(entry, view, (offset, offset + len(literal)), floor)
            floor = found.end
            # In a view of joined lines only what needed joining is new.
            if found.matches and (not view.joined or view.spans_pieces(found)):
                reported += 1
                yield _message_match(entry, view, found)
            offset = text.find(literal, floor)

    def _found_at(
        self, entry: MessageEntry, view: _View, literal: tuple[int, int], floor: int
    ) -> _Found:
        """The message around a literal; `floor` is where the last one ended."""
        start, end = literal
        if entry.pattern is None:
            return _Found(start, end)
        first, last = _window(view, start, end, entry.lines)
        found = self._pattern(entry).search(view.text, max(first, floor), last)
        if found is None:
            # What begins well before the end of the window has been tried with this.
            tried = last - _WINDOW_CHARACTERS // 2 if entry.lines == 1 else end
            return _Found(start, max(end, tried), matches=False)
        groups = found.groupdict()
        captures = tuple(
            (fact, groups[group].strip())
            for group, fact in entry.captures
            if groups[group]
        )
        return _Found(min(start, found.start()), max(end, found.end()), captures)

    def _pattern(self, entry: MessageEntry) -> re.Pattern[str]:
        compiled = self._compiled.get(entry.id)
        if compiled is None:
            flags = re.IGNORECASE if entry.ignore_case else 0
            compiled = re.compile(entry.pattern or "", flags)
            self._compiled[entry.id] = compiled
        return compiled


def load_catalogue(directory: Path) -> Catalogue:
    """Read every JSON file of a folder; raises `MatrixError` naming file and entry."""
    entries: list[MessageEntry] = []
    seen: set[str] = set()
    for path in sorted(directory.glob("*.json")):
        for record in _read_records(path):
            entry = _entry(record, path)
            if entry.id in seen:
                raise _damaged(path, f"the id `{entry.id}` is used twice")
            seen.add(entry.id)
            entries.append(entry)
    if not entries:
        raise MatrixError("no-messages", f"no message catalogue in {directory}")
    return Catalogue(tuple(entries))


def _read_records(path: Path) -> list[Any]:
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["messages"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"not a list of messages: {error}") from error
    if not isinstance(records, list):
        raise _damaged(path, "`messages` is not a list")
    return records


def _entry(record: Any, path: Path) -> MessageEntry:
    try:
        return MessageEntry(
            id=record["id"],
            origin=record["origin"],
            literal=record["literal"],
            cause=record["cause"],
            certainty=record["certainty"],
            meaning=record["meaning"],
            pattern=record.get("pattern"),
            also=tuple(record.get("also", ())),
            noise=record.get("noise", False),
            ignore_case=record.get("ignore_case", False),
            lines=record.get("lines", 1),
            captures=tuple(record.get("captures", {}).items()),
            facts=tuple(record.get("facts", {}).items()),
            fix_hint=record.get("fix_hint"),
            versions=record.get("versions"),
            sources=tuple(record["sources"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        name = record.get("id", "?") if isinstance(record, dict) else record
        raise _damaged(path, f"message `{name}`: {error!r}") from error


def _damaged(path: Path, what: str) -> MatrixError:
    return MatrixError("damaged-messages", f"{path}: {what}")


def _inner_words(literal: str) -> frozenset[str]:
    """The words of a literal, in lower case, with a border on both sides inside it."""
    return frozenset(
        match.group().lower()
        for match in _WORD.finditer(literal)
        if match.start() > 0 and match.end() < len(literal)
    )


_DIGITS = re.compile(r"\d+")


def _number_end(text: str, offset: int) -> int:
    """Where the number ends that goes on at an offset."""
    run = _DIGITS.match(text, offset)
    return run.end() if run else offset


def _plain_view(lines: list[str]) -> _View:
    starts, offset = [], 0
    for line in lines:
        starts.append(offset)
        offset += len(line) + 1
    numbers = tuple(range(1, len(lines) + 1))
    return _View("\n".join(lines), tuple(starts), numbers, joined=False)


def _wrapped_runs(lines: list[str]) -> Iterator[range]:
    """Groups of lines (indexes) that look like one line broken by its width."""
    index = 0
    while index < len(lines) - 1:
        end = index
        while end - index < _MOST_WRAPPED_LINES and _is_broken(lines, end):
            end += 1
        if end > index:
            yield range(index, end + 1)
        index = end + 1


def _is_broken(lines: list[str], index: int) -> bool:
    """Whether a line goes on in the next: long enough, and no sentence ends there."""
    if index + 1 >= len(lines):
        return False
    line, following = lines[index].rstrip(), lines[index + 1].strip()
    if not following or not line or len(line) > _WIDEST_WRAP:
        return False
    if len(line) + len(following.split(" ", 1)[0]) < _NARROWEST_WRAP:
        return False  # the next word would have fitted: no break of width
    if line[-1] in ".!?" and following[0].isupper():
        return False
    return _LINE_START.match(following) is None


def _joined_view(lines: list[str], runs: Iterable[range], glue: str) -> _View:
    parts: list[str] = []
    starts: list[int] = []
    numbers: list[int] = []
    offset = 0
    for run in runs:
        for index in run:
            end = "\n" if index == run[-1] else glue
            part = (lines[index].strip() if glue else lines[index]) + end
            starts.append(offset)
            numbers.append(index + 1)
            parts.append(part)
            offset += len(part)
    return _View("".join(parts), tuple(starts), tuple(numbers), joined=True)


def _message_match(entry: MessageEntry, view: _View, found: _Found) -> MessageMatch:
    return MessageMatch(
        id=entry.id,
        line=view.line_numbers[view.piece_at(found.start)],
        text=_excerpt(view, found.start, found.end),
        captures=found.captures + entry.facts,
    )


def _window(view: _View, start: int, end: int, lines: int) -> tuple[int, int]:
    """What a pattern may see: the line of the literal, or that and some following."""
    earliest = max(0, start - _WINDOW_CHARACTERS)
    latest = min(len(view.text), end + _WINDOW_CHARACTERS)
    first = max(earliest, view.text.rfind("\n", earliest, start) + 1)
    last = end
    for _ in range(lines):
        newline = view.text.find("\n", last, latest)
        if newline < 0:
            return first, latest
        last = newline + 1
    return first, last - 1


def _excerpt(view: _View, start: int, end: int) -> str:
    """The line of a match (or its lines), cut around the match where it is long."""
    first = view.text.rfind("\n", 0, start) + 1
    last = view.text.find("\n", end)
    last = len(view.text) if last < 0 else last
    if last - first > _SHOWN_CHARACTERS:
        first = max(first, min(start, last - _SHOWN_CHARACTERS))
        last = min(last, first + _SHOWN_CHARACTERS)
    return view.text[first:last].strip()


def _in_order(found: list[MessageMatch]) -> tuple[MessageMatch, ...]:
    """Matches by line then id, each (id, line, captures) once."""
    unique = {(match.line, match.id, match.captures): match for match in found}
    return tuple(unique[key] for key in sorted(unique))


def _lower(text: str) -> str:
    """Lower case with the same offsets."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
