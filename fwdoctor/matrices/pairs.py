"""Which PyTorch and TensorFlow releases can share one environment.

Wheels: first inferred from the measured pins: a package both pin apart is a conflict,
and NVIDIA packages for two CUDA majors that own the same files are a clobber, which no
installer notices. Then resolved by `uv`, where it is there, and marked as measured.
What conda-forge builds is judged in `conda_pairs.py`.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fwdoctor.matrices.record_file import read_record, write_text
from fwdoctor.matrices.wheel_names import LINUX, python_key
from fwdoctor.process import run_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

Json = dict[str, Any]

EXTRA = "and-cuda"
YEARS = 3
# Wheels of these names unpack into one folder whatever CUDA major they are for.
SHARED_FOLDERS = ("nvidia-cudnn", "nvidia-nccl", "nvidia-nvshmem", "nvidia-cusparselt")
JUDGED_BY = ("cudnn", "nccl")
# Packages whose version begins with that of their CUDA toolkit.
FOLLOW_THE_TOOLKIT = ("nvidia-cuda-runtime", "nvidia-cuda-nvrtc", "nvidia-nvjitlink")
UV_PLATFORM = "x86_64-manylinux_2_28"
RESOLVE_TIMEOUT_S = 180.0
INFERRED = {
    "confidence": "inferred",
    "fields": ["records"],
    "source": "the pins in torch/ and tensorflow/",
}
RESOLVED = {
    "confidence": "measured",
    "fields": ["records"],
    "source": "uv pip compile over PyPI, wheels only, Linux x86_64, glibc 2.28",
}
_CUDA_SUFFIX = re.compile(r"-cu\d+$")
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)", re.MULTILINE)
_NETWORK_FAILURE = re.compile(
    r"error sending request|Failed to fetch|timed out", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one release asks for in an environment, by package name."""

    framework: str
    version: str
    pythons: tuple[str, ...]
    specs: Mapping[str, str]


def refresh_pairs(matrices: Path, *, today: str, say: Callable[[str], None]) -> None:
    """Bring `pairs/pypi.json` up to date: infer every pair, then resolve, newest first.

    It can be stopped at any time; the next run goes on with what is unresolved.
    """
    path = matrices / "pairs" / "pypi.json"
    records = {_key(row): row for row in (read_record(path) or {}).get("records", ())}
    for record in _infer_all(matrices, date.fromisoformat(today)):
        before = records.get(_key(record))
        if before is None or before["confidence"] == "inferred":
            same = before is not None and before == {**before, **record}
            records[_key(record)] = before if same else {**record, "retrieved": today}
    write_pairs(path, records.values())
    if shutil.which("uv") is None:
        say("no `uv` on PATH: pairs that are inferred stay so")
        return
    for key in sorted(records, key=lambda key: _order(records[key]), reverse=True):
        if records[key]["confidence"] == "inferred":
            say(f"pair {key}")
            resolved = resolve_pair(records[key])
            if resolved is not None:
                records[key] = {**resolved, "retrieved": today}
                write_pairs(path, records.values())


def infer_index_pairs(matrices: Path, *, today: str) -> None:
    """Write `pairs/pytorch-index.json`: builds of PyTorch's own index, by their pins.

    Only builds whose cuDNN and NCCL pins are known are judged.
    """
    path = matrices / "pairs" / "pytorch-index.json"
    known = {_key(row): row for row in (read_record(path) or {}).get("records", ())}
    newest = date.fromisoformat(today)
    records = {}
    for tensorflow in _read_asked(matrices, "tensorflow", newest, EXTRA):
        for torch in _read_asked(matrices, "torch", newest, None):
            for row in _index_rows(matrices, torch):
                pair = infer_pair(_with_pins(torch, row), tensorflow, EXTRA)
                if pair is not None:
                    pair |= {key: row[key] for key in ("index", "variant")}
                    before = known.get(_key(pair), {})
                    same = {**before, **pair} == before
                    records[_key(pair)] = (
                        before if same else {**pair, "retrieved": today}
                    )
    write_pairs(path, records.values(), (INFERRED,))


def _index_rows(matrices: Path, torch: Asked) -> list[Json]:
    record = read_record(matrices / "torch" / f"{torch.version}.json") or {}
    return [
        row
        for row in record.get("authored", {}).get("variants", ())
        if row.get("cuda")
        and LINUX in row["platforms"]
        and len(row.get("nvidia_pins", ())) >= len(JUDGED_BY)
    ]


def _with_pins(torch: Asked, row: Json) -> Asked:
    """Ask for the pins of one build; its CUDA minor stands for the pins not known."""
    others = {
        name: spec
        for name, spec in torch.specs.items()
        if not _CUDA_SUFFIX.search(name)
    }
    suffix = f"cu{row['cuda'].split('.')[0]}"
    toolkit = {f"{name}-{suffix}": f"=={row['cuda']}.*" for name in FOLLOW_THE_TOOLKIT}
    return Asked(
        framework=torch.framework,
        version=torch.version,
        pythons=tuple(row.get("python", torch.pythons)),
        specs={**others, **toolkit, **row["nvidia_pins"]},
    )


def _infer_all(matrices: Path, newest: date) -> Iterator[Json]:
    every_torch = _read_asked(matrices, "torch", newest, None)
    for extra in (EXTRA, None):
        for tensorflow in _read_asked(matrices, "tensorflow", newest, extra):
            for torch in every_torch:
                record = infer_pair(torch, tensorflow, extra)
                if record is not None:
                    yield record


def infer_pair(torch: Asked, tensorflow: Asked, extra: str | None) -> Json | None:
    """Judge a pair from the pins alone; None when no Python has wheels of both."""
    shared = sorted(set(torch.pythons) & set(tensorflow.pythons), key=python_key)
    if not shared:
        return None
    conflicts = find_conflicts(torch.specs, tensorflow.specs)
    clobbers = find_clobbers(torch.specs, tensorflow.specs)
    outcome = "conflict" if conflicts else "clobber" if clobbers else "clean"
    return {
        "torch": torch.version,
        "tensorflow": tensorflow.version,
        "extra": extra,
        "platform": LINUX,
        "python": shared,
        "outcome": outcome,
        "colliding": conflicts or clobbers,
        "confidence": "inferred",
    }


def find_conflicts(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Return the packages of which no version suits both."""
    return sorted(
        name
        for name in first.keys() & second.keys()
        if not _can_agree(SpecifierSet(first[name]), SpecifierSet(second[name]))
    )


def find_clobbers(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Return NVIDIA packages of two CUDA majors that own the same files."""
    clobbering: set[str] = set()
    for one in first:
        for other in second:
            folder = _CUDA_SUFFIX.sub("", one)
            if (
                one != other
                and folder in SHARED_FOLDERS
                and folder == _CUDA_SUFFIX.sub("", other)
            ):
                clobbering |= {one, other}
    return sorted(clobbering)


def resolve_pair(record: Mapping[str, Any]) -> Json | None:
    """Return the record as `uv` resolves it; None when `uv` cannot tell."""
    extra = f"[{record['extra']}]" if record["extra"] else ""
    python = record["python"][-1]
    wanted = f"torch=={record['torch']}\ntensorflow{extra}=={record['tensorflow']}\n"
    answer = run_child(
        [
            *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
            *("--only-binary", ":all:", "--python-version", python),
            *("--python-platform", UV_PLATFORM, "-"),
        ],
        timeout_s=RESOLVE_TIMEOUT_S,
        stdin=wanted.encode(),
    )
    if answer.status != "exited" or _NETWORK_FAILURE.search(answer.stderr):
        return None
    resolved = {**record, "confidence": "measured", "resolved_for": python}
    if answer.is_success:
        versions = dict(_REQUIREMENT.findall(answer.stdout))
        return resolved | _judge_resolution(versions)
    named = sorted(set(re.findall(r"\b(nvidia-[\w-]+|tensorrt[\w-]*)", answer.stderr)))
    is_inferred = record["outcome"] == "conflict"
    return resolved | {
        "outcome": "conflict",
        "colliding": record["colliding"] if is_inferred else named,
    }


def _judge_resolution(versions: Mapping[str, str]) -> Json:
    shared = {
        name: version
        for name, version in sorted(versions.items())
        if _CUDA_SUFFIX.sub("", name) in SHARED_FOLDERS or name in ("numpy", "protobuf")
    }
    clobbers = find_clobbers(shared, shared)
    outcome = "clobber" if clobbers else "clean"
    return {"outcome": outcome, "colliding": clobbers, "versions": shared}


def _read_asked(
    matrices: Path, framework: str, newest: date, extra: str | None
) -> list[Asked]:
    return [
        _asked(record, extra)
        for record in read_recent(matrices, framework, newest)
        if extra is None or extra in record["extras"]
    ]


def read_recent(matrices: Path, framework: str, newest: date) -> list[Json]:
    """Read the final releases of the last years, oldest first."""
    first = (newest - timedelta(days=365 * YEARS)).isoformat()
    records = [
        read_record(path) or {} for path in (matrices / framework).glob("*.json")
    ]
    return sorted(
        (
            record
            for record in records
            if not record["prerelease"] and (record["released"] or "") >= first
        ),
        key=lambda record: Version(record["version"]),
    )


def _asked(record: Json, extra: str | None) -> Asked:
    specs = {**_plain(record["requires"])}
    for row in record["variants"]:
        if row["package"] == record["framework"] and LINUX in row["platforms"]:
            specs |= row.get("nvidia_pins", {})
    if extra is not None:
        specs |= _plain(record["extras"][extra])
    return Asked(
        framework=record["framework"],
        version=record["version"],
        pythons=tuple(record["python"]),
        specs=specs,
    )


def _plain(requirements: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Keep what is asked for everywhere: a specifier without a marker."""
    return {
        name: spec
        for name, spec in requirements.items()
        if isinstance(spec, str) and ";" not in spec
    }


def _can_agree(first: SpecifierSet, second: SpecifierSet) -> bool:
    """Whether some version suits both: tried at every bound and just beside it."""
    both = first & second
    bounds = {item.version.removesuffix(".*") for item in both}
    beside = {f"{bound}{suffix}" for bound in bounds for suffix in ("", ".1", ".dev0")}
    return not bounds or any(both.contains(text, prereleases=True) for text in beside)


def _key(record: Mapping[str, Any]) -> str:
    variant = record.get("variant", "")
    return (
        f"{record['torch']} {record['tensorflow']} {record['extra']} {variant}".strip()
    )


def _order(record: Mapping[str, Any]) -> tuple[Version, Version, str, str, str]:
    return (
        Version(record["torch"]),
        Version(record["tensorflow"]),
        record["extra"] or "",
        record.get("variant", ""),
        record["platform"],
    )


def write_pairs(
    path: Path,
    records: Iterable[Json],
    sources: tuple[Json, ...] = (RESOLVED, INFERRED),
) -> None:
    """Write a file of pairs: one record a line, in order of version."""
    lines = [
        json.dumps(item, sort_keys=True, ensure_ascii=False)
        for item in sorted(records, key=_order)
    ]
    body = ",\n    ".join(lines)
    listed = json.dumps(sources, sort_keys=True)
    text = f'{{\n  "records": [\n    {body}\n  ],\n  "sources": {listed}\n}}\n'
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
