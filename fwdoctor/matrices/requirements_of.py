"""Requirements of a wheel, reduced to what a doctor compares.

Works on the text of METADATA; nothing is read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Spec = str | list[str]

_MARKER_SYSTEMS = {
    "linux": {"platform_system": "Linux", "sys_platform": "linux", "os_name": "posix"},
    "windows": {
        "platform_system": "Windows",
        "sys_platform": "win32",
        "os_name": "nt",
    },
    "macos": {
        "platform_system": "Darwin",
        "sys_platform": "darwin",
        "os_name": "posix",
    },
}
_MARKER_MACHINES = {
    "windows-x86_64": "AMD64",
    "windows-arm64": "ARM64",
}
_EXTRA_TERM = re.compile(r"(?:\s+and\s+)?extra\s*==\s*[\"'][\w.-]+[\"']")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([\w.-]+)[\"']")


def parse_requirements(metadata: str) -> tuple[Requirement, ...]:
    """Return every readable `Requires-Dist` of a METADATA text."""
    from email.parser import HeaderParser  # slow to import, and rules need none of it

    requirements = []
    for line in HeaderParser().parsestr(metadata).get_all("Requires-Dist", []):
        try:
            requirements.append(Requirement(line))
        except InvalidRequirement:  # some old wheels are not PEP 508
            continue
    return tuple(requirements)


def split_extras(
    requirements: Iterable[Requirement],
) -> tuple[tuple[Requirement, ...], dict[str, tuple[Requirement, ...]]]:
    """Part requirements into those of the package itself and those of each extra."""
    base: list[Requirement] = []
    extras: dict[str, tuple[Requirement, ...]] = {}
    for item in requirements:
        match = _EXTRA.search(str(item.marker or ""))
        if match:
            extras[match[1]] = (*extras.get(match[1], ()), item)
        else:
            base.append(item)
    return tuple(base), extras


def applies_on(
    requirement: Requirement, platform: str, python: str, *, extra: str = ""
) -> bool:
    """Whether a requirement is asked for on this platform and Python."""
    if requirement.marker is None:
        return True
    system, machine = platform.split("-", 1)
    environment = {
        **_MARKER_SYSTEMS[system],
        "platform_machine": _MARKER_MACHINES.get(platform, machine),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": extra,
    }
    return requirement.marker.evaluate(environment)


def pins_on(
    requirements: Iterable[Requirement], platform: str, pythons: Sequence[str]
) -> dict[str, str]:
    """Return the specifiers asked for on this platform by any of these Pythons."""
    return {
        normal_name(item.name): spec_text(item)
        for item in requirements
        if any(applies_on(item, platform, python) for python in pythons)
    }


def specs_by_name(requirements: Iterable[Requirement]) -> dict[str, Spec]:
    """Return specifiers by name, without those that take any version.

    A name that comes repeatedly has a list of specifiers, each with its marker.
    """
    grouped: dict[str, list[Requirement]] = {}
    for item in requirements:
        if not item.specifier:
            continue
        grouped.setdefault(normal_name(item.name), []).append(item)
    return {
        name: (
            _text_of(items[0])
            if len(items) == 1
            else [_text_of(item) for item in items]
        )
        for name, items in sorted(grouped.items())
    }


def spec_of(requirements: Iterable[Requirement], name: str) -> Spec | None:
    """Return what is asked of one package: "" for any version, None when nothing."""
    found = [item for item in requirements if normal_name(item.name) == name]
    return specs_by_name(found).get(name, _text_of(found[0])) if found else None


def gpu_extras(
    extras: Mapping[str, Iterable[Requirement]],
) -> dict[str, dict[str, Spec]]:
    """Return the extras that bring GPU libraries, with what each asks for."""
    described = {name: specs_by_name(items) for name, items in sorted(extras.items())}
    return {
        name: specs
        for name, specs in described.items()
        if any(item.startswith("nvidia-") for item in specs)
    }


def _text_of(requirement: Requirement) -> str:
    marker = _EXTRA_TERM.sub("", str(requirement.marker or "")).strip()
    return f"{spec_text(requirement)}; {marker}" if marker else spec_text(requirement)


def spec_text(requirement: Requirement) -> str:
    """Return the specifier with its lower bound first, "" when any version will do."""
    parts = str(requirement.specifier).split(",") if requirement.specifier else []
    return ",".join(
        sorted(parts, key=lambda part: (part[0] == "!", part[0] == "<", part))
    )


def normal_name(name: str) -> str:
    """Return a project name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()
