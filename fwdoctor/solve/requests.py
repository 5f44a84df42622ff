"""What the command line says, as a Request: frameworks, constraints, wishes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.errors import SolveError
from fwdoctor.model.plan import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.plan import FrameworkName, Manager, Prefer

FRAMEWORKS: dict[str, FrameworkName] = {
    "torch": "torch",
    "pytorch": "torch",
    "tensorflow": "tensorflow",
    "tf": "tensorflow",
}
BOTH: tuple[FrameworkName, ...] = ("torch", "tensorflow")
MANAGERS: dict[str, Manager] = {
    "pip": "pip",
    "uv": "uv",
    "conda": "conda",
    "mamba": "conda",
    "micromamba": "conda",
    "pixi": "pixi",
}
PREFERENCES: dict[str, Prefer] = {"newest": "newest", "native": "native"}
COMPANIONS = ("torchvision", "torchaudio")
_CONSTRAINT = re.compile(r"\s*([A-Za-z]+)\s*(?:\[[^\]]*\])?\s*([<>=!~].*)")
_PYTHON = re.compile(r"3\.\d{1,2}")


def parse_request(
    matrices: Matrices,
    *,
    frameworks: Iterable[str] = (),
    constraints: Iterable[str] = (),
    companions: Iterable[str] = (),
    manager: str | None = None,
    python: str | None = None,
    prefer: str = "newest",
) -> Request:
    """The request; raises SolveError saying what cannot be understood."""
    texts = [text.strip() for text in constraints]
    named = [text for text in texts if text.lower() in FRAMEWORKS]
    limits = dict(_constraint(text) for text in texts if text not in named)
    _check_known(limits, matrices)
    wished = [name for word in (*frameworks, *named) for name in _wished(word)]
    names = wished or list(limits) or list(BOTH)
    for name in companions:
        _one_of({word: word for word in COMPANIONS}, name, "--with")
    if python is not None:
        _check_python(python, matrices)
    return Request(
        frameworks=_ordered([*names, *limits]),
        constraints={str(name): spec for name, spec in limits.items()},
        companions=tuple(dict.fromkeys(companions)),
        manager=None if manager is None else _one_of(MANAGERS, manager, "--manager"),
        python=python,
        prefer=_one_of(PREFERENCES, prefer, "--prefer"),
    )


def _ordered(names: Iterable[str]) -> tuple[FrameworkName, ...]:
    wished = set(names)
    return tuple(name for name in BOTH if name in wished)


def _wished(word: str) -> tuple[FrameworkName, ...]:
    if word.strip().lower() in ("both", "all"):
        return BOTH
    return (_one_of(FRAMEWORKS, word, "--for"),)


def _one_of(allowed: Mapping[str, _Word], word: str, option: str) -> _Word:
    found = allowed.get(word.strip().lower())
    if found is None:
        choices = ", ".join(allowed)
        raise SolveError("bad-option", f"{option}: {word!r} is not one of {choices}")
    return found


def _constraint(text: str) -> tuple[FrameworkName, str]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    found = _CONSTRAINT.fullmatch(text)
    name = FRAMEWORKS.get(found[1].lower()) if found else None
    if found is None or name is None:
        raise SolveError(
            "bad-constraint",
            f"{text!r} is not a constraint on torch or tensorflow",
            hint="write it as 'torch>=2.6,<2.9'",
        )
    try:
        return name, str(SpecifierSet(found[2].strip()))
    except InvalidSpecifier as error:
        raise SolveError("bad-constraint", f"{text!r}: {error}") from error


def _check_known(limits: Mapping[FrameworkName, str], matrices: Matrices) -> None:
    """A constraint that no release meets is a mistake, not a task."""
    from packaging.specifiers import SpecifierSet

    for name, spec in limits.items():
        versions = matrices.versions(name)
        if not any(SpecifierSet(spec).contains(v, prereleases=True) for v in versions):
            raise SolveError(
                "no-such-release",
                f"no release of {name} in our data is {spec}",
                hint=_hint(name, spec, versions),
            )


def _hint(name: str, spec: str, versions: Sequence[str]) -> str:
    if "+" in spec:
        return "leave the +label out: the plan chooses the build for the machine"
    return f"they go from {versions[0]} to {versions[-1]}: `fwdoctor matrix {name}`"


def _check_python(python: str, matrices: Matrices) -> None:
    known = {
        version
        for name in ("torch", "tensorflow")
        for release in matrices.releases(name)
        for version in release.python
    }
    span = sorted(known, key=lambda text: tuple(map(int, text.split("."))))
    if not _PYTHON.fullmatch(python) or python not in known:
        raise SolveError(
            "bad-python",
            f"--python: no release in our data has wheels for {python!r}",
            hint=f"Python 3 versions go from"
            f" {next(v for v in span if v[0] == '3')} to {span[-1]}",
        )


if TYPE_CHECKING:
    from typing import TypeVar

    _Word = TypeVar("_Word")
