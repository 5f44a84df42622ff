"""What is installed beside a framework, and what its metadata asks for.

For the rules on PyTorch (FW404 on) and on Python packages (FW6xx). A requirement is
taken from the installed METADATA; where that was not read, from the release's record.
`packaging` is imported where it is used: most checks need none of it, and it is slow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.fixes import CONDA_MANAGERS, manager_of
from fwdoctor.solve.candidates import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.snapshot import Environment, Framework, Package, Snapshot

CONDA_SOURCES = ("conda-forge", "pytorch", "defaults")
_CUDA_LABEL = re.compile(r"cu(\d{2,3})(?!\d)")
_TORCH_LABEL = re.compile(r"(?:pt|torch)(\d)(?:\.(\d+)(?:\.\d+)*|(\d+))")


def find_installed(environment: Environment | None, name: str) -> Package | None:
    """The installed package of this name; None when absent or when copies differ."""
    packages = (environment.packages if environment else None) or ()
    named = [package for package in packages if package.name == name]
    found = [package for package in named if package.location] or named
    return found[0] if len({package.version for package in found}) == 1 else None


def parse_version(text: str | None) -> Version | None:
    """The version without its local label, or None when it is no version."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version((text or "").partition("+")[0])
    except InvalidVersion:
        return None


def parse_spec(text: str | None) -> SpecifierSet | None:
    """A specifier of a record; None when absent or unreadable."""
    if not text:
        return None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def is_outside(version: Version | None, spec: SpecifierSet | None) -> bool:
    """Whether a known version is surely not what a known specifier asks for."""
    if version is None or spec is None:
        return False
    return not spec.contains(version, prereleases=True)


def has_same_minor(one: Version, other: Version) -> bool:
    """Whether two versions agree up to the minor number."""
    return one.release[:2] == other.release[:2]


def short_spec(spec: SpecifierSet) -> str:
    """A specifier without its exclusions, lower bound first: ">=5.28,<8"."""
    parts = [str(item) for item in spec if item.operator != "!="]
    ordered = sorted(parts, key=lambda part: (part[0] == "<", part))
    return ",".join(part.removesuffix(".dev0").removesuffix("dev") for part in ordered)


def find_asked(
    name: str, package: Package | None, release: Release | None, snapshot: Snapshot
) -> SpecifierSet | None:
    """What is asked of `name`: by the installed METADATA, else by the record."""
    if package is not None and package.requires:
        return asked_for(package, snapshot, prefix=name).get(name)
    text = release.requires.get(name) if release else None
    return parse_spec(text if isinstance(text, str) else None)


def asked_for(
    package: Package | None, snapshot: Snapshot, *, prefix: str = "", extra: str = ""
) -> dict[str, SpecifierSet]:
    """Specifiers by name that the package's own METADATA asks for on this machine.

    `prefix` spares reading requirements whose names begin otherwise.
    """
    if package is None or package.channel is not None or not package.requires:
        return {}  # conda writes requirements in a language of its own
    from fwdoctor.matrices.requirements_of import applies_on, normal_name

    machine = machine_of(snapshot)
    python = machine.python or "3.12"
    asked: dict[str, SpecifierSet] = {}
    for item in _requirements(package.requires, prefix):
        try:
            applies = applies_on(item, machine.platform, python, extra=extra)
        except KeyError:  # a platform that markers of wheels do not name
            return {}
        if applies and item.specifier:
            asked[normal_name(item.name)] = item.specifier
    return asked


def _requirements(lines: Iterable[str], prefix: str) -> Iterator[Requirement]:
    from packaging.requirements import InvalidRequirement, Requirement

    for line in lines:
        if not line.lower().replace("_", "-").startswith(prefix):
            continue
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue


def find_published(
    name: str, framework: Framework, matrices: Matrices
) -> Release | None:
    """The record of an installed wheel; None for conda and other people's builds."""
    if framework.version is None or framework.source in (*CONDA_SOURCES, "other"):
        return None
    return matrices.find_release(name, framework.version)


def find_variant(
    release: Release, framework: Framework, snapshot: Snapshot
) -> Variant | None:
    """Which wheel of the release is installed; None where that is not known for sure.

    PyTorch's indexes are told by the local label; PyPI has one wheel a platform.
    """
    label, platform = framework.local_label, machine_of(snapshot).platform
    is_from_index = framework.source == "pytorch-index" and label is not None
    if not is_from_index and (framework.source != "pypi" or label is not None):
        return None
    wanted = [
        variant
        for variant in release.variants
        if variant.package == (framework.package or release.framework)
        and platform in variant.platforms
        and (variant.index != "pypi") == is_from_index
        and (not is_from_index or variant.variant == label)
    ]
    return wanted[0] if len(wanted) == 1 else None


def is_conda(snapshot: Snapshot) -> bool:
    """Whether the target environment is managed by conda or its relatives."""
    return manager_of(snapshot.target) in CONDA_MANAGERS


def is_imported_fine(framework: Framework) -> bool:
    """Whether the framework was really imported, without a fault."""
    return framework.deep is not None and framework.deep.status == "ok"


def label_of(version: str) -> str:
    """The local label of a version: "cu121" of "0.24.1+cu121"."""
    return version.partition("+")[2].lower()


def cuda_major_of_label(label: str) -> int | None:
    """The CUDA major that a local label names; 0 for a CPU build, None if neither."""
    found = _CUDA_LABEL.search(label)
    if found:
        digits = found[1]
        is_old = len(digits) == 2 and digits[0] > "6"  # cu92 is 9.2, cu12 is 12
        return int(digits[:1] if is_old else digits[:2])
    return 0 if "cpu" in label else None


def torch_minors_of_label(label: str) -> tuple[tuple[int, int], ...]:
    """Readings of the torch release in a label: pt25 and torch2.5 are 2.5.

    pt212 may be 2.12 or 2.1.2, so there can be two.
    """
    found = _TORCH_LABEL.search(label)
    if not found:
        return ()
    major, dotted, digits = found.groups()
    if dotted is not None:
        return ((int(major), int(dotted)),)
    readings = {(int(major), int(digits)), (int(major), int(digits[0]))}
    return tuple(sorted(readings))
