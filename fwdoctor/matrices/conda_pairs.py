"""Which PyTorch and TensorFlow builds of conda-forge can share one environment.

Inferred from the pins of the two recipes, never resolved. A build asks for its own CUDA
version or a newer one of the same major, and for the libraries below exactly as pinned:
conda-forge pins each of them as finely as its packages differ. A release is rebuilt for
newer pins, so one of its builds may suit where another does not. NumPy never decides:
what is built for NumPy 2 also takes NumPy 1.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from fwdoctor.matrices.pairs import read_recent, write_pairs
from fwdoctor.matrices.record_file import read_record
from fwdoctor.matrices.wheel_names import python_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json = dict[str, Any]

CHANNEL = "conda-forge"
PLATFORMS = ("linux-aarch64", "linux-x86_64")
CUDA = "cuda-version"
LIBRARIES = ("cudnn", "libabseil", "libprotobuf", "nccl")
# Without these two nothing is said. A build that pins no libabseil of its own takes
# the one its libprotobuf was built with, as the other does.
DECIDING = ("cudnn", "libprotobuf")
OUTCOMES = ("clean", "unknown", "conflict")
_FEEDSTOCKS = "cuda-nvcc, cudnn, nccl, abseil-cpp and libprotobuf"
SOURCES = (
    {
        "confidence": "inferred",
        "fields": ["records"],
        "source": "the conda-forge builds and their pins in torch/ and tensorflow/",
    },
    {
        "confidence": "documented",
        "fields": ["records"],
        "source": f"run exports in the recipes of conda-forge's {_FEEDSTOCKS}",
    },
)


def infer_conda_pairs(matrices: Path, *, today: str) -> None:
    """Write `pairs/conda-forge.json`: every pair of releases with CUDA builds there."""
    path = matrices / "pairs" / f"{CHANNEL}.json"
    known = {_key(row): row for row in (read_record(path) or {}).get("records", ())}
    newest = date.fromisoformat(today)
    every_torch = read_recent(matrices, "torch", newest)
    records = []
    for tensorflow in read_recent(matrices, "tensorflow", newest):
        for torch in every_torch:
            for platform in PLATFORMS:
                pair = infer_conda_pair(torch, tensorflow, platform)
                if pair is not None:
                    before = known.get(_key(pair), {})
                    same = {**before, **pair} == before
                    records.append(before if same else {**pair, "retrieved": today})
    write_pairs(path, records, SOURCES)


def infer_conda_pair(torch: Json, tensorflow: Json, platform: str) -> Json | None:
    """Judge two releases by their best builds; None when no Python has both."""
    judged = [
        (*_judge(first, second, platform), first, second)
        for first in _cuda_builds(torch, platform)
        for second in _cuda_builds(tensorflow, platform)
        if _shared_pythons(first, second)
    ]
    if not judged:
        return None
    outcome, colliding, *_ = min(judged, key=lambda item: _rank(item[0], item[1]))
    best = [item[2:] for item in judged if item[0] == outcome]
    pythons = {
        name for first, second in best for name in _shared_pythons(first, second)
    }
    return {
        "torch": torch["version"],
        "tensorflow": tensorflow["version"],
        "extra": None,
        "channel": CHANNEL,
        "platform": platform,
        "python": sorted(pythons, key=python_key),
        "outcome": outcome,
        "colliding": colliding,
        "builds": [
            {"torch": first["build"], "tensorflow": second["build"]}
            for first, second in best
            if outcome == "clean"
        ],
        "confidence": "inferred",
    }


def _judge(first: Json, second: Json, platform: str) -> tuple[str, list[str]]:
    """The best that rebuilds of two builds come to: outcome and what collides."""
    majors = {build["cuda"].partition(".")[0] for build in (first, second)}
    apart = [CUDA] if len(majors) > 1 else []
    found = [
        _compare(one, other, apart)
        for one in _pins(first, platform)
        for other in _pins(second, platform)
    ]
    return min(found, key=lambda item: _rank(*item))


def _compare(
    one: Mapping[str, str], other: Mapping[str, str], apart: list[str]
) -> tuple[str, list[str]]:
    colliding = [
        name
        for name in LIBRARIES
        if name in one.keys() & other.keys() and one[name] != other[name]
    ]
    if apart or colliding:
        return "conflict", [*apart, *colliding]
    is_known = all(name in one and name in other for name in DECIDING)
    return ("clean" if is_known else "unknown"), []


def _rank(outcome: str, colliding: list[str]) -> tuple[int, int]:
    return OUTCOMES.index(outcome), len(colliding)


def _cuda_builds(release: Json, platform: str) -> Iterator[Json]:
    for row in release.get("authored", {}).get("conda", ()):
        if row["channel"] == CHANNEL and row["cuda"] and platform in row["platforms"]:
            yield row


def _pins(build: Json, platform: str) -> list[Json]:
    """The pins of each rebuild on the platform; one empty set where none is known."""
    known = [
        pins
        for pins in build.get("pins", ())
        if platform in pins.get("platforms", build["platforms"])
    ]
    return known or [{}]


def _shared_pythons(first: Json, second: Json) -> set[str]:
    return set(first.get("python", ())) & set(second.get("python", ()))


def _key(record: Mapping[str, Any]) -> tuple[str, str, str]:
    return record["torch"], record["tensorflow"], record["platform"]
