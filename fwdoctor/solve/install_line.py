"""Install lines of pip, uv, conda, mamba and pixi, taken apart. Nothing is executed.

Small and honest: options it does not know are kept by name, so that a reader sees what
was not considered.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PIP = ("pip", "pip2", "pip3")
CONDA = ("conda", "mamba", "micromamba", "pixi")
_PREFIXES = ("sudo", "!", "%", "$", "RUN", "-H", "uvx", "python3", "python", "py", "-m")
# "torch==1.8.1+cu102", "tensorflow[and-cuda]>=2.15", "torch===1.7.1+cu110"
_REQUIREMENT = re.compile(
    r"([A-Za-z][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*((?:===|[=<>!~]=|[<>])[^;#]*)?"
)
# "pytorch=1.8.1=py3.8_cuda10.2_cudnn7.6.5_0", "conda-forge::tensorflow", "python>=3.8"
_SPEC = re.compile(
    r"(?:([A-Za-z0-9_-]+)::)?([A-Za-z_][A-Za-z0-9._-]*)\s*([=<>!~].*|\s[0-9*].*)?"
)
_VALUED = {
    "-c": "channel",
    "--channel": "channel",
    "-i": "index",
    "--index-url": "index",
    "--default-index": "index",
    "--extra-index-url": "index",
    "--index": "index",
    "-f": "links",
    "--find-links": "links",
    "-n": "",
    "--name": "",
    "-p": "",
    "--prefix": "",
    "--python": "python",
    "--torch-backend": "backend",
    "-r": "file",
    "--requirement": "file",
    "--file": "file",
    "-t": "",
    "--target": "",
    "--trusted-host": "",
    "--timeout": "",
    "--default-timeout": "",
}
# A bare word is a requirement only when it can be nothing else.
_BARE = ("torch", "torchvision", "torchaudio", "tensorflow", "tensorflow-gpu")
_FLAGS = ("-y", "--yes", "-u", "-U", "--upgrade", "--user", "--no-cache-dir", "-q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One package of a line, with its version wish as written."""

    name: str  # lower case, "_" as "-"
    spec: str = ""  # PEP 440: "==1.8.1", ">=2", "" for any
    label: str | None = None  # cu102
    extras: str = ""
    build: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallLine:
    """One install line: which tool, what, from where."""

    tool: str  # pip, uv, conda, mamba, micromamba, pixi, requirements
    items: tuple[Item, ...] = ()
    sources: tuple[str, ...] = ()  # channels, index URLs, find-links pages
    python: str | None = None
    unknown: tuple[str, ...] = ()  # options that were not considered
    text: str = ""

    @property
    def is_conda(self) -> bool:
        """Whether conda packages are meant."""
        return self.tool in CONDA

    def find_item(self, *names: str) -> Item | None:
        """The first item with one of these names."""
        return next((item for item in self.items if item.name in names), None)


@dataclass(slots=True)
class _Draft:
    tool: str
    items: list[Item] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    python: str | None = None


def parse_install_lines(text: str) -> tuple[InstallLine, ...]:
    """Every install line of the text; bare requirement lines make one together."""
    found: list[InstallLine] = []
    loose = _Draft("requirements")
    kept: list[str] = []
    for line in _logical_lines(text):
        words = _words(line)
        tool, rest = _tool_of(words)
        if tool is not None:
            found.append(_finished(_read_words(_Draft(tool), rest), line))
        elif words and _looks_like_requirement(words):
            _read_words(loose, words, joined=_without_comment(line))
            kept.append(line)
    if loose.items:
        found.append(_finished(loose, "\n".join(kept)))
    return tuple(line for line in found if line.items)


def _logical_lines(text: str) -> Iterator[str]:
    """Commands one by one: continuations joined, chains and prompts parted."""
    joined = re.sub(r"\\\s*\n", " ", text)
    for line in joined.splitlines():
        for part in re.split(r"&&|\|\||;(?!\s*(?:python_|sys_|platform_|os_))", line):
            stripped = part.strip().strip("`")
            if stripped and not stripped.startswith("#"):
                yield stripped


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # an open quote
        return line.split()


def _without_comment(line: str) -> str:
    return re.split(r"\s#", line, maxsplit=1)[0].strip()


def _tool_of(words: list[str]) -> tuple[str | None, list[str]]:
    """The tool and the words after its install verb."""
    rest = list(words)
    while rest:
        word = rest[0].lstrip("!%$")
        if word in CONDA or word in PIP or word == "uv":
            break
        if word and word not in _PREFIXES and not re.match(r"python[\d.]*$", word):
            return None, words
        rest.pop(0)
    if not rest:
        return None, words
    tool = rest.pop(0).lstrip("!%$")
    return _after_verb("pip" if tool in PIP else tool, rest, words)


def _after_verb(
    tool: str, rest: list[str], words: list[str]
) -> tuple[str | None, list[str]]:
    if tool == "uv" and rest[:1] == ["pip"]:
        rest = rest[1:]
    if tool in CONDA and rest[:1] == ["env"]:
        rest = rest[1:]
    verbs = ("install", "create", "add", "update", "upgrade", "sync")
    for number, word in enumerate(rest):
        if word in verbs:
            return tool, rest[:number] + rest[number + 1 :]
    return None, words


def _looks_like_requirement(words: list[str]) -> bool:
    first = words[0]
    if first in _VALUED or first.partition("=")[0] in _VALUED:
        return True
    found = _REQUIREMENT.match(first)
    if found is None or found.end() != len(first):
        return False
    if len(words) > 1:
        return words[1][:1] in "=<>!~;"
    return bool(found[3]) or _normal(found[1]) in _BARE


def _read_words(draft: _Draft, words: list[str], joined: str = "") -> _Draft:
    if joined and not joined.startswith("-"):
        _add(draft, joined.partition(";")[0])
        return draft
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and word != "-":
            _read_option(draft, word, rest)
        elif word not in (".", "-"):
            _add(draft, word)
    return draft


def _read_option(draft: _Draft, word: str, rest: list[str]) -> None:
    name, given, value = word.partition("=")
    if name not in _VALUED:
        if name not in _FLAGS:
            draft.unknown.append(name)
        return
    if not given:
        value = rest.pop(0) if rest else ""
    meaning = _VALUED[name]
    if meaning == "python":
        draft.python = value
    elif meaning in ("channel", "index", "links"):
        draft.sources.append(value)
    elif meaning == "backend":
        draft.sources.append(f"https://download.pytorch.org/whl/{value}")
    elif meaning == "file":
        draft.unknown.append(f"{name} {value}")


def _add(draft: _Draft, word: str) -> None:
    item = _spec(word) if draft.tool in CONDA else _requirement(word)
    if item is None:
        draft.unknown.append(word)
    elif item.name == "python" and item.spec:
        found = re.search(r"\d+\.\d+", item.spec)
        draft.python = found[0] if found else None
    else:
        draft.items.append(item)


def _requirement(text: str) -> Item | None:
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None:
        return None
    spec = re.sub(r"\s+", "", found[3] or "").replace("===", "==")
    public, _, label = spec.partition("+")
    return Item(
        name=_normal(found[1]),
        spec=_specifier(public.rstrip(",")),
        label=label.lower() or None,
        extras=(found[2] or "").strip("[]"),
    )


def _specifier(text: str) -> str:
    """The text when it is a version specifier; a slip of the pen asks for any."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return ""
    return text


def _spec(text: str) -> Item | None:
    found = _SPEC.fullmatch(text.strip())
    if found is None:
        return None
    channel, name, rest = found.groups()
    version, build = _conda_version((rest or "").strip())
    spec = _specifier(version)
    return Item(name=_normal(name), spec=spec, build=build, channel=channel)


def _conda_version(text: str) -> tuple[str, str | None]:
    """Conda's wish as PEP 440: "=1.8" is any 1.8, "=1.8=py38*" also names a build."""
    if not text:
        return "", None
    if text[0] in "<>!~" or "," in text:
        return text.replace(" ", ""), None
    version, _, build = text.lstrip("= ").partition("=")
    version = version.strip().removesuffix("*").removesuffix(".")
    if text.startswith("=="):
        return f"=={version}", build or None
    return (f"=={version}.*" if version else ""), build or None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _finished(draft: _Draft, text: str) -> InstallLine:
    return InstallLine(
        tool=draft.tool,
        items=tuple(draft.items),
        sources=tuple(draft.sources),
        python=draft.python,
        unknown=tuple(draft.unknown),
        text=text,
    )
