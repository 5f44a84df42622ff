"""What wheel file names say: platform, Python, and the floors in platform tags.

File names are the truth about where a release installs: `Requires-Python` has no upper
bound, and an index serves a file by its tags alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from fwdoctor.matrices.index_reader import IndexFile

LINUX = "linux-x86_64"
LINUX_ARM = "linux-aarch64"
WINDOWS = "windows-x86_64"
PLATFORMS = (
    LINUX,
    LINUX_ARM,
    WINDOWS,
    "windows-arm64",
    "macos-arm64",
    "macos-x86_64",
)
_PLATFORM_PATTERNS = {
    LINUX: r"(?:many)?linux.*_x86_64",
    LINUX_ARM: r"(?:many)?linux.*_aarch64",
    WINDOWS: r"win_amd64",
    "windows-arm64": r"win_arm64",
    "macos-arm64": r"macosx_\d+_\d+_arm64",
    "macos-x86_64": r"macosx_\d+_\d+_(?:x86_64|intel)",
}
_CPYTHON = re.compile(r"cp(\d)(\d+)")
_LAST_WITH_M = [3, 7]  # newer Pythons have no `m` in their ABI and refuse cp38-cp38m
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_LEGACY = re.compile(r"(manylinux(?:1|2010|2014))_")
_LEGACY_GLIBC = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelName:
    """One wheel of a release, as its file name describes it."""

    file: IndexFile
    version: Version
    build_tag: str | None
    platform: str
    python: str
    is_free_threaded: bool
    macos_min: str | None
    glibc_tag: str | None  # what the platform tag promises, often too little


def parse_wheels(files: Iterable[IndexFile]) -> tuple[WheelName, ...]:
    """Describe every wheel for a platform fwdoctor knows; other files are left out."""
    return tuple(wheel for item in files for wheel in _parse(item))


def sort_pythons(pythons: Iterable[str]) -> list[str]:
    """Return distinct Python versions, oldest first."""
    return sorted(
        set(pythons), key=lambda text: [int(part) for part in text.split(".")]
    )


def python_key(text: str) -> list[int]:
    """Sort key of a Python version such as 3.12."""
    return [int(part) for part in text.split(".")]


def _parse(item: IndexFile) -> list[WheelName]:
    if not item.filename.endswith(".whl"):
        return []
    try:
        _, version, build, tags = parse_wheel_filename(item.filename)
    except (InvalidWheelFilename, InvalidVersion):
        return []
    described = {
        (platform, python, tag.abi.endswith("t"), _macos_floor(tag.platform))
        for tag in tags
        if (python := _python_of(tag.interpreter))
        and not (tag.abi.endswith("m") and python_key(python) > _LAST_WITH_M)
        and (platform := _platform_of(tag.platform))
    }
    return [
        WheelName(
            file=item,
            version=version,
            build_tag=f"{build[0]}{build[1]}" if build else None,
            platform=platform,
            python=python,
            is_free_threaded=free_threaded,
            macos_min=macos_min,
            glibc_tag=min(
                filter(None, (_glibc_floor(tag.platform) for tag in tags)),
                key=python_key,
                default=None,
            ),
        )
        for platform, python, free_threaded, macos_min in sorted(
            described, key=lambda row: (row[0], python_key(row[1]), row[2])
        )
    ]


def _python_of(interpreter: str) -> str | None:
    match = _CPYTHON.fullmatch(interpreter)
    return f"{match[1]}.{match[2]}" if match else None


def _platform_of(tag: str) -> str | None:
    for platform, pattern in _PLATFORM_PATTERNS.items():
        if re.fullmatch(pattern, tag):
            return platform
    return None


def _macos_floor(tag: str) -> str | None:
    match = _MACOS.match(tag)
    return f"{match[1]}.{match[2]}" if match else None


def _glibc_floor(tag: str) -> str | None:
    match = _MANYLINUX.match(tag)
    if match:
        return f"{match[1]}.{match[2]}"
    legacy = _LEGACY.match(tag)
    return _LEGACY_GLIBC[legacy[1]] if legacy else None
