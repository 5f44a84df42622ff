"""Facts of several parsers on one machine, put together in the order of trust.

Of two values that agree as far as they go the longer is taken («2.3», «2.3.1»); of two
that contradict each other the more trusted one, and a framework that is named in two
versions is two environments: both are kept, apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fwdoctor.intake.gpu_names import find_vendors
from fwdoctor.intake.packages import normalise_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwdoctor.intake.facts import Fact, FactName, Facts, Vendor
    from fwdoctor.model.snapshot import (
        Command,
        Gpu,
        Library,
        Package,
        PciDevice,
        XidEvent,
    )

_VERSIONS: tuple[FactName, ...] = (
    *("torch", "tensorflow", "python", "distribution", "nvcc", "cudnn", "libc_version"),
    *("torch_cuda", "tensorflow_cuda", "cuda_name", "driver"),
)
_FRAMEWORKS: tuple[FactName, ...] = ("torch", "tensorflow")
# Facts of an environment; those of another one are not taken over.
_OF_ENVIRONMENT = ("torch", "tensorflow", "python", "manager", "bits")
# Sources that print what the failing program saw; a GPU they name is there.
_WITNESSES = ("PyTorch message", "TensorFlow log")
_VENDOR_WORDS = ("nvidia", "geforce", "tesla", "quadro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """All facts about one machine and environment, each with its source."""

    values: Mapping[FactName, Fact] = field(default_factory=dict)
    sources: Mapping[FactName, str] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] | None = None
    vendors: tuple[Vendor, ...] = ()
    pci: tuple[PciDevice, ...] = ()
    packages: tuple[Package, ...] = ()
    libraries: tuple[Library, ...] = ()
    xids: tuple[XidEvent, ...] = ()
    commands: tuple[Command, ...] = ()
    env_vars: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Facts, ...] = ()  # sources that name another version

    def get(self, name: FactName) -> str | None:
        """The value of a fact, or None."""
        found = self.values.get(name)
        return found.value if found else None


def merge(all_facts: Sequence[Facts]) -> Merged:
    """One set of facts out of those of several parsers, most trusted first."""
    values: dict[FactName, Fact] = {}
    sources: dict[FactName, str] = {}
    others: list[Facts] = []
    for facts in all_facts:
        is_other = _contradicts(facts, values)
        if is_other:
            others.append(facts)
        for name, fact in facts.values.items():
            if is_other and name.startswith(_OF_ENVIRONMENT):
                continue
            if name not in values:
                values[name], sources[name] = fact, facts.source
            elif name in _VERSIONS and is_longer(fact.value, values[name].value):
                values[name] = fact
    env_vars: dict[str, str] = {}
    for facts in reversed(all_facts):
        env_vars.update(facts.env_vars)
    return Merged(
        values=values,
        sources=sources,
        gpus=_merge_gpus(all_facts),
        vendors=tuple(dict.fromkeys(v for facts in all_facts for v in facts.vendors)),
        pci=next((facts.pci for facts in all_facts if facts.pci), ()),
        packages=_distinct(p for facts in all_facts for p in facts.packages),
        libraries=_libraries(all_facts),
        xids=next((facts.xids for facts in all_facts if facts.xids), ()),
        commands=tuple(c for facts in all_facts for c in facts.commands),
        env_vars=env_vars,
        others=tuple(others),
    )


def _contradicts(facts: Facts, known: Mapping[FactName, Fact]) -> bool:
    """Whether a framework is told here in another version than before."""
    pairs = ((facts.values.get(name), known.get(name)) for name in _FRAMEWORKS)
    return any(a and b and not do_agree(a.value, b.value) for a, b in pairs)


def do_agree(one: str, other: str) -> bool:
    """Whether one version is the other, or the beginning of it."""
    (a, a_label), (b, b_label) = _parts(one), _parts(other)
    shorter = min(len(a), len(b))
    if a[:shorter] != b[:shorter]:
        return False
    return not a_label or not b_label or a_label == b_label


def is_longer(one: str, other: str) -> bool:
    """Whether `one` says the same version as `other`, and more of it."""
    return do_agree(one, other) and len(one) > len(other)


def _parts(version: str) -> tuple[list[str], str]:
    """Numbers without leading zeros: 510.47.3 and 510.47.03 are one driver."""
    public, _, label = version.partition("+")
    return [part.lstrip("0") or "0" for part in public.split(".")], label


def _distinct(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Packages without those of which another says the same and more."""
    by_name: dict[str, list[Package]] = {}
    for package in packages:
        kept = by_name.setdefault(package.name, [])
        twin = next((p for p in kept if _is_same(p, package)), None)
        if twin is None:
            kept.append(package)
        elif _weight(package) > _weight(twin):
            kept[kept.index(twin)] = package
    return tuple(package for kept in by_name.values() for package in kept)


def _is_same(one: Package, other: Package) -> bool:
    """Whether two entries of one name are the same installation."""
    installers = {one.installer, other.installer} - {None}
    if "conda" in installers and len(installers) > 1:
        return False
    return one.version == other.version or not one.version or not other.version


def _weight(package: Package) -> int:
    details = (package.version, package.installer, package.build_string)
    return sum(bool(detail) for detail in details)


def _libraries(all_facts: Sequence[Facts]) -> tuple[Library, ...]:
    found = [library for facts in all_facts for library in facts.libraries]
    unique = {(item.name, item.version, item.path): item for item in found}
    return tuple(unique.values())


def _merge_gpus(all_facts: Sequence[Facts]) -> tuple[Gpu, ...] | None:
    """The first list of GPUs, completed by what later ones say of the same cards."""
    listed = [(facts.source, _own(facts)) for facts in all_facts]
    listed = [(source, found) for source, found in listed if found]
    if not listed:
        return None
    gpus = listed[0][1]
    for source, found in listed[1:]:
        for gpu in found:
            same = [g for g in gpus if _is_same_gpu(g, gpu, len(gpus))]
            for known in same:
                gpus[gpus.index(known)] = _completed(known, gpu)
            if not same and source in _WITNESSES and gpu.name:
                gpus.append(replace(gpu, index=len(gpus)))
    return tuple(gpus)


def _own(facts: Facts) -> list[Gpu]:
    """The NVIDIA GPUs of a source; log lines name DirectML's adapters as well."""
    return [
        gpu
        for gpu in facts.gpus or ()
        if not gpu.name or "nvidia" in gpu.name.lower() or not find_vendors(gpu.name)
    ]


def _is_same_gpu(one: Gpu, other: Gpu, count: int) -> bool:
    a, b = plain_gpu_name(one.name), plain_gpu_name(other.name)
    if not a or not b or (one.name or "").endswith("..."):
        return one.index == other.index or count == 1
    return a == b or a.startswith(b) or b.startswith(a)


def plain_gpu_name(name: str | None) -> str:
    """A GPU's name without its maker, case and blanks, to compare it with others."""
    words = normalise_name((name or "").replace(" ", "-")).split("-")
    return "".join(word for word in words if word not in _VENDOR_WORDS)


def _completed(gpu: Gpu, other: Gpu) -> Gpu:
    """The GPU with what it lacks taken from another description of it."""
    is_cut = not gpu.name or gpu.name.endswith("...")
    return replace(
        gpu,
        name=(other.name or gpu.name) if is_cut else gpu.name,
        compute_capability=gpu.compute_capability or other.compute_capability,
        memory_bytes=gpu.memory_bytes or other.memory_bytes,
        memory_used_bytes=gpu.memory_used_bytes or other.memory_used_bytes,
        compute_mode=gpu.compute_mode or other.compute_mode,
        mig_enabled=other.mig_enabled if gpu.mig_enabled is None else gpu.mig_enabled,
        mig_instances=gpu.mig_instances or other.mig_instances,
        pci_address=gpu.pci_address or other.pci_address,
        error_code=gpu.error_code or other.error_code,
    )
