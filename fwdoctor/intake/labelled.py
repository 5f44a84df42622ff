"""«Label: value» in all the ways forms and programs write it.

    PyTorch version: 2.0.1+cu117            collect_env, log lines
    PyTorch version                : 2.6.0  vLLM's
    * **Python version**: `3.8`             issue forms, edited by hand
    - GPU model and memory: Tesla T4        the bullet form of TensorFlow
    ### CUDA/cuDNN version, 11.2 below it   issue forms of today
    PyTorch version 1.5.0                   without a colon

A table of labels belongs to each parser; how they are laid out is known only here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VALUE_LIMIT: Final = 400
_MOST_FIELDS: Final = 2_000
_NO_VALUES = frozenset(
    {
        *(
            "",
            "-",
            "--",
            "n/a",
            "na",
            "none",
            "no response",
            "_no response_",
            "unknown",
        ),
        *("not applicable", "not available", "?", "x", "tbd", "nil", "null", "/", "no"),
        *(
            "none specified",
            "not sure",
            "unknown/unknown",
            "no_response",
            "x.x",
            "\u65e0",
        ),
    }
)
# Headings and bullets before a label, marks around it.
_OPENING = r"^[ \t]{0,12}(?:[-*+\u2022\u25cf]|\#{1,6}|\d{1,2}[.)])?[ \t]{0,4}[*_`]{0,3}"
# An explanation between label and colon: «(e.g., Linux Ubuntu 16.04)».
_ASIDE = (
    r"(?:[ \t]{0,3}\([`'\"]?(?:e\.?g|i\.?e|use|source|conda|if|for|or|please|required"
    r"|optional|output|like)[^)\n]{0,120}\))?"
)
_CLOSING = (
    rf"[*_`]{{0,3}}{_ASIDE}[ \t]{{0,60}}"
    r"(?P<colon>[:=]{1,2}[*_`]{0,3}|[*_`]{0,3}[:=])?"
)
_HEADING = re.compile(r"^[ \t]{0,3}(?:#{1,6}[ \t]|\*\*[^*\n]{1,80}\*\*[ \t]{0,3}:?$)")
# Below an empty field: another field or item, code, a quotation.
_OTHER_LINE = re.compile(
    r"[ \t]*(?:[-*+#<>$|`\[({]|\d{1,2}[.)] |[^\n:]{1,60}:(?:\s|$))"
)
_SEPARATORS = re.compile(r"[ \t_-]+")
_MARKS = "`*_ \t\"'"
_BEFORE_LABEL = " \t-*+\u2022\u25cf#`_"
_OPENING_LIMIT: Final = 40


class Field(NamedTuple):
    """A label met in a text, its value, and where the value stands."""

    label: str  # as in the parser's table
    value: str
    offset: int
    has_colon: bool
    is_heading: bool = False


class LabelTable:
    """Finds the labels of one parser at the beginning of lines.

    `keeps_none`: None, No and N/A are answers of a program, not fields left empty.
    """

    def __init__(self, labels: Iterable[str], *, keeps_none: bool = False) -> None:
        self._empty = frozenset({""}) if keeps_none else _NO_VALUES
        # The longest first: "CUDA Version (nvidia-smi)" before "CUDA Version".
        known = sorted({_plain(label) for label in labels}, key=len, reverse=True)
        words = "|".join(_pattern(label) for label in known)
        self._starts = frozenset(label[:2] for label in known)
        self._labels = {_SEPARATORS.sub(" ", label): label for label in known}
        self._pattern = re.compile(
            rf"{_OPENING}(?P<label>{words})(?![A-Za-z0-9_]){_CLOSING}[ \t]*"
            rf"(?P<value>[^\n]*)",
            re.IGNORECASE | re.MULTILINE,
        )

    def iter_fields(self, text: str) -> Iterator[Field]:
        """Every label with a value; values that say nothing are left out."""
        start = count = 0
        for line in text.split("\n"):
            if self._may_begin(line):
                match = self._pattern.match(text, start)
                field = self._field(text, match) if match else None
                if field is not None:
                    count += 1
                    yield field
            start += len(line) + 1
            if count >= _MOST_FIELDS:
                return

    def _may_begin(self, line: str) -> bool:
        """A cheap look at the first letters, before the labels are tried."""
        plain = line[:_OPENING_LIMIT].lstrip(_BEFORE_LABEL)
        if plain[:1].isdigit():
            plain = plain.lstrip("0123456789.)").lstrip(_BEFORE_LABEL)
        return plain[:2].lower() in self._starts

    def _field(self, text: str, match: re.Match[str]) -> Field | None:
        value, offset = match["value"], match.start("value")
        opening = text[match.start() : match.start("label")]
        is_heading = "#" in opening or (not value and "**" in opening)
        if is_heading and match["colon"] is None and value.strip(_MARKS):
            return None  # a heading that goes on in other words
        if is_heading and not value.strip(_MARKS):
            value, offset = _below(text, match.end())
        elif match["colon"] and not value.strip(_MARKS):
            value, offset = self._next_line(text, match.end())
        cleaned = clean(value)
        if cleaned.lower() in self._empty:
            return None
        label = self._labels[_SEPARATORS.sub(" ", match["label"].lower())]
        has_colon = match["colon"] is not None
        return Field(label, cleaned, offset, has_colon, is_heading)

    def _next_line(self, text: str, offset: int) -> tuple[str, int]:
        """The line below a colon, unless it is a field, an item or a block itself."""
        line = text[offset + 1 : offset + 1 + _VALUE_LIMIT].partition("\n")[0]
        is_other = _OTHER_LINE.match(line) or self._pattern.match(line)
        return ("", offset) if is_other else (line, offset + 1)


def clean(value: str) -> str:
    """A value without the marks around it: `3.8` in backticks, **bold**."""
    return value[:_VALUE_LIMIT].strip().strip(_MARKS).strip()


def _plain(label: str) -> str:
    return " ".join(label.lower().split())


def _pattern(label: str) -> str:
    """Blanks between words may be several, a hyphen or an underscore."""
    return r"[ \t_-]{1,3}".join(re.escape(word) for word in label.split())


def _below(text: str, offset: int) -> tuple[str, int]:
    """The first line with text below a heading, unless another block begins there."""
    for _ in range(4):
        start = offset + 1
        if start > len(text):
            break
        end = text.find("\n", start, start + 4 * _VALUE_LIMIT)
        end = min(len(text), start + 4 * _VALUE_LIMIT) if end < 0 else end
        line = text[start:end]
        offset = end
        if not line.strip():
            continue
        if _HEADING.match(line) or line.lstrip().startswith(("$", "```", "<", "- [")):
            break
        return line, start
    return "", offset
