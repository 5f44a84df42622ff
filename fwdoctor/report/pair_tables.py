"""Answers of `matrices/query_pairs.py` as tables for a person at a terminal."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from rich.text import Text

from fwdoctor.report.tables import make_table, render, source_lines, span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.table import Table

    from fwdoctor.report.registry import RenderOptions

Answer = dict[str, Any]
_OVERVIEW = ("torch", "from", "goes with tensorflow", "does not go with")
_FRAMEWORKS = ("torch", "tensorflow")
_PAIRS = ("from", "Python", "outcome", "how", "colliding")
_BAD = ("conflict", "clobber", "unknown")
_LEGEND = (
    "and-cuda: tensorflow[and-cuda], with NVIDIA's libraries; without it no GPU",
    "conflict: no version of a package suits both",
    "clobber: both install, and two packages write the same files",
)
_NVIDIA = re.compile(r"nvidia-(?P<name>.+)-(?P<cuda>cu\d+)")
_ASK = "fwdoctor matrix pairs [torch] VERSION [tensorflow VERSION]"


def render_pairs(pairs: list[Answer], options: RenderOptions) -> str:
    """All pairs in short: a row for each torch release and where it comes from."""
    rows = [_overview_cells(group) for group in _groups(pairs, "torch")]
    legend = [Text(line, style="dim") for line in (*_LEGEND, _ASK)]
    return render([make_table(_OVERVIEW, rows), Text(), *legend], options)


def render_some_pairs(pairs: list[Answer], options: RenderOptions) -> str:
    """The pairs of a release, one by one, with the packages that collide."""
    versions = {name: {pair[name] for pair in pairs} for name in _FRAMEWORKS}
    told = [name for name in _FRAMEWORKS if len(versions[name]) > 1]
    rows = [
        [*(alike[0][name] for name in told), *_pair_cells(alike)]
        for alike in _merge_variants(pairs)
    ]
    title = " with ".join(
        f"{name} {pairs[0][name]}" for name in _FRAMEWORKS if name not in told
    )
    parts: list[Table | Text] = [make_table([*told, *_PAIRS], rows)]
    if title:
        parts = [Text(title, style="bold"), Text(), *parts]
    if options.verbosity > 0:
        lines = source_lines(source for pair in pairs for source in pair["sources"])
        parts += [Text(), *{line.plain: line for line in lines}.values()]
    return render(parts, options)


def partners_line(release: Answer) -> tuple[str, str]:
    """Which releases of the other framework go with a release, in one line."""
    own = release["framework"]
    other = "tensorflow" if own == "torch" else "torch"
    found = []
    for group in _groups(release.get("pairs", ()), own):
        clean = _spans(group, other, "clean")
        if clean or group[0]["origin"] != "pytorch-index":
            found.append(f"{clean or 'none'} ({_from(group)})")
    return f"with {other}", "; ".join(found)


def _groups(pairs: Iterable[Answer], framework: str) -> Iterator[list[Answer]]:
    """Pairs of one release and origin; builds with the same outcomes together."""
    builds: dict[tuple[object, ...], list[Answer]] = {}
    for pair in pairs:
        fields = (framework, "origin", "index", "extra", "platform")
        builds.setdefault(tuple(pair[field] for field in fields), []).append(pair)
    alike: dict[tuple[object, ...], list[Answer]] = {}
    for (version, origin, _, extra, platform), found in builds.items():
        outcomes = frozenset((p["torch"], p["tensorflow"], p["outcome"]) for p in found)
        key = (version, origin, extra, platform, outcomes)
        alike.setdefault(key, []).extend(found)
    yield from alike.values()


def _overview_cells(group: list[Answer]) -> Sequence[str]:
    bad = ((word, _spans(group, "tensorflow", word)) for word in _BAD)
    return (
        group[0]["torch"],
        _from(group),
        _spans(group, "tensorflow", "clean") or "none",
        "; ".join(f"{word} {spans}" for word, spans in bad if spans),
    )


def _spans(group: Iterable[Answer], framework: str, outcome: str) -> str:
    """Releases of the group with this outcome; a run of them as first and last."""
    outcomes = {pair[framework]: pair["outcome"] for pair in group}  # newest first
    runs = [
        [version for version, _ in run]
        for found, run in itertools.groupby(outcomes.items(), key=lambda item: item[1])
        if found == outcome
    ]
    return ", ".join(span(run[-1], run[0]) for run in reversed(runs))


def _from(group: Sequence[Answer]) -> str:
    """Where the two come from: "pypi, and-cuda", "whl/cu126, whl/cu128, and-cuda"."""
    places = dict.fromkeys(_place(pair) for pair in group)
    return ", ".join([*places, *([group[0]["extra"]] if group[0]["extra"] else [])])


def _place(pair: Answer) -> str:
    place = str(pair["index"]).removeprefix("https://download.pytorch.org/")
    is_usual = pair["platform"] in (None, "linux-x86_64")
    return place if is_usual else f"{place} {pair['platform']}"


def _merge_variants(pairs: Iterable[Answer]) -> Iterator[list[Answer]]:
    """Pairs that differ only in the build of torch together."""
    alike: dict[tuple[object, ...], list[Answer]] = {}
    for pair in pairs:
        apart = ("index", "variant", "sources", "versions")
        key = tuple(str(v) for name, v in pair.items() if name not in apart)
        alike.setdefault(key, []).append(pair)
    yield from alike.values()


def _pair_cells(alike: list[Answer]) -> Sequence[str]:
    pair = alike[0]
    builds = [f"{b['torch']} with {b['tensorflow']}" for b in pair["builds"]]
    return (
        _from(alike),
        span_of(pair["python"]),
        pair["outcome"],
        pair["confidence"],
        _short(pair["colliding"]) or ", ".join(builds),
    )


def _short(packages: Sequence[str]) -> str:
    """Names of packages, what many of them share written once."""
    alike: dict[str, list[str]] = {}
    for name in packages:
        found = _NVIDIA.fullmatch(name)
        pattern = f"nvidia {found['cuda']}" if found else ""
        alike.setdefault(pattern, []).append(found["name"] if found else name)
    lists = ((pattern, ", ".join(names)) for pattern, names in alike.items())
    return "; ".join(
        f"{pattern}: {names}" if pattern else names for pattern, names in lists
    )
