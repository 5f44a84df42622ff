"""What the wheels of one platform ask for, those of all its Pythons together.

The METADATA of a release's wheels can differ by Python: TensorFlow 2.22.0rc0 asks for
one h5py with Python 3.14 and for another one with older Pythons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from fwdoctor.matrices.measurement import Measurement, newest_wheel, pythons_on
from fwdoctor.matrices.requirements_of import parse_requirements
from fwdoctor.matrices.wheel_names import sort_pythons
from fwdoctor.matrices.wheel_reader import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwdoctor.matrices.wheel_names import WheelName
    from fwdoctor.matrices.wheel_reader import RemoteWheel


def read_requirements(wheel: RemoteWheel) -> tuple[Requirement, ...]:
    """Return what one wheel asks for."""
    member = wheel.find_member(r"[^/]+\.dist-info/METADATA")
    return parse_requirements(wheel.read_text(member)) if member else ()


def read_all_requirements(
    opened: RemoteWheel,
    chosen: WheelName,
    wheels: Iterable[WheelName],
    measurement: Measurement,
) -> tuple[Requirement, ...]:
    """Return what the wheels of a platform ask for; one of them is open already.

    Notes the others as a source where they ask for something else.
    """
    found = tuple(wheels)
    of_opened = read_requirements(opened)
    by_python = {chosen.python: of_opened}
    for python in pythons_on(found, chosen.platform):
        alike = [item for item in found if item.python == python]
        other = newest_wheel(alike, chosen.platform)
        if python not in by_python and other is not None:
            text = read_metadata(other.file.url, has_sidecar=other.file.has_metadata)
            by_python[python] = parse_requirements(text)
    joined = join_requirements(by_python)
    if set(map(str, joined)) != set(map(str, of_opened)):
        measurement.add_source(
            f"PyPI metadata of {measurement.facts['framework']} {chosen.version}"
            f" for {chosen.platform}, one wheel a Python",
            ["extras", "numpy.spec", "requires"],
            "metadata",
        )
    return joined


def join_requirements(
    by_python: Mapping[str, Iterable[Requirement]],
) -> tuple[Requirement, ...]:
    """Join what each Python asks for; what not all ask for is marked with who does."""
    pythons = sort_pythons(by_python)
    asking: dict[str, list[str]] = {}
    for python in reversed(pythons):
        for text in dict.fromkeys(map(str, by_python[python])):
            asking.setdefault(text, []).append(python)
    return tuple(
        Requirement(
            text if len(found) == len(pythons) else _marked(text, found, pythons)
        )
        for text, found in asking.items()
    )


def _marked(text: str, asking: Iterable[str], pythons: Sequence[str]) -> str:
    named = _marker_of(sort_pythons(asking), pythons)
    requirement, _, marker = text.partition(";")
    return f"{requirement}; {named} and ({marker})" if marker else f"{text}; {named}"


def _marker_of(asking: list[str], pythons: Sequence[str]) -> str:
    count = len(asking)
    if asking == pythons[:count]:
        return f'python_version < "{pythons[count]}"'
    if asking == pythons[-count:]:
        return f'python_version >= "{asking[0]}"'
    return "(" + " or ".join(f'python_version == "{item}"' for item in asking) + ")"
