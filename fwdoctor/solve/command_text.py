"""Pasted text as single commands, without the dress of pages and Dockerfiles.

What a command means is `install_line`'s business. Nothing is executed or expanded but
variables that the same text sets.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What word processors and web pages make of quotes, dashes and signs.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»", '"'),
        **dict.fromkeys("‘’‚‛", "'"),
        "\u00a0": " ",
        "≥": ">=",
        "≤": "<=",
        "\r": None,
    }
)
_DASHES = re.compile(r"(?<=\s)[–—]-?(?=[a-z])")
_CONTINUED = re.compile(r"(?:\\|(?<=\s)[\^`])[ \t]*\n")
_PARTS = re.compile(
    r"&&|\|\||\s\|\s|;(?!\s*(?:python_|sys_|platform_|os_|extra|implementation_))"
)
_SET = re.compile(
    r"(?:^|(?<=[\s;&]))(?:(?:export|ARG|ENV|set)\s+|\$env:)?"
    r"([A-Za-z_]\w*)=(\"[^\"\n]*\"|'[^'\n]*'|[^\s;&\"']*)(?=[\s;&]|$)",
    re.MULTILINE,
)
_USED = re.compile(
    r"\$\{([A-Za-z_]\w*)(?::?-([^}]*))?\}|\$([A-Za-z_]\w*)|%([A-Za-z_]\w*)%"
)
# "(base) user@host:~/x$ ", "PS C:\Users\me> ", ">>> ", "In [3]: ", "RUN ", "time "
_DRESS = re.compile(
    r"""
    \((?=[^)\s]*\)\s)[^)\s]*\)\s+
    | [\w.-]+@[\w.-]+:[^\s$\#]*\s*[$\#]\s+
    | (?:PS\s+)?[A-Za-z]:\\[^>\n]*>\s*
    | >>>\s* | In\s*\[\d*\]:\s* | [$>]\s+ | ```\w*\s*
    | RUN(?:\s+--\w[\w-]*(?:=\S+)?)*\s+
    | (?:sudo(?:\s+-[HE])*|time|nohup|exec|command|call|env|yes|-\s*run:|run:)\s+
    | (?:[A-Za-z_]\w*=(?:"[^"]*"|'[^']*'|[^\s"']*)\s+)+(?=[A-Za-z./])
    | (?:conda|mamba|micromamba|pixi|poetry|uv|pdm|pipenv|hatch)\s+run\s+
      (?:(?:-n|-p|-e|--name|--prefix|--environment)[ =]\S+\s+ | --?[\w-]+\s+)*
    """,
    re.VERBOSE,
)
# What pip and uv take from the environment, as the option that does the same.
_INDEX_VARIABLES = {
    "PIP_INDEX_URL": "--index-url",
    "PIP_EXTRA_INDEX_URL": "--extra-index-url",
    "PIP_FIND_LINKS": "--find-links",
    "UV_DEFAULT_INDEX": "--default-index",
    "UV_INDEX": "--index",
    "UV_EXTRA_INDEX_URL": "--extra-index-url",
    "UV_TORCH_BACKEND": "--torch-backend",
}
_ENVIRONMENT = re.compile(r"^dependencies:\s*(?:#.*)?$", re.MULTILINE)
_SHORT_OPTION = re.compile(r"(?<=\s)--(?=[a-z](?:\s|$))")


def iter_commands(text: str) -> Iterator[str]:
    """Commands one by one, as they would be typed."""
    if _ENVIRONMENT.search(text):
        text = "\n".join(_commands_of_environment(text))
    plain = _DASHES.sub("--", text.translate(_PLAIN))
    plain = _SHORT_OPTION.sub("-", plain)
    plain = _CONTINUED.sub(" ", plain)
    joined = _with_variables(plain)
    indexes = "".join(dict.fromkeys(_options_of_variables(joined)))
    for line in joined.splitlines():
        whole = _as_words(line.strip())
        if whole.lstrip("> ").startswith("#"):
            continue
        for part in _PARTS.split(whole):
            stripped = _undressed(part.strip().strip("`"))
            if stripped and not stripped.startswith("#"):
                is_wheels = re.search(r"\b(?:pip[\d.]*|uv)\s", stripped)
                yield f"{stripped}{indexes}" if is_wheels else stripped


def iter_unknown_variables(text: str) -> Iterator[str]:
    """Variables in a command whose value its text does not tell."""
    seen = (match[1] or match[3] or match[4] for match in _USED.finditer(text))
    yield from dict.fromkeys(seen)


def _commands_of_environment(text: str) -> Iterator[str]:
    """An environment.yml as the commands that do the same."""
    found: dict[str, list[str]] = {"channels": [], "dependencies": [], "pip": []}
    section, indent_of_pip = "", -1
    for raw in text.splitlines():
        line = re.split(r"\s#", raw, maxsplit=1)[0].rstrip()
        flow = re.fullmatch(r"(channels|dependencies):\s*\[(.*)\]", line)
        if flow is not None:
            found[flow[1]] = [word.strip(" \"'") for word in flow[2].split(",")]
        if re.match(r"[A-Za-z_]\w*:", line):
            section, indent_of_pip = line.partition(":")[0], -1
            continue
        entry = re.match(r"(\s*)-\s+(.+)", line)
        if entry is None or section not in found:
            continue
        indent, value = len(entry[1]), entry[2].strip().strip("\"'")
        if value == "pip:":
            indent_of_pip = indent
        elif 0 <= indent_of_pip < indent:
            is_option = value.startswith("-")
            found["pip"] += value.split() if is_option else [value]
        else:
            indent_of_pip = -1
            found[section].append(value)
    names = [name for name in found["channels"] if name != "nodefaults"]
    channels = [word for name in names for word in ("-c", name)]
    for tool, words in (
        ("conda", [*found["dependencies"], *channels]),
        ("pip", found["pip"]),
    ):
        if words:
            yield shlex.join([tool, "install", *words])


def _with_variables(text: str) -> str:
    """The text with the values it sets itself; assignments stay where they are."""
    values = {match[1]: match[2].strip("\"'") for match in _SET.finditer(text)}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[4]
        found = values.get(name, match[2])
        return match[0] if found is None or "$" in found else found

    return _USED.sub(value, text)


def _options_of_variables(text: str) -> Iterator[str]:
    for match in _SET.finditer(text):
        option = _INDEX_VARIABLES.get(match[1])
        for value in match[2].strip("\"'").split() if option else ():
            yield f" {option} {value}"


def _as_words(line: str) -> str:
    """`RUN ["pip", "install", "torch"]` as a command line."""
    found = re.fullmatch(r"RUN\s+(\[.*\])", line)
    if found is None:
        return line
    try:
        words = json.loads(found[1])
    except (ValueError, RecursionError):
        return line
    return shlex.join(word for word in words if isinstance(word, str))


def _undressed(line: str) -> str:
    while (found := _DRESS.match(line)) is not None and found.end():
        line = line[found.end() :]
    return line
