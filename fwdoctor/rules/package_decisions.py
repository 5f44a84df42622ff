"""What pip's answer to an install line says: the Python, the platform, or the pin.

«from versions: 2.2.0, …» is what the package index has for one interpreter, so the
list tells the interpreter: its oldest version is the first release that was built for
that Python. «none», or a list of source stubs only, means that no wheel at all fits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fwdoctor.rules.installed import parse_version
from fwdoctor.rules.report_facts import Reading
from fwdoctor.solve.candidates import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.rules.heard import Heard, Told

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*)(?:\[[^\]]*\])?\s*(?:(?P<operator>[=~<>!]{1,3})\s*"
    r"(?P<version>\d[\w.]*)(?:\+(?P<label>\w+))?)?"
)
_FAMILIES = {
    "torch": "torch",
    "tensorflow": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-cpu": "tensorflow",
}
_TORCH_KIN = frozenset({"torchvision", "torchaudio", "torchtext", "xformers"})
_INDEX = re.compile(r"download\.pytorch\.org/whl/(cu\d{2,3})\b")
_VERSION = re.compile(r"\d+(?:\.\w+)+")


class Wanted(NamedTuple):
    """A requirement on a framework, taken apart."""

    framework: str
    package: str
    version: str | None
    label: str | None

    def __str__(self) -> str:
        return f"{self.package} {self.version}" if self.version else self.package


def find_published(
    framework: str, version: str | None, matrices: Matrices
) -> Release | None:
    """The release of a pinned version, however many of its zeros are written."""
    exact = matrices.find_release(framework, version or "")
    wanted = parse_version(version)
    if exact is not None or wanted is None:
        return exact
    same = (v for v in matrices.versions(framework) if parse_version(v) == wanted)
    return matrices.find_release(framework, next(same, ""))


def _would_be_known(wanted: Wanted, matrices: Matrices) -> bool:
    """Whether a release of this version would be in the matrices, had it been made."""
    version = parse_version(wanted.version)
    oldest = parse_version(next(iter(matrices.versions(wanted.framework)), None))
    return version is not None and oldest is not None and version >= oldest


def find_wanted(text: str | None) -> Wanted | None:
    """The framework a requirement asks for, or None for another package."""
    match = _REQUIREMENT.match((text or "").strip().strip("\"'"))
    if match is None:
        return None
    name = match["name"].lower().replace("_", "-")
    framework = _FAMILIES.get(name)
    if framework is None:
        return None
    return Wanted(framework, name, match["version"], match["label"])


def decide_pip_list(told: Told, heard: Heard) -> Reading | None:
    """Other versions are on offer: is it the Python, the platform, or the pin?"""
    wanted = find_wanted(told.message.captures.get("package.requirement"))
    if wanted is None:
        return None
    offered = _offered(told, heard)
    if offered and _are_stubs(offered, wanted.framework, heard.matrices):
        why = f"only source stubs of {wanted.package} are on offer, and no wheel"
        return decide_pip_none(told, heard) or Reading("no-wheel-for-platform", why)
    release = find_published(wanted.framework, wanted.version, heard.matrices)
    if release is None and _would_be_known(wanted, heard.matrices):
        return Reading("wrong-index-or-pin", f"{wanted} was never published")
    if release is None and wanted.version is not None:
        return _beyond_offer(wanted, offered)
    python = python_of(heard.snapshot) or _python_of_list(offered, wanted, heard)
    if release is None:
        return _unpinned(wanted, python) if offered else None
    if python is not None and release.python and python not in release.python:
        return Reading("python-unsupported", _wheels_of(wanted, release, python))
    if wanted.label is not None:
        why = f"the index pip looked at has no build +{wanted.label}"
        return Reading("wrong-index-or-pin", why)
    if not _is_published(release, wanted.package, heard.snapshot):
        return _not_published(wanted, release, heard.snapshot)
    return _beyond_offer(wanted, offered)


def _beyond_offer(wanted: Wanted, offered: list[str]) -> Reading | None:
    """A published release below or above all that this interpreter is offered."""
    known = [version for text in offered if (version := parse_version(text))]
    version = parse_version(wanted.version)
    if version is None or not known:
        return None
    if version < min(known):
        why = f"the offer begins with {min(known)}: this Python is too new for {wanted}"
        return Reading("python-unsupported", why)
    if version > max(known):
        why = f"the offer ends with {max(known)}: this Python is too old for {wanted}"
        return Reading("python-unsupported", why)
    return None


def decide_pip_none(told: Told, heard: Heard) -> Reading | None:
    """No version at all fits: a Python or a platform without wheels."""
    wanted = find_wanted(told.message.captures.get("package.requirement"))
    snapshot = heard.snapshot
    target = snapshot.target
    if target is not None and target.bits == 32:
        return Reading("no-wheel-for-platform", "this Python is a 32-bit one")
    if wanted is None:
        return None
    release = find_published(wanted.framework, wanted.version, heard.matrices)
    python = python_of(snapshot)
    if release is None and _would_be_known(wanted, heard.matrices):
        return Reading("wrong-index-or-pin", f"{wanted} was never published")
    if release is not None and release.python:
        if python and python not in release.python:
            return Reading("python-unsupported", _wheels_of(wanted, release, python))
        label = _unpublished_label(wanted, release, snapshot)
        if label is not None:
            why = f"there is no build +{label} of {wanted}"
            return Reading("wrong-index-or-pin", why)
        if not _is_published(release, wanted.package, snapshot):
            return _not_published(wanted, release, snapshot)
        return None if python else _by_newer_pythons(wanted, release, heard)
    if python is not None and _has_common_platform(snapshot):
        why = f"the index had no wheel of {wanted} for Python {python}"
        return Reading("python-unsupported", why)
    return None


def _unpublished_label(
    wanted: Wanted, release: Release, snapshot: Snapshot
) -> str | None:
    """The CUDA build that the install line asks for, if it was never made."""
    indexes = [
        found[1]
        for command in snapshot.commands
        for text in command.sources
        if (found := _INDEX.search(text))
    ]
    label = wanted.label or (indexes[0] if len(set(indexes)) == 1 else None)
    made = {v.variant for v in release.variants if v.package == wanted.package}
    if label is None or not label.startswith("cu") or not made or label in made:
        return None
    return label


def _by_newer_pythons(wanted: Wanted, release: Release, heard: Heard) -> Reading | None:
    """The Python is not told, and newer ones than the release knows have come since."""
    known = {
        python for r in heard.matrices.releases(wanted.framework) for python in r.python
    }
    newer = [p for p in known if _minor(p) > _minor(release.python[-1])]
    if not newer or not _has_common_platform(heard.snapshot):
        return None
    last = release.python[-1]
    why = f"the last Python with a wheel of {wanted} is {last}, and the index had none"
    return Reading("python-unsupported", why)


def _minor(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split(".") if part.isdigit())


def _unpinned(wanted: Wanted, python: str | None) -> Reading | None:
    if python is None:
        return None
    why = f"what pip offers of {wanted.package} is what Python {python} can have"
    return Reading("python-unsupported", why)


def _wheels_of(wanted: Wanted, release: Release, python: str) -> str:
    first, last = release.python[0], release.python[-1]
    span = first if first == last else f"{first} to {last}"
    return f"{wanted} has wheels for Python {span}; this is Python {python}"


def _not_published(wanted: Wanted, release: Release, snapshot: Snapshot) -> Reading:
    packages = {variant.package for variant in release.variants}
    if wanted.package not in packages:
        why = f"there is no {wanted}; GPU builds of it are named {wanted.framework}"
        return Reading("wrong-index-or-pin", why)
    platform = machine_of(snapshot).platform
    return Reading("no-wheel-for-platform", f"{wanted} has no wheel for {platform}")


def _is_published(release: Release, package: str, snapshot: Snapshot) -> bool:
    """Whether any wheel of the package is for the report's platform."""
    platforms = {
        platform
        for variant in release.variants
        if variant.package == package
        for platform in variant.platforms
    }
    if snapshot.host.os is None:
        return bool(platforms)
    return not platforms.isdisjoint({machine_of(snapshot).platform})


def _has_common_platform(snapshot: Snapshot) -> bool:
    """Linux, Windows or macOS on a processor that every release has wheels for."""
    machine = (snapshot.host.machine or "x86_64").lower()
    return machine in ("x86_64", "amd64") and not snapshot.host.is_tegra


def python_of(snapshot: Snapshot) -> str | None:
    """The report's Python as "3.12"."""
    target = snapshot.target
    parts = ((target.python_version if target else None) or "").split(".")
    return ".".join(parts[:2]) if len(parts) > 1 else None


def _offered(told: Told, heard: Heard) -> list[str]:
    """The versions pip offered, as the message or the command lists them."""
    listed = told.message.captures.get("package.versions_list", "")
    found = _VERSION.findall(listed)
    if found:
        return found
    offers = [command.offered for command in heard.snapshot.commands if command.offered]
    return list(offers[0]) if offers else []


def _are_stubs(offered: Iterable[str], framework: str, matrices: Matrices) -> bool:
    """Whether all that is offered is older than every wheel: source stubs."""
    oldest = parse_version(next(iter(matrices.versions(framework)), None))
    versions = [parse_version(text) for text in offered]
    return oldest is not None and all(v is not None and v < oldest for v in versions)


def _python_of_list(offered: list[str], wanted: Wanted, heard: Heard) -> str | None:
    """The Python whose first release is the oldest version on offer."""
    first = parse_version(offered[0]) if offered else None
    if first is None:
        return None
    seen: set[str] = set()
    for release in heard.matrices.releases(wanted.framework):
        new = [python for python in release.python if python not in seen]
        if release.version == offered[0] or parse_version(release.version) == first:
            return new[-1] if new else None
        seen.update(release.python)
    return None


def decide_conflict(told: Told, heard: Heard) -> Reading | None:
    """A framework was left with a partner that it does not run with."""
    del heard
    captures = told.message.captures
    asker, partner = (
        captures.get(name, "").lower().replace("_", "-")
        for name in ("package.name", "package.partner")
    )
    has = f"{partner} {captures.get('package.partner_version', '')}".strip()
    why = f"{asker} asks for {captures.get('package.requirement', '')}, and has {has}"
    if partner == "protobuf" and _FAMILIES.get(asker) == "tensorflow":
        return Reading("protobuf-abi", why)
    if partner == "torch" and asker in _TORCH_KIN:
        return Reading("companion-mismatch", why)
    return None


def decide_shared_folder(told: Told, heard: Heard) -> Reading | None:
    """Two builds of one library were asked for: the last one written wins."""
    del told
    snapshot = heard.snapshot
    names = {
        package.name
        for package in (snapshot.target.packages if snapshot.target else None) or ()
    }
    for command in snapshot.commands:
        matches = (_REQUIREMENT.match(text) for text in command.requirements)
        names |= {match["name"].lower() for match in matches if match}
    both = {"onnxruntime", "onnxruntime-gpu"}
    if both <= names or heard.has("ort-both-packages"):
        why = "onnxruntime and onnxruntime-gpu share one folder, the last written wins"
        return Reading("duplicate-or-shadowed-install", why)
    return None
