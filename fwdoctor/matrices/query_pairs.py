"""Answers on PyTorch and TensorFlow in one environment, out of `matrices/pairs/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from fwdoctor.matrices.answers import (
    find_neighbours,
    find_version,
    not_here,
)
from fwdoctor.matrices.load import FRAMEWORKS
from fwdoctor.matrices.spellings import FRAMEWORK_NAMES, release_version
from fwdoctor.matrices.table_rows import whole_record
from fwdoctor.matrices.typed import read_pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fwdoctor.errors import UsageError
    from fwdoctor.matrices.answers import Answer
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.matrices.record import Record

FILES = {
    "pypi": "pairs/pypi.json",
    "pytorch-index": "pairs/pytorch-index.json",
    "conda-forge": "pairs/conda-forge.json",
}


def list_pairs(matrices: Matrices) -> list[Answer]:
    """Every pair of releases, newest first; those of PyPI before the others."""
    return _sorted(_read_pairs(matrices, {}))


def find_pairs(matrices: Matrices, text: str) -> list[Answer]:
    """The pairs of a release ("2.9.1", "torch 2.9.1") or of two, newest first."""
    wanted, either = _read_request(text)
    if either is not None:
        found = [
            pair
            for framework, version in _find_either(matrices, either).items()
            for pair in _read_pairs(matrices, {framework: version})
        ]
        return _sorted(found)
    versions = {
        framework: _find_one(matrices, framework, version)
        for framework, version in wanted.items()
    }
    found = _read_pairs(matrices, versions)
    if not found:
        raise _not_together(matrices, versions)
    return _sorted(found)


def pairs_of_release(
    matrices: Matrices, framework: str, version: str
) -> tuple[list[Answer], list[Answer]]:
    """The pairs of one release, and their sources apart from them."""
    found = _sorted(_read_pairs(matrices, {framework: version}))
    sources: list[Answer] = []
    for pair in found:
        for source in pair.pop("sources"):
            of_release = {**source, "fields": ["pairs"]}
            sources += [of_release] if of_release not in sources else []
    return found, sources


def _read_pairs(matrices: Matrices, wanted: Mapping[str, str]) -> list[Answer]:
    """The pairs of these releases, by framework; all of them without any."""
    return [
        pair
        for origin, name in FILES.items()
        for pair in _read_file(whole_record(matrices, name), origin, wanted)
    ]


def _read_file(
    file: Record, origin: str, wanted: Mapping[str, str]
) -> Iterator[Answer]:
    sources = tuple(file.rows("sources", _read_source))
    for row in _rows(file):
        if all(row.text(key) == version for key, version in wanted.items()):
            yield _pair(row, origin, sources)


def _rows(file: Record) -> Iterator[Record]:
    for i, row in enumerate(file.get("records", list) or ()):
        yield file.within(f"records[{i}]", row)


def _pair(row: Record, origin: str, sources: Iterable[Answer]) -> Answer:
    pair, confidence = read_pair(row), row.text("confidence")
    return {
        "torch": str(row.needed("torch", Version)),
        "tensorflow": str(row.needed("tensorflow", Version)),
        "origin": origin,
        "index": row.get("index", str) or origin,
        "variant": row.get("variant", str),
        "extra": pair.extra,
        "platform": pair.platform,
        "python": list(pair.python),
        "outcome": pair.outcome,
        "colliding": list(pair.colliding),
        "confidence": confidence,
        "versions": dict(row.mapping("versions")),
        "resolved_for": row.get("resolved_for", str),
        "builds": [{"torch": one, "tensorflow": two} for one, two in pair.builds],
        "sources": [
            {**source, "retrieved": row.get("retrieved", str)}
            for source in sources
            if source["confidence"] in (confidence, "documented")
        ],
    }


def _read_source(row: Record) -> Answer:
    return {
        "source": row.text("source"),
        "fields": ["outcome", "colliding"],
        "confidence": row.text("confidence"),
    }


def _sorted(pairs: Iterable[Answer]) -> list[Answer]:
    def newest(pair: Answer) -> tuple[Version, Version]:
        return Version(pair["torch"]), Version(pair["tensorflow"])

    return sorted(pairs, key=newest, reverse=True)  # stable: origins stay in order


def _read_request(text: str) -> tuple[dict[str, str], str | None]:
    """Versions by framework; or one version without a framework's name.

    Of two bare versions the first is torch's: "2.9.1 2.20.0".
    """
    wanted: dict[str, str] = {}
    bare: list[str] = []
    words = iter(text.replace("==", " ").replace(",", " ").split())
    for word in words:
        framework = FRAMEWORK_NAMES.get(word.lower().partition("[")[0])
        if framework:
            wanted[framework] = next(words, "")
        else:
            bare.append(word)
    if not wanted and len(bare) == 1:
        return {}, bare[0]
    others = (framework for framework in FRAMEWORKS if framework not in wanted)
    wanted |= zip(others, bare, strict=False)
    return {name: version for name, version in wanted.items() if version}, None


def _find_either(matrices: Matrices, text: str) -> dict[str, str]:
    """The releases of either framework that a version means."""
    meant = {
        framework: find_version(release_version(text), _versions(matrices, framework))
        for framework in FRAMEWORKS
    }
    found = {name: version for name, version in meant.items() if version}
    if not found:
        raise _unknown(matrices, f"a pair of {text}", text, FRAMEWORKS)
    return found


def _find_one(matrices: Matrices, framework: str, text: str) -> str:
    known = _versions(matrices, framework)
    found = find_version(release_version(text), known)
    if found is None:
        raise _unknown(matrices, f"a pair of {framework} {text}", text, (framework,))
    return found


def _versions(matrices: Matrices, framework: str) -> list[str]:
    """The releases of a framework that are in a pair, oldest first."""
    found = {
        row.needed(framework, Version)
        for name in FILES.values()
        for row in _rows(whole_record(matrices, name))
    }
    return [str(version) for version in sorted(found)]


def _unknown(
    matrices: Matrices, what: str, text: str, frameworks: Iterable[str]
) -> UsageError:
    close, spans = [], []
    for framework in frameworks:
        known = _versions(matrices, framework)
        found = find_neighbours(release_version(text), known)
        close += [f"{framework} {version}" for version in found]
        spans += [f"{framework} {known[0]} to {known[-1]}"] if known else []
    return not_here(what, close, f"pairs are known of {' and '.join(spans)}")


def _not_together(matrices: Matrices, versions: Mapping[str, str]) -> UsageError:
    """The error for two releases of which no Python version has both."""
    torch, tensorflow = (versions.get(framework) for framework in FRAMEWORKS)
    pairs = _sorted(_read_pairs(matrices, {"torch": torch} if torch else {}))
    known = ", ".join(dict.fromkeys(pair["tensorflow"] for pair in pairs))
    hint = f"torch {torch} shares a Python version with tensorflow {known}"
    return not_here(f"a pair of torch {torch} and tensorflow {tensorflow}", (), hint)
