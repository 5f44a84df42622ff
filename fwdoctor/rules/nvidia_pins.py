"""Which NVIDIA wheels an installed framework asks for: for FW612 and FW613."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.rules.installed import (
    CONDA_SOURCES,
    asked_for,
    find_installed,
    find_published,
    parse_spec,
)
from fwdoctor.rules.torch_install import index_of
from fwdoctor.solve.candidates import machine_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.specifiers import SpecifierSet

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot

AND_CUDA = "and-cuda"
# PyTorch's wheels for newer CUDA ask for NVIDIA's metapackage, which has the pins.
METAPACKAGE = "cuda-toolkit"


def find_pins(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> dict[str, SpecifierSet]:
    """NVIDIA wheels by name; the installed metadata first, then the record."""
    if framework.kind != "cuda" or framework.source in CONDA_SOURCES:
        return {}
    package = find_installed(snapshot.target, framework.package or name)
    extra = AND_CUDA if name == "tensorflow" else ""
    asked = asked_for(package, snapshot, extra=extra)
    found = asked or _recorded(name, framework, snapshot, matrices)
    return {key: spec for key, spec in found.items() if _is_nvidia(key)}


def _is_nvidia(name: str) -> bool:
    return name.startswith("nvidia-") or name == METAPACKAGE


def _recorded(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> dict[str, SpecifierSet]:
    """What the release's record says of this build; {} where that is not clear."""
    release = find_published(name, framework, matrices)
    if release is None:
        return {}
    if name == "tensorflow":
        return _parsed(release.extras.get(AND_CUDA, {}))
    platform = machine_of(snapshot).platform
    index = index_of(framework) or "pypi"
    for variant in release.variants:
        is_same = variant.index == index and variant.cuda == framework.cuda
        if is_same and platform in variant.platforms:
            return _parsed(variant.nvidia_pins)
    return {}


def _parsed(pins: Mapping[str, object]) -> dict[str, SpecifierSet]:
    specs = {
        name: parse_spec(text) for name, text in pins.items() if isinstance(text, str)
    }
    return {name: spec for name, spec in specs.items() if spec is not None}
