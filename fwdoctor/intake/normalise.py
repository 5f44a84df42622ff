"""Pasted bytes to text, and pasted text to the text the program printed.

What mail, forums, shells and log collectors add is taken away here, once, so that
every parser sees plain lines. Nothing here knows what a line means. Lines are never
joined, so that numbers of lines stay those of the paste; a message broken over several
lines is the catalogue's business.
"""

from __future__ import annotations

import re

from fwdoctor.errors import UsageError

# First bytes of files that people attach in place of text, and what to do instead.
_KNOWN_BINARY: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "an image or sound file"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"(\xb5/\xfd", "a zstd archive"),
    (b"\x7fELF", "an ELF program or library"),
    (b"MZ\x90", "a Windows program or library"),
)
_BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SAMPLE_BYTES = 65_536
_CONTROL_BYTES = bytes({*range(32), 127} - {*b"\t\n\r\f\b\x1b\x00"})
_MOST_CONTROLS = 0.05
_MOST_STRAY_NULS = 0.02
_MOST_ROUNDS = 4  # how deep quoting or escaping may be nested; a bound on the work

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-9;?]{0,32}[ -/]?[@-~]"
    r"|\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)?|[@-Z\\^_])"
)
# The same sequences after a copy that lost the escape character: `[0;32mOK[0m`.
_BARE_COLOUR = re.compile(r"\[(?:\d{1,3};){0,4}\d{1,3}m")
_HTML_ENTITY = re.compile(r"&(?:gt|lt|quot|amp|nbsp|apos|#39|#x27|#34|#x22|#62|#60);")
_ENTITIES = {
    "&gt;": ">",
    "&lt;": "<",
    "&quot;": '"',
    "&amp;": "&",
    "&nbsp;": " ",
    "&apos;": "'",
    "&#39;": "'",
    "&#x27;": "'",
    "&#34;": '"',
    "&#x22;": '"',
    "&#62;": ">",
    "&#60;": "<",
}
_HTML_TAG = re.compile(
    r"</?(?:pre|code|br|p|b|strong|em|span|details|summary|blockquote)"
    r"(?: [^<>\n]{0,200})?/?>",
    re.IGNORECASE,
)
_QUOTE_MARKS = re.compile(r"(?m)^(?:[ \t]{0,8}>{1,2}(?!>)[ ]?){1,8}")
# A backslash put before the underscore by a Markdown editor: CUDA\_ERROR\_NO\_DEVICE.
# Between capitals only: elsewhere it is a Windows path (torch\_C).
_ESCAPED_UNDERSCORE = re.compile(r"(?<=[A-Z0-9])\\_(?=[A-Z0-9])")
_PREFIXES = re.compile(
    r"""(?mx)^[ \t]{0,8}(?:
      \((?:[\w.:@/-]{1,60}[ ]){0,3}(?:pid|rank)=\d{1,10}(?:,[ ]?ip=[\d.]{1,40})?\)[ ]?
    | [A-Za-z][\w.-]{0,60}[-_]\d{1,4}[ \t]{1,20}\|[ ]              # docker compose
    | [A-Z][a-z]{2}[ ]{1,2}\d{1,2}[ ]\d\d:\d\d:\d\d[ ][\w.-]{1,64}[ ]
      (?:[\w./@-]{1,64}(?:\[\d{1,10}\])?:[ ])                      # journald
    | \[(?:rank|default)\d{1,4}\]:?[ ]                             # torchrun
    | \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z[ ]                   # kubectl, CI logs
    )"""
)
_LINE_ENDS = re.compile(r"\r+\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def _character_table() -> dict[int, str | None]:
    """What each look-alike or invisible character stands for."""
    table: dict[int, str | None] = {
        0xFF00 + offset: chr(0x20 + offset) for offset in range(1, 0x5F)
    }
    table.update(dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u00b4"), "'"))
    table.update(dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033"), '"'))
    table.update(dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-"))
    spaces = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    table.update(dict.fromkeys(map(ord, spaces + "\u200a\u202f\u205f\u3000"), " "))
    invisible = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c"
    table.update(dict.fromkeys(map(ord, invisible + "\u202d\u202e\x00\x07"), None))
    table[0x2026] = "..."
    table[0x3002] = "."
    table[0x0130] = "I"  # the one letter whose lower case is longer than itself
    return table


_CHARACTERS = _character_table()
_INVISIBLE_ASCII = str.maketrans("", "", "\x00\x07")


def decode(data: bytes) -> str:
    """The text of a pasted file; raises `UsageError` where it is not text."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for magic, kind in _KNOWN_BINARY:
        if data.startswith(magic):
            raise _not_text(f"the input is {kind}, not text")
    if b"\x00" in data:
        return _decode_with_nuls(data)
    _refuse_control_bytes(data)
    return _decode_bytes(data)


def _decode_with_nuls(data: bytes) -> str:
    """UTF-16 without a mark (PowerShell redirection), or text with a few stray NULs."""
    sample = data[:_SAMPLE_BYTES]
    half = max(1, len(sample) // 2)
    if sample[1::2].count(0) > 0.4 * half and sample[::2].count(0) < 0.1 * half:
        return data.decode("utf-16-le", errors="replace")
    if sample[::2].count(0) > 0.4 * half and sample[1::2].count(0) < 0.1 * half:
        return data.decode("utf-16-be", errors="replace")
    if sample.count(0) > max(8, _MOST_STRAY_NULS * len(sample)):
        raise _not_text("the input holds binary data, not text")
    return decode(data.replace(b"\x00", b""))


def _refuse_control_bytes(data: bytes) -> None:
    sample = data[:_SAMPLE_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROL_BYTES))
    if controls > max(4, _MOST_CONTROLS * len(sample)):
        raise _not_text("the input holds binary data, not text")


def _decode_bytes(data: bytes) -> str:
    """UTF-8; with some bad bytes still UTF-8, with nothing good in it Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", errors="ignore")) - bad
    cut_in_a_character = bad == 1 and text.endswith("\ufffd")
    return text if good >= bad or cut_in_a_character else data.decode("latin-1")


def _not_text(message: str) -> UsageError:
    return UsageError(
        "binary-input",
        message,
        hint="paste the text itself: from a terminal or log file, not a picture of it",
    )


def normalise(text: str) -> str:
    """The text without what quoting, markup, colours and log collectors added."""
    text = _plain_characters(text)
    if "&" in text:
        text = _without_entities(text)
    if "<" in text:
        text = _HTML_TAG.sub(" ", text)
    if "**" in text:
        text = text.replace("**", "")
    if "\\_" in text:
        text = _ESCAPED_UNDERSCORE.sub("_", text)
    return _without_prefixes(text)


def _plain_characters(text: str) -> str:
    if "\r" in text or "\x0c" in text or not text.isascii():
        text = _LINE_ENDS.sub("\n", text)
    if "\x1b" in text:
        text = _ESCAPE_SEQUENCE.sub("", text).replace("\x1b", "")
    if not text.isascii():
        text = text.translate(_CHARACTERS)
    elif "\x00" in text or "\x07" in text:
        text = text.translate(_INVISIBLE_ASCII)
    return _BARE_COLOUR.sub("", text) if "m" in text and "[" in text else text


def _without_entities(text: str) -> str:
    """Entities resolved, also those escaped twice (`&amp;gt;`)."""
    for _ in range(_MOST_ROUNDS):
        resolved = _HTML_ENTITY.sub(lambda match: _ENTITIES[match.group()], text)
        if resolved == text:
            break
        text = resolved
    return text


def _without_prefixes(text: str) -> str:
    """Quote marks, process and host prefixes, in whatever order they are nested."""
    for _ in range(_MOST_ROUNDS):
        bare = _QUOTE_MARKS.sub("", text) if ">" in text else text
        bare = _PREFIXES.sub("", bare)
        if bare == text:
            break
        text = bare
    return text
