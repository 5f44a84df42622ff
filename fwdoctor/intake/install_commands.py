"""Install lines of pip, uv, conda, mamba, poetry, pixi and apt, taken apart.

    pip3 install torch==1.8.1+cu102 -f https://download.pytorch.org/whl/torch_stable.html
    conda install pytorch torchvision cudatoolkit=10.1 -c pytorch
    uv add "torch>=2.6"          sudo apt install nvidia-driver-535

A command inside a sentence ends where the words of the sentence go on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.packages import find_wheel, normalise_name, wheel_version
from fwdoctor.model.snapshot import Command
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.intake.facts import Facts

SOURCE = "install command"
_MOST = 60
_MOST_WORDS = 120
_COMMAND = re.compile(
    r"(?<![\w./-])(?P<tool>uv pip|uv|(?:python[\d.]{0,4} -m )?pip3?(?:\.\d{1,2})?|conda"
    r"|mamba|micromamba|poetry|pixi|apt(?:-get)?|dnf|yum|pacman|brew|choco)[ \t]{1,4}"
    r"(?:env[ \t]{1,4})?(?P<action>install|add|create|update|upgrade|sync|-Sy?u?)"
    r"(?=[ \t`'\"]|$)",
    re.MULTILINE,
)
_REST = re.compile(r"(?:[^\n`|\\]|\\\n|\\(?!\n)){0,1500}")
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s'\"]+")
_REQUIREMENT = re.compile(
    r"[A-Za-z][\w.-]{0,60}(?:\[[\w,. -]{0,60}\])?"
    r"(?:[ ]?(?:===?|[<>!~]=?|=)[ ]?[\w.*+!,<>=~-]{1,60}){0,1}"
)
# Options followed by a value that is no requirement.
_SOURCES = ("-f", "--find-links", "-i", "--index-url", "--extra-index-url", "--index")
_CHANNELS = ("-c", "--channel", "--override-channels")
_WITH_VALUE = frozenset(
    {
        *("-n", "--name", "-p", "--prefix", "--python", "-r", "--requirement", "-e"),
        *(
            "--editable",
            "-t",
            "--target",
            "--platform",
            "--python-version",
            "-d",
            "--root",
        ),
        *(
            "--constraint",
            "--timeout",
            "--trusted-host",
            "--proxy",
            "--cache-dir",
            "--src",
        ),
        *(
            "--abi",
            "--implementation",
            "--progress-bar",
            "--report",
            "--file",
            "--group",
        ),
        *("--extra", "--torch-backend", "--config-settings", "--upgrade-strategy"),
    }
)
# Where a sentence goes on after a command that stands in it.
_ENDS = frozenset(
    {
        *("and", "then", "but", "with", "for", "in", "on", "it", "from", "which", "to"),
        *("the", "a", "as", "is", "was", "works", "worked", "after", "before", "via"),
        *(
            "using",
            "or",
            "i",
            "still",
            "gives",
            "does",
            "doesn't",
            "command",
            "of",
            "you",
        ),
        *(
            "instead",
            "fails",
            "failed",
            "not",
            "works,",
            "worked.",
            "again",
            "at",
            "because",
        ),
        *("(offered", "(from", "(the", "so", "this", "that", "solves", "fixed", "did"),
        *("should", "will", "would", "when", "while", "if", "into", "under", "inside"),
    }
)
# Before a command that the reporter is told to run, or asks about.
_ADVICE = re.compile(
    r"\b(?:should|try|could|can|please|must|may|might|needs?|recommend\w*|suggest\w*"
    r"|instead|use|hint:|consider|perhaps|maybe|want to|with)\b[^$#>]{0,60}`$"
    r"|^[ \t]*#[ \t]",
    re.IGNORECASE,
)
_SEPARATORS = ("&&", ";", "||", "\\", "#")
_SYSTEM_TOOLS = ("apt", "dnf", "yum", "pacman", "brew", "choco")


def parse(text: str) -> Facts | None:
    """The install commands in a text, in order."""
    if not any(
        word in text for word in (" install", " add ", " create", " -S", " sync")
    ):
        return None
    found = Collector(SOURCE, text)
    heads = list(_COMMAND.finditer(text))[:_MOST]
    ends = [*(head.start() for head in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):
        command = None if _is_advice(head) else _command(head, end)
        if command is not None:
            found.commands.append(command)
            _note_manager(found, command, head.start())
    return found.facts()


def _is_advice(match: re.Match[str]) -> bool:
    """Whether a message or a person only says that it could be run."""
    start = match.string.rfind("\n", 0, match.start()) + 1
    before = match.string[max(start, match.start() - 200) : match.start()]
    return _ADVICE.search(before) is not None


def _note_manager(found: Collector, command: Command, offset: int) -> None:
    if command.tool not in _SYSTEM_TOOLS:
        found.add("manager", command.tool, offset)


def _command(match: re.Match[str], end: int) -> Command | None:
    requirements: list[str] = []
    sources: list[str] = []
    tool = _tool(match["tool"])
    text = match.string
    found = _REST.match(text, match.end(), end)
    rest = found[0] if found else ""
    for kind, word in _iter_words(rest, tool):
        (sources if kind == "source" else requirements).append(word)
    if not requirements and not rest.strip():
        return None
    return Command(
        tool=tool,
        action={"-S": "install"}.get(match["action"], match["action"]),
        text=redact(f"{match[0]}{rest}".strip(), home=None, user=None),
        requirements=tuple(requirements),
        sources=tuple(sources),
        line=text.count("\n", 0, match.start()) + 1,
    )


def _tool(word: str) -> str:
    if word.startswith("uv"):
        return "uv"
    if "pip" in word:
        return "pip"
    return {"apt-get": "apt", "micromamba": "mamba"}.get(word, word)


def _iter_words(rest: str, tool: str) -> Iterator[tuple[str, str]]:
    """Requirements and sources, to the end of the command."""
    expects = ""
    for word in _WORD.findall(rest)[:_MOST_WORDS]:
        plain = word.strip("'\"").rstrip(",")
        if word.startswith(_SEPARATORS) or plain.lower() in _ENDS:
            return
        option, equals, value = plain.partition("=")
        is_option = not expects and plain.startswith("-")
        if is_option:
            expects = _expected(option, tool)
        if expects and (equals or not is_option):
            if expects == "source":
                yield "source", _plain_url(value if is_option else plain)
            expects = ""
        elif is_option:
            continue
        elif plain.startswith(("http://", "https://", "git+")):
            yield from _read_url(plain)
        elif _REQUIREMENT.fullmatch(plain.rstrip(".;")):
            yield "requirement", plain.rstrip(".;")
        if plain.endswith(";"):
            return


def _read_url(url: str) -> Iterator[tuple[str, str]]:
    """A wheel's address pins its version; the address is where it comes from."""
    wheel = find_wheel(url)
    if wheel is None:
        yield "requirement", _plain_url(url)
    else:
        yield "requirement", f"{normalise_name(wheel['name'])}=={wheel_version(wheel)}"
        yield "source", _plain_url(url)


def _expected(option: str, tool: str) -> str:
    """What the word after an option is: a source, something else, or "" for nothing."""
    is_conda = tool in ("conda", "mamba", "pixi")
    if option in _SOURCES:  # of conda, -f is a file
        return "other" if is_conda else "source"
    if option in _CHANNELS[:2]:
        return "source" if is_conda else "other"
    return "other" if option in _WITH_VALUE else ""


def _plain_url(word: str) -> str:
    return redact(word, home=None, user=None)
