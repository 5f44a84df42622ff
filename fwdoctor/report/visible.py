"""Text from a machine, made harmless for the reader's terminal.

Names and messages of a snapshot are whatever somebody wrote: what would move a cursor,
colour a line, reverse its direction or begin a new one is shown instead of sent.
"""

from __future__ import annotations

import json
import re
from typing import Any

# What `json.dumps` leaves as it is and a terminal, or a strict reader, would act on:
# DEL and C1 controls, invisible and direction marks, separators, halves of pairs.
_ACTIVE = re.compile(
    r"[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    r"""One line of printable characters: white space as blanks, the rest as \x1b."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace() and character not in "\x1c\x1d\x1e\x1f\x85":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """A value as JSON with its newline, nothing in it that a terminal acts on."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _ACTIVE.sub(_as_json_escape, text) + "\n"


def _as_json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
