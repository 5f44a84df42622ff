"""NVIDIA wheels that overwrote each other's libraries, from RECORD against the disk.

`nvidia-cudnn-cu12` and `nvidia-cudnn-cu13` (and the nccl, nvshmem, cusparselt pairs)
install the same paths; no installer says so. Nothing is hashed: sizes tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import FileClash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fwdoctor.model.snapshot import Package
    from fwdoctor.probes.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """A shared library as one distribution's RECORD lists it."""

    owner: str
    version: str
    size: int | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Shared libraries of the NVIDIA wheels: full path → who claims it."""

    source: Source
    files: Mapping[str, tuple[RecordedFile, ...]] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)  # path → its folder

    def find_owner(self, path: str) -> RecordedFile | None:
        """The distribution whose copy of `path` is on disk, if that can be told."""
        claims = self.files.get(path, ())
        if len(claims) < 2:
            return claims[0] if claims else None
        size = _size_of(self.source, path)
        fitting = [claim for claim in claims if claim.size == size]
        digests = {claim.digest for claim in fitting}
        return fitting[0] if len(digests) == 1 else None

    def find_claim(self, path: str, cuda_major: int | None) -> RecordedFile | None:
        """The distribution meant for one CUDA major, whoever's copy is on disk."""
        for claim in self.files.get(path, ()):
            if claim.owner.endswith(f"-cu{cuda_major}"):
                return claim
        return self.find_owner(path)


def read_records(source: Source, packages: Sequence[Package]) -> Records:
    """The shared libraries that installed NVIDIA wheels claim."""
    files: dict[str, tuple[RecordedFile, ...]] = {}
    locations: dict[str, str] = {}
    for package in packages:
        if not package.name.startswith("nvidia-") or package.location is None:
            continue
        for path, claim in _read_record(source, package, package.location):
            full = f"{package.location}/{path}"
            files[full] = (*files.get(full, ()), claim)
            locations[full] = package.location
    return Records(source=source, files=files, locations=locations)


def _read_record(
    source: Source, package: Package, location: str
) -> Iterator[tuple[str, RecordedFile]]:
    # Wheels write the folder with underscores, whatever the project calls itself.
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    text = source.find_text(f"{location}/{stem}.dist-info/RECORD") or ""
    for path, digest, size in parse_record(text):
        claim = RecordedFile(
            owner=package.name, version=package.version, size=size, digest=digest
        )
        yield path, claim


def parse_record(text: str) -> Iterator[tuple[str, str, int | None]]:
    """Path, digest and size of every shared library in a RECORD."""
    for line in text.splitlines():
        if ".so" not in line and ".dll" not in line:
            continue
        path, _, rest = line.partition(",")
        digest, _, size = rest.rpartition(",")
        name = path.rpartition("/")[2]
        is_library = ".so." in name or name.endswith((".so", ".dll"))
        if is_library and ".." not in path and "\0" not in path:
            is_number = size.isascii() and size.isdigit() and len(size) < 16
            yield path, digest, int(size) if is_number else None


def find_clashes(records: Records) -> tuple[FileClash, ...]:
    """Libraries two distributions claim with other content, and lost ones."""
    found = []
    for path, claims in sorted(records.files.items()):
        owners = tuple(sorted({claim.owner for claim in claims}))
        size = _size_of(records.source, path)
        has_rivals = len(owners) > 1 and len({claim.digest for claim in claims}) > 1
        if not has_rivals and size is not None:
            continue
        winner = records.find_owner(path) if has_rivals else None
        found.append(
            FileClash(
                path=path.removeprefix(records.locations[path]).lstrip("/"),
                owners=owners,
                winner=winner.owner if winner else None,
                is_missing=size is None,
            )
        )
    return tuple(found)


def _size_of(source: Source, path: str) -> int | None:
    """Size on disk; None only when the file is not there."""
    try:
        return source.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return -1
