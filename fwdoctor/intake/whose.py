"""Whose a thing is that a sentence names: the reporter's, or another's.

«It works on an RTX 3090», «needs CUDA 11.8», «on my other machine»: none of these is
what the reporter has here.
"""

from __future__ import annotations

import re
from typing import Final

_ELSEWHERE = re.compile(
    r"\b(?:other|another|different|second|previous|old|colleague'?s?|friend'?s?)"
    r" (?:machine|computer|pc|laptop|server|workstation|system|env|environment)\b"
    r"|\bin the past\b|\bused to\b|\bpreviously\b",
    re.IGNORECASE,
)
_ELSEWHERE_WORDS: Final = (
    *("machine", "computer", "pc", "laptop", "server", "workstation", "system", "env"),
    *("in the past", "used to", "previously"),
)
# Before a mention: it is not what the reporter has.
_NOT_OWN = re.compile(
    r"(?:requir\w+|needs?|supports?|supported|upgrad\w+|downgrad\w+|updat\w+|instead of"
    r"|older than|newer than|at least|before|until|since|than|[<>]=?"
    r"|built (?:for|against)|compiled (?:for|against|with:?)|library:|tried|try|trying"
    r"|works?(?: fine| well| ok| only)?(?: with| on| in)?|e\.?g\.?|such as|like"
    r"|worked(?: fine| well)?(?: with| on| in)?|not|without|unlike|against|recommend\w*"
    r"|expects?|from|to|for|no|says|shows|reports)"
    r"[ :]{1,2}(?:it |with |the |an? |on |also |out |using |only ){0,2}"
    r"(?:nvidia |latest |version ){0,2}"
    r"(?:[A-Za-z][\w-]{1,20} v?\d[\w.+]{0,12},? (?:(?:or|and|with) )?){0,2}$",
    re.IGNORECASE,
)
# After such words it is what there is now.
_NOW_OWN = re.compile(
    r"\b(?:upgraded|updated|downgraded|switched|changed|moved|went)"
    r"(?: [\w.+-]{1,20}){0,4} to (?:the |an? )?$",
    re.IGNORECASE,
)
_BEFORE: Final = 60


def is_elsewhere(lower: str) -> bool:
    """Whether a sentence, in small letters, is about another place or time."""
    is_likely = any(word in lower for word in _ELSEWHERE_WORDS)
    return is_likely and _ELSEWHERE.search(lower) is not None


def is_own(sentence: str, at: int) -> bool:
    """Whether what stands at a place of a sentence is what the reporter has."""
    before = sentence[max(0, at - _BEFORE) : at]
    return _NOT_OWN.search(before) is None or _NOW_OWN.search(before) is not None
