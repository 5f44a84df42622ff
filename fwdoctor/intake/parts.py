"""A paste that speaks of several machines or environments, taken apart.

Three things are clear enough to split at: the line where another commenter begins, a
heading that names the place («On the host:», «### Working environment»), and a second
report of the same program. Splitting only marks the borders; `choose` says which parts
belong together, by whether their facts contradict each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from fwdoctor.intake.merge import do_agree, merge, plain_gpu_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.intake.facts import FactName, Facts

Role = Literal["text", "working", "failing", "host", "container"]
MOST_PARTS: Final = 12
# The text before the first border belongs to every part.
_COMMENT = re.compile(
    r"^[ \t]{0,4}(?:@?[\w-]{1,39} (?:commented|replied|wrote)(?: (?:on|at|\d|a|an"
    r"|last)\b[^\n]{0,60})?:?"
    r"|On [^\n]{8,80} wrote:)[ \t]*$",
    re.MULTILINE,
)
_REPORT = re.compile(
    r"^[^\n]{0,20}Collecting environment information", re.MULTILINE | re.IGNORECASE
)
_PLACE = (
    r"(?P<failing>(?:not|non)[ -]?working|fail(?:ing|s|ed)|broken|bad|problem(?:atic)?)"
    r"|(?P<working>working|works|good|healthy|fine)"
    r"|(?P<host>host|outside(?: of)?(?: the)?(?: docker| container)?|bare ?metal)"
    r"|(?P<container>(?:docker )?container|inside(?: of)?(?: the)?(?: docker"
    r"| container)?"
    r"|docker|wsl2?)"
)
_HEADING = re.compile(
    r"^[ \t]{0,3}(?P<marks>[#*=_>-]{0,6})[ \t]{0,2}(?:(?:on|in|from|for|with)[ ])?"
    r"(?:the |my |a )?"
    rf"(?:{_PLACE})(?: (?:environment|env|machine|system|setup|side|computer|pc|server"
    rf"|os"
    r"|case|config(?:uration)?|output|version|host|container|one))?[ \t]{0,2}"
    r"(?:\([^)\n]{0,40}\))?[#*=_-]{0,6}[ \t]{0,2}(?P<colon>:?)[*_]{0,3}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_ROLES: tuple[Role, ...] = ("failing", "working", "host", "container")
_IDENTITY: tuple[FactName, ...] = ("driver", "torch", "tensorflow", "os")
# What a container shares with its host.
_OF_HOST: tuple[FactName, ...] = (
    *("driver", "driver_cuda", "smi_version", "kernel_module", "kernel", "is_wsl"),
    *("gpu_count", "machine"),
)
_FAILURES: tuple[tuple[FactName, str], ...] = (
    ("torch_gpu", "false"),
    ("tensorflow_gpu", "false"),
)
_FAILED: tuple[FactName, ...] = ("smi_error", "cuinit_code", "missing_node")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the text about one place; `line` is its first line's number."""

    text: str
    line: int
    role: Role = "text"


def split(text: str) -> tuple[Part, ...]:
    """The parts of a text, in order; most texts are one part."""
    borders = sorted({*_comments(text), *_reports(text), *_headings(text)})
    starts: list[tuple[int, Role]] = [(0, "text"), *borders[: MOST_PARTS - 1]]
    if borders and not text[: borders[0][0]].strip():
        del starts[0]  # nothing stands before the first border
        starts[0] = (0, borders[0][1])
    ends = [start for start, _ in starts[1:]] + [len(text)]
    parts: list[Part] = []
    line = 1
    for (start, role), end in zip(starts, ends, strict=True):
        parts.append(Part(text[start:end], line, role))
        line += text.count("\n", start, end)
    return tuple(parts)


def _comments(text: str) -> list[tuple[int, Role]]:
    if "commented" not in text and "wrote" not in text and "replied" not in text:
        return []
    return [(match.start(), "text") for match in _COMMENT.finditer(text)]


def _reports(text: str) -> list[tuple[int, Role]]:
    """Every report of collect_env but the first."""
    if "nformation" not in text:
        return []
    return [(match.start(), "text") for match in list(_REPORT.finditer(text))[1:]]


def _headings(text: str) -> list[tuple[int, Role]]:
    """Headings that name a place; a single one contrasts with nothing."""
    found: list[tuple[int, Role]] = []
    for match in _HEADING.finditer(text):
        if match["marks"] or match["colon"]:
            role = next(role for role in _ROLES if match[role])
            found.append((match.start(), role))
    return found if len({role for _, role in found}) > 1 else []


def part_facts(facts: Facts | None, part: Part) -> Facts | None:
    """The facts with the line numbers of the whole text."""
    if facts is None or part.line == 1:
        return facts
    values = {
        name: replace(fact, line=fact.line + part.line - 1)
        for name, fact in facts.values.items()
    }
    commands = tuple(
        replace(command, line=command.line + part.line - 1)
        for command in facts.commands
    )
    return replace(facts, values=values, commands=commands)


@dataclass(frozen=True, slots=True)
class Choice:
    """The facts the report is about, and those of other machines, kept apart."""

    facts: tuple[Facts, ...]
    apart: tuple[tuple[Facts, ...], ...] = ()
    apart_lines: tuple[range, ...] = ()


def choose(parts: Sequence[Part], found: Sequence[tuple[Facts, ...]]) -> Choice:
    """Which parts speak of the machine with the failure.

    `found` holds the facts of each part. The text before the first border belongs to
    the main part, unless it contradicts it; so does every later part.
    """
    main = _main(parts, found)
    own = list(found[main])
    apart: list[tuple[Facts, ...]] = []
    lines: list[range] = []
    for index, (part, facts) in enumerate(zip(parts, found, strict=True)):
        if index == main or not facts:
            continue
        if part.role == "host":
            own.extend(item for item in map(_of_host, facts) if item is not None)
        elif part.role != "working" and do_fit(own, facts):
            own.extend(facts)
        else:
            apart.append(facts)
            last = part.line + part.text.count("\n")
            lines.append(range(part.line, last + 1))
    return Choice(tuple(own), tuple(apart), tuple(lines))


def _of_host(facts: Facts) -> Facts | None:
    """The facts that hold inside the host's containers as well."""
    values = {name: facts.values[name] for name in _OF_HOST if name in facts.values}
    if not (values or facts.gpus or facts.commands or facts.xids):
        return None
    return replace(facts, values=values, packages=(), libraries=(), env_vars={})


def _main(parts: Sequence[Part], found: Sequence[tuple[Facts, ...]]) -> int:
    """The part that is called failing, else the first that shows a failure."""
    told = [index for index, part in enumerate(parts) if part.role == "failing"]
    shown = [
        index
        for index, facts in enumerate(found)
        if parts[index].role not in ("working", "host") and any(map(_fails, facts))
    ]
    filled = [
        index
        for index, facts in enumerate(found)
        if facts and parts[index].role not in ("working", "host")
    ]
    return next(iter([*told, *shown, *filled]), 0)


def _fails(facts: Facts) -> bool:
    is_off = any(facts.get(name) == value for name, value in _FAILURES)
    return is_off or any(facts.get(name) for name in _FAILED)


def do_fit(one: Sequence[Facts], other: Sequence[Facts]) -> bool:
    """Whether two sets of facts may be about the same machine and environment."""
    a, b = merge(one), merge(other)
    for name in _IDENTITY:
        first, second = a.get(name), b.get(name)
        if first and second and not do_agree(first, second):
            return False
    first, second = (a.get("distribution") or "", b.get("distribution") or "")
    if not _begins(first.lower(), second.lower()):
        return False
    cards, others = (
        {plain_gpu_name(gpu.name) for gpu in merged.gpus or ()} - {""}
        for merged in (a, b)
    )
    is_either_empty = not cards or not others
    return is_either_empty or any(_begins(x, y) for x in cards for y in others)


def _begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
