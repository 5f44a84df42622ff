"""Install lines of pip, uv, poetry, conda, mamba, pixi, taken apart. Nothing is run.

Small and honest: options it does not know are kept by name, so that a reader sees what
was not considered.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from fwdoctor.solve.command_text import iter_commands, iter_unknown_variables

CONDA = ("conda", "mamba", "micromamba", "pixi")
PROJECT_TOOLS = ("poetry", "pdm", "pipenv")
_PREFIXES = ("!", "%", "$", "-m", "uvx")
_PIP = re.compile(r"pip[\d.]*")
_PYTHON = re.compile(r"py(?:thon)?([\d.]*)")
# "torch-1.12.1%2Bcu113-cp38-cp38-linux_x86_64.whl"
_WHEEL = re.compile(r"([A-Za-z0-9_.]+)-([0-9][^-]*)-(?:\d+-)?[a-z]+(\d*)-.+\.whl")
# "torch==1.8.1+cu102", "tensorflow[and-cuda]>=2.15", "torch===1.7.1+cu110"
_REQUIREMENT = re.compile(
    r"([A-Za-z][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*((?:===|[=<>!~]=|[<>])[^;#]*)?"
)
# "pytorch=1.8.1=py3.8_cuda10.2_cudnn7.6.5_0", "conda-forge::tensorflow", "python>=3.8"
_SPEC = re.compile(
    r"(?:([A-Za-z0-9_-]+)::)?([A-Za-z_][A-Za-z0-9._-]*)\s*([=<>!~].*|\s[0-9*].*)?"
)
_VALUED = {
    "--channel": "channel",
    "--source": "index",
    "--constraint": "file",
    "--platform": "",
    "--subdir": "",
    "--group": "",
    "-G": "",
    "--extra": "",
    "--root": "",
    "--cache-dir": "",
    "--only-binary": "",
    "--no-binary": "",
    "--python-version": "python",
    "--abi": "",
    "--implementation": "",
    "--retries": "",
    "--proxy": "",
    "--progress-bar": "",
    "--upgrade-strategy": "",
    "--index-strategy": "",
    "--prerelease": "",
    "--manifest-path": "",
    "--feature": "",
    "-i": "index",
    "--index-url": "index",
    "--default-index": "index",
    "--extra-index-url": "index",
    "--index": "index",
    "-f": "links",
    "--find-links": "links",
    "-n": "",
    "--name": "",
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
_VALUED_OF_CONDA = {"-c": "channel", "-p": ""}
_VALUED_OF_PIP = {"-c": "file", "-e": "file", "--editable": "file", "-p": "python"}
# A bare word is a requirement only when it can be nothing else.
_BARE = ("torch", "torchvision", "torchaudio", "tensorflow", "tensorflow-gpu")
_FLAGS = (
    *("-y", "--yes", "-u", "-U", "--upgrade", "--user", "--no-cache-dir", "-q"),
    *("--system", "--quiet", "--no-cache", "--pypi", "--override-channels"),
    *("--force-reinstall", "--upgrade-deps", "--no-input", "-qq"),
)


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
    unknown: tuple[str, ...] = ()  # options and variables that were not considered
    text: str = ""
    is_pypi: bool = False  # wheels, though the tool is pixi
    is_auto: bool = False  # uv is to choose the index by the driver

    @property
    def is_conda(self) -> bool:
        """Whether conda packages are meant."""
        return self.tool in CONDA and not self.is_pypi

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
    is_pypi: bool = False
    is_auto: bool = False

    @property
    def is_conda(self) -> bool:
        return self.tool in CONDA and not self.is_pypi


def parse_install_lines(text: str) -> tuple[InstallLine, ...]:
    """Every install line of the text; bare requirement lines make one together."""
    found: list[InstallLine] = []
    loose = _Draft("requirements")
    kept: list[str] = []
    for line in iter_commands(text):
        words = _words(line)
        draft, rest = _tool_of(words)
        if draft is not None:
            found.append(_finished(_read_words(draft, rest), line))
            continue
        plain = _plain_requirement(line)
        words = _words(plain)
        if words and _looks_like_requirement(words):
            _read_words(loose, words, joined=plain)
            kept.append(line)
    if loose.items:
        found.append(_finished(loose, "\n".join(kept)))
    return tuple(line for line in found if line.items)


def _words(line: str) -> list[str]:
    first, _, rest = line.partition(" ")
    line = f"{first.replace(chr(92), '/')} {rest}"  # a program's path of Windows
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # an open quote
        return [word.strip("\"'") for word in line.split()]


def _plain_requirement(line: str) -> str:
    """A line of a requirements file without its comment and hashes."""
    return re.split(r"\s#|\s--(?:hash|config-settings)\b", line, maxsplit=1)[0].strip()


def _tool_of(words: list[str]) -> tuple[_Draft | None, list[str]]:
    """The tool, with the Python that calls it, and the words after its install verb."""
    python: str | None = None
    for number, word in enumerate(words):
        name = _program(word)
        called = _PYTHON.fullmatch(name)
        if name in CONDA or name in PROJECT_TOOLS or name == "uv":
            return _after_verb(_Draft(name), words[number + 1 :], words)
        if _PIP.fullmatch(name):
            named = name.removeprefix("pip")
            python = named if "." in named else python
            draft = _Draft("pip", python=python)
            return _after_verb(draft, words[number + 1 :], words)
        if called is not None:
            python = called[1] if "." in called[1] else python
        elif re.fullmatch(r"-\d\.\d+", name):  # py -3.8
            python = name[1:]
        elif name and name not in _PREFIXES:
            break
    return None, words


def _program(word: str) -> str:
    """The name of a program: "/opt/conda/bin/conda", "!pip", "C:/Python38/pip.exe"."""
    plain = word.lstrip("!%$").replace("\\", "/")
    return plain.rpartition("/")[2].removesuffix(".exe")


def _after_verb(
    draft: _Draft, rest: list[str], words: list[str]
) -> tuple[_Draft | None, list[str]]:
    if draft.tool == "uv" and rest[:1] == ["pip"]:
        rest = rest[1:]
    if draft.tool in CONDA and rest[:1] == ["env"]:
        rest = rest[1:]
    verbs = ("install", "create", "add", "update", "upgrade", "sync", "download")
    for number, word in enumerate(rest):
        if word in verbs:
            return draft, rest[:number] + rest[number + 1 :]
    return None, words


def _looks_like_requirement(words: list[str]) -> bool:
    first = words[0]
    if first in _VALUED or first.partition("=")[0] in _VALUED:
        return True
    if _wheel(first) is not None:
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
    draft.is_pypi = "--pypi" in rest
    while rest:
        word = rest.pop(0)
        if rest[:1] == ["@"] and len(rest) > 1:  # "torch @ https://…"
            word, rest = rest[1], rest[2:]
        if word.startswith("-") and word != "-":
            _read_option(draft, word, rest)
        elif word not in (".", "-"):
            _add(draft, word)
    return draft


def _read_option(draft: _Draft, word: str, rest: list[str]) -> None:
    name, given, value = word.partition("=")
    valued = {**_VALUED, **(_VALUED_OF_CONDA if draft.is_conda else _VALUED_OF_PIP)}
    if name not in valued:
        if name not in _FLAGS:
            draft.unknown.append(name)
        return
    if not given:
        value = rest.pop(0) if rest else ""
    meaning = valued[name]
    if meaning == "python":
        found = re.search(r"\d+\.\d+", value)
        draft.python = found[0] if found else draft.python
    elif meaning == "backend" and value == "auto":
        draft.is_auto = True
    elif meaning in ("channel", "index", "links"):
        draft.sources.append(value)
    elif meaning == "backend":
        draft.sources.append(f"https://download.pytorch.org/whl/{value}")
    elif meaning == "file":
        draft.unknown.append(f"{name} {value}")


def _add(draft: _Draft, word: str) -> None:
    wheel = _wheel(word)
    if wheel is not None:
        draft.items.append(wheel[0])
        draft.sources.extend(wheel[1])
        draft.python = draft.python or wheel[2]
        return
    item = _spec(word) if draft.is_conda else _requirement(word)
    if item is None:
        draft.unknown.append(word)
    elif item.name == "python" and item.spec:
        found = re.search(r"\d+\.\d+", item.spec)
        draft.python = found[0] if found else None
    else:
        draft.items.append(item)


def _wheel(word: str) -> tuple[Item, tuple[str, ...], str | None] | None:
    """What a wheel's address asks for: the item, where it lies, its Python."""
    address = re.sub("%2b", "+", word.partition("#")[0], flags=re.IGNORECASE)
    place, _, name = address.replace("\\", "/").rpartition("/")
    found = _WHEEL.fullmatch(name)
    if found is None:
        return None
    public, _, label = found[2].partition("+")
    spec = _specifier(f"=={public}")
    item = Item(name=_normal(found[1]), spec=spec, label=label.lower() or None)
    digits = found[3]
    python = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else None
    is_remote = place.startswith(("http://", "https://"))
    return item, (place,) if is_remote else (), python


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
    variables = iter_unknown_variables(text)
    return InstallLine(
        tool=draft.tool,
        items=tuple(draft.items),
        sources=tuple(draft.sources),
        python=draft.python,
        unknown=(
            *(word for word in draft.unknown if not word.startswith("$")),
            *(f"${name}, whose value is not said" for name in variables),
        ),
        text=text,
        is_pypi=draft.is_pypi,
        is_auto=draft.is_auto,
    )
