"""Which torchvision, torchaudio, keras and tf-keras releases belong to a release.

A companion whose requirement has an end (`==2.9.1`, `>=2.21,<2.22`) belongs to the
releases it admits. One that only asks for a floor, and is newer than all of those,
belongs to the releases it was there for that have none of their own.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from fwdoctor.matrices.requirements_of import (
    normal_name,
    parse_requirements,
    split_extras,
)
from fwdoctor.matrices.wheel_reader import read_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from fwdoctor.matrices.index_reader import IndexFile

BOUNDING = frozenset({"==", "===", "~=", "<", "<="})
GRACE = timedelta(days=14)  # a companion may come out this long after its framework


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A companion release and what it asks of its framework."""

    version: Version
    uploaded: str
    spec: SpecifierSet | None
    filename: str

    @property
    def is_bound(self) -> bool:
        """Whether it is made for one release or series: the requirement has an end."""
        return any(item.operator in BOUNDING for item in self.spec or ())

    def is_made_for(self, version: Version) -> bool:
        """Whether it is made for this release and not just newer than it."""
        return self.is_bound and bool(
            self.spec and self.spec.contains(version, prereleases=True)
        )


def read_companions(
    files: Iterable[IndexFile],
    framework: str,
    *,
    say: Callable[[str], None],
) -> tuple[Companion, ...]:
    """Read what each final release of a companion project asks of its framework."""
    chosen = {
        version: item
        for item, version in sorted(_iter_wheels(files), key=_reading_order)
        if not version.is_prerelease and item.yanked is None
    }
    companions = []
    for version, item in sorted(chosen.items()):
        say(f"    {item.filename}")
        metadata = read_metadata(item.url, has_sidecar=item.has_metadata)
        companions.append(
            Companion(
                version=version,
                uploaded=(item.uploaded or "")[:10],
                spec=_asked_of(framework, metadata),
                filename=item.filename,
            )
        )
    return tuple(companions)


def companions_of(
    version: Version, released: str | None, companions: Iterable[Companion]
) -> list[str]:
    """Return the companion versions that belong to a release, oldest first."""
    known = tuple(companions)
    bound = sorted(item.version for item in known if item.is_made_for(version))
    if bound:
        return [str(item) for item in bound]
    newest_bound = max((item.version for item in known if item.is_bound), default=None)
    open_ended = [
        item.version
        for item in known
        if (newest_bound is None or item.version > newest_bound)
        and _is_out_for(released, item.uploaded)
        and (item.spec is None or item.spec.contains(version, prereleases=True))
    ]
    return [str(max(open_ended))] if open_ended else []


def _iter_wheels(files: Iterable[IndexFile]) -> Iterator[tuple[IndexFile, Version]]:
    for item in files:
        if item.filename.endswith(".whl"):
            with suppress(InvalidWheelFilename):
                yield item, parse_wheel_filename(item.filename)[1]


def _reading_order(wheel: tuple[IndexFile, Version]) -> tuple[bool, str]:
    """Sort Linux x86_64 wheels last: some others were built without their pin."""
    filename = wheel[0].filename
    return bool(re.search(r"linux.*x86_64", filename)), filename


def _is_out_for(released: str | None, uploaded: str) -> bool:
    if not released or not uploaded:
        return False
    return uploaded <= (date.fromisoformat(released) + GRACE).isoformat()


def _asked_of(framework: str, metadata: str) -> SpecifierSet | None:
    base, _ = split_extras(parse_requirements(metadata))
    specs = [item.specifier for item in base if normal_name(item.name) == framework]
    return specs[0] if specs else None
