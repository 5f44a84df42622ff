"""What one refresh learnt about a release: facts, and where each came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fwdoctor.matrices.wheel_names import LINUX, python_key, sort_pythons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from packaging.version import Version

    from fwdoctor.matrices.wheel_names import WheelName

Confidence = Literal["measured", "metadata", "documented", "inferred"]
Json = dict[str, Any]


@dataclass(slots=True)
class Measurement:
    """Facts of a release with their sources, filled step by step."""

    facts: Json
    sources: list[Json] = field(default_factory=list)
    plain_fields: list[str] = field(default_factory=list)

    def add_wheel(self, wheel: WheelName, row: Json, fields: Iterable[str]) -> None:
        """Note a wheel that was opened for a variant row.

        Wheels that gave the row alone share one source, to keep records short.
        """
        name = f"variants[{row_name(row)}]"
        others = list(fields)
        if others or "compute_capabilities" in row:
            self.add_source(f"PyPI wheel {wheel.file.filename}", [name, *others])
        else:
            self.plain_fields.append(name)

    def close(self, source: str) -> None:
        """Add the shared source of the wheels that gave nothing but their row."""
        self.add_source(source, self.plain_fields)
        self.plain_fields = []

    def add_source(
        self, source: str, fields: Iterable[str], confidence: Confidence = "measured"
    ) -> None:
        """Note which fields a source supports; nothing is noted for no field."""
        names = sorted(set(fields))
        if names:
            self.sources.append(
                {"fields": names, "source": source, "confidence": confidence}
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much a refresh may download, and where it reports progress."""

    walk_fat_binaries: bool = False
    say: Callable[[str], None] = field(default=lambda _text: None)


def describe_files(
    framework: str, version: Version, wheels: Iterable[WheelName]
) -> Measurement:
    """Return what the file names and upload times of a release tell."""
    found = tuple(wheels)
    linux = [item for item in found if item.platform == LINUX]
    macos = _macos_floors(found)
    facts: Json = {
        "framework": framework,
        "version": str(version),
        "prerelease": version.is_prerelease,
        "released": min((_day(item) for item in found if _day(item)), default=None),
        "yanked": _yank_reason(found),
        "reuploads": _reuploads(found),
        "python": _pythons(linux, free_threaded=False),
        "python_free_threaded": _pythons(linux, free_threaded=True),
        "glibc_tag": max(
            filter(None, (item.glibc_tag for item in linux)),
            key=python_key,
            default=None,
        ),
        "macos_min": min(macos.values(), key=python_key, default=None),
        "macos_min_by_platform": macos,
    }
    measurement = Measurement(facts)
    measurement.add_source(
        f"PyPI file names and upload times of {framework} {version}",
        set(facts) - {"framework", "version"},
    )
    return measurement


def newest_wheel(wheels: Iterable[WheelName], platform: str) -> WheelName | None:
    """Return the wheel to open for a platform: newest GIL Python, newest upload."""
    candidates = [item for item in wheels if item.platform == platform]
    return max(
        candidates,
        key=lambda item: (
            not item.is_free_threaded,
            python_key(item.python),
            item.file.uploaded or "",
            item.file.filename,
        ),
        default=None,
    )


def pythons_on(wheels: Iterable[WheelName], platform: str) -> list[str]:
    """Return the Python versions a platform has GIL wheels for."""
    return _pythons(
        [item for item in wheels if item.platform == platform], free_threaded=False
    )


def merge_platforms(rows: Iterable[Json]) -> list[Json]:
    """Join rows that differ in their platforms alone, in the order they came."""
    joined: list[Json] = []
    for row in rows:
        same = next(
            (item for item in joined if _facts_of(item) == _facts_of(row)), None
        )
        if same is None:
            joined.append({**row, "platforms": list(row["platforms"])})
        else:
            same["platforms"] += row["platforms"]
    return joined


def split_platforms(rows: Iterable[Json]) -> list[Json]:
    """Return one row for each platform: the reverse of `merge_platforms`."""
    return [
        {**row, "platforms": [platform]}
        for row in rows
        for platform in row["platforms"]
    ]


def row_name(row: Json) -> str:
    """Return the name sources use for a variant row of one platform.

    `torch/linux-x86_64` is on PyPI, `@cu126/linux-x86_64` on another index.
    """
    start = row["package"] if row["index"] == "pypi" else f"@{row['variant']}"
    return f"{start}/{row['platforms'][0]}"


def cuda_facts(text: str) -> Json:
    """Return CUDA as major.minor, and the full version where a build tells it."""
    short = ".".join(text.split(".")[:2])
    facts: Json = {"cuda": short, "variant": "cu" + short.replace(".", "")}
    return facts if text == short else {**facts, "cuda_full": text}


def dotted_capability(number: int | str) -> str:
    """Return 86 as 8.6, 120 as 12.0 and 90a as 9.0a."""
    text = str(number)
    digits = text.rstrip("af")
    return f"{digits[:-1]}.{digits[-1]}{text[len(digits) :]}"


def sort_capabilities(values: Iterable[str]) -> list[str]:
    """Return distinct compute capabilities, oldest first."""
    return sorted(set(values), key=lambda text: (python_key(text.rstrip("af")), text))


def _facts_of(row: Json) -> Json:
    return {key: value for key, value in row.items() if key != "platforms"}


def _pythons(wheels: Iterable[WheelName], *, free_threaded: bool) -> list[str]:
    return sort_pythons(
        item.python for item in wheels if item.is_free_threaded is free_threaded
    )


def _day(wheel: WheelName) -> str:
    return (wheel.file.uploaded or "")[:10]


def _yank_reason(wheels: Iterable[WheelName]) -> str | None:
    reasons = [item.file.yanked for item in wheels]
    if not reasons or any(reason is None for reason in reasons):
        return None
    return next((reason for reason in reasons if reason), "no reason given")


def _macos_floors(wheels: Iterable[WheelName]) -> Json:
    floors: dict[str, list[str]] = {}
    for item in wheels:
        if item.macos_min:
            floors.setdefault(item.platform, []).append(item.macos_min)
    return {key: min(values, key=python_key) for key, values in sorted(floors.items())}


def _reuploads(wheels: Iterable[WheelName]) -> list[Json]:
    tagged: dict[str, list[WheelName]] = {}
    for item in wheels:
        if item.build_tag:
            tagged.setdefault(item.build_tag, []).append(item)
    return [
        {
            "build_tag": tag,
            "date": min(_day(item) for item in items),
            "what": f"new files for {', '.join(sorted({w.platform for w in items}))}",
        }
        for tag, items in sorted(tagged.items())
    ]
