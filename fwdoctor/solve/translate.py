"""What an old install line asked for, when that was right, and what to type today.

Facts come from the matrices: which releases a channel had for which CUDA, and when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwdoctor.model.plan import CONDA_FAMILY, Plan, Request
from fwdoctor.presence import FRAMEWORK_NAMES
from fwdoctor.solve.candidates import machine_of
from fwdoctor.solve.era import Asked, Era, era_of
from fwdoctor.solve.odd_wish import odd_wish
from fwdoctor.solve.planner import solve
from fwdoctor.solve.requests import COMPANIONS
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.plan import FrameworkName, Manager
    from fwdoctor.model.snapshot import Snapshot
    from fwdoctor.solve.install_line import InstallLine, Item

TORCH = re.compile(r"(?:py)?torch(?:-nightly)?(?:-gpu|-cpu)?|torch-directml")
TENSORFLOW = re.compile(
    r"tensorflow(?:-(?:gpu|cpu|cpu-aws|intel|macos|metal|rocm|directml(?:-plugin)?))?"
    r"|nvidia-tensorflow|tf-nightly(?:-gpu|-cpu)?(?:-2-0-preview)?"
)
_PIN_OF_CUDA = ("cudatoolkit", "pytorch-cuda", "cuda-version", "cuda-toolkit", "cuda")
_CUDA_PACKAGE = re.compile(r"cuda(\d{1,2})(\d)")  # cuda90, cuda100
_LABEL = re.compile(r"(?<![a-z])(cu\d{2,3}|cpu)(?![a-z0-9])")
_CUDA_IN_BUILD = re.compile(r"cuda_?(\d{1,2})\.?(\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The answer to one install line."""

    text: str
    asked: str  # in words
    eras: tuple[Era, ...]
    works: bool | None  # as it stands, on this machine; None: not known
    why: tuple[str, ...]
    plan: Plan  # the equivalent today
    kept: Plan | None = None  # the very releases asked for, where they still work
    notes: tuple[str, ...] = ()


def translate(
    line: InstallLine, snapshot: Snapshot, matrices: Matrices
) -> Translation | None:
    """The translation; None for a line that asks for neither framework."""
    wishes = tuple(_asked(line))
    if not wishes:
        return None
    machine = replace(
        machine_of(snapshot),
        is_conda=line.is_conda,
        python=line.python or machine_of(snapshot).python,
    )
    eras = tuple(era_of(wish, machine, matrices) for wish in wishes)
    works, why = _judged(eras)
    return Translation(
        text=line.text,
        asked=_in_words(line, wishes),
        eras=eras,
        works=works,
        why=why,
        plan=_today(line, wishes, snapshot, matrices),
        kept=None if works else _kept(line, wishes, snapshot, matrices),
        notes=tuple(_notes(line, wishes, matrices)),
    )


def _asked(line: InstallLine) -> Iterator[Asked]:
    """What the line wants of each framework."""
    families: tuple[tuple[FrameworkName, re.Pattern[str]], ...] = (
        ("torch", TORCH),
        ("tensorflow", TENSORFLOW),
    )
    for framework, names in families:
        item = next((item for item in line.items if names.fullmatch(item.name)), None)
        if item is None:
            continue
        label = item.label or _label_of_sources(line)
        odd = odd_wish(line, item)
        is_cpu = item.name.endswith("-cpu") or label == "cpu"
        is_cpu = is_cpu or line.find_item("cpuonly") is not None
        yield Asked(
            framework=framework,
            package=item.name,
            spec=item.spec,
            cuda=None if is_cpu else _cuda(line, item, label),
            is_cpu=is_cpu,
            channels=_channels(line, item),
            sources=line.sources,
            python=line.python,
            is_conda=line.is_conda,
            extras=item.extras,
            odd=odd.what if odd else None,
            is_elsewhere=odd is not None and odd.is_elsewhere,
        )


def _label_of_sources(line: InstallLine) -> str | None:
    """The CUDA variant an index names: …/whl/cu118, pytorch-cu121."""
    if line.is_conda:
        return None
    found = (_LABEL.search(source) for source in line.sources)
    return next((match[1] for match in found if match), None)


def _cuda(line: InstallLine, item: Item, label: str | None) -> CudaVersion | None:
    if label is not None:
        found = re.fullmatch(r"cu(\d{1,2})(\d)", label)
        return CudaVersion(int(found[1]), int(found[2])) if found else None
    named = re.search(_CUDA_IN_BUILD, item.build or "")
    if named:
        return CudaVersion(int(named[1]), int(named[2]))
    for other in line.items if line.is_conda else ():
        package = _CUDA_PACKAGE.fullmatch(other.name)
        if package:
            return CudaVersion(int(package[1]), int(package[2]))
    pin = line.find_item(*_PIN_OF_CUDA)
    numbers = re.search(r"(\d{1,2})\.(\d{1,2})", pin.spec) if pin else None
    return CudaVersion(int(numbers[1]), int(numbers[2])) if numbers else None


def _channels(line: InstallLine, item: Item) -> tuple[str, ...]:
    """Conda channels by the names of our data, in the order searched."""
    if not line.is_conda:
        return ()
    named = [item.channel] if item.channel else list(line.sources)
    known = {"anaconda": "defaults", "main": "defaults"}
    # A mirror's address ends in the channel; "nvidia/label/…" begins with it.
    plain = [
        re.sub(r"/(?:linux|osx|win|noarch)[\w-]*$", "", name.rstrip("/")).split("/")
        for name in named
    ]
    found = [parts[-1] if ":" in parts[0] else parts[0] for parts in plain]
    usual = "defaults" if line.tool == "conda" else "conda-forge"
    channels = [known.get(name, name) for name in found if name] or [usual]
    return tuple(dict.fromkeys(channels))


def _in_words(line: InstallLine, wishes: tuple[Asked, ...]) -> str:
    parts = []
    for wish in wishes:
        title = FRAMEWORK_NAMES[wish.framework]
        version = wish.spec.replace("==", "").replace(".*", "") or "(the newest)"
        build = " for the CPU" if wish.is_cpu else ""
        build = f" for CUDA {wish.cuda}" if wish.cuda else build
        parts.append(f"{title} {version}{build}")
    python = f", Python {line.python}" if line.python else ""
    sources = ", ".join(line.sources)
    where = f" from {sources}" if sources else ""
    tool = "a requirements file" if line.tool == "requirements" else line.tool
    return f"{' and '.join(parts)}{python}, with {tool}{where}"


def _judged(eras: tuple[Era, ...]) -> tuple[bool | None, tuple[str, ...]]:
    """Whether all of it still works here, and why not."""
    why = tuple(reason for era in eras for reason in era.against)
    if why:
        return False, why
    doubts = tuple(reason for era in eras for reason in era.doubts)
    return (None, doubts) if doubts else (True, ())


def _companions(line: InstallLine) -> tuple[str, ...]:
    return tuple(name for name in COMPANIONS if line.find_item(name) is not None)


def _manager(line: InstallLine) -> Manager:
    managers: dict[str, Manager] = {"uv": "uv", "pixi": "pixi"}
    return managers.get(line.tool, "conda" if line.is_conda else "pip")


def _today(
    line: InstallLine,
    wishes: tuple[Asked, ...],
    snapshot: Snapshot,
    matrices: Matrices,
) -> Plan:
    """The equivalent with the same tool, else with the one that has it."""
    request = Request(
        frameworks=tuple(wish.framework for wish in wishes),
        companions=_companions(line),
        manager=_manager(line),
    )
    is_cpu = all(wish.is_cpu for wish in wishes)
    plan = solve(snapshot, matrices, request, is_cpu=is_cpu, is_any_gpu=not is_cpu)
    if plan.outcome == "complete":
        return plan
    other: Manager = "pip" if request.manager in CONDA_FAMILY else "conda"
    elsewhere = solve(
        snapshot,
        matrices,
        replace(request, manager=other),
        is_cpu=is_cpu,
        is_any_gpu=not is_cpu,
    )
    return elsewhere if elsewhere.outcome == "complete" else plan


def _kept(
    line: InstallLine,
    wishes: tuple[Asked, ...],
    snapshot: Snapshot,
    matrices: Matrices,
) -> Plan | None:
    """The releases that were asked for, in an environment that can hold them."""
    if any(wish.odd for wish in wishes):
        return None
    if not all(wish.spec.startswith(("==", "~=")) for wish in wishes):
        return None
    request = Request(
        frameworks=tuple(wish.framework for wish in wishes),
        constraints={wish.framework: wish.spec for wish in wishes},
        companions=_companions(line),
        manager=_manager(line),
    )
    plan = solve(snapshot, matrices, request, is_any_gpu=True)
    return plan if plan.outcome == "complete" else None


def _notes(
    line: InstallLine, wishes: tuple[Asked, ...], matrices: Matrices
) -> Iterator[str]:
    siblings = matrices.raw("tensorflow-siblings.json").get("records", [])
    for wish in wishes:
        row = next((r for r in siblings if r["package"] == wish.package), None)
        if row is not None and not line.is_conda and row.get("state") == "ended":
            instead = row.get("instead")
            then = f"; now it is {instead}" if instead else ""
            last = row.get("last")
            yield f"{wish.package} ended on PyPI with {last}: {row['what']}{then}"
        elif row is not None and wish.odd:
            yield f"{wish.package}: {row['what']}"
    pin = line.find_item("cudatoolkit", "pytorch-cuda")
    if pin is not None:
        yield (
            f"{pin.name} is not used any more: `cuda-version` bounds the CUDA of"
            " conda-forge's builds"
        )
    if "pytorch" in line.sources and line.is_conda:
        last = _last_on("pytorch", matrices)
        if last is not None:
            yield f"the pytorch channel ended with torch {last}"
    if line.unknown:
        yield f"not considered: {', '.join(line.unknown)}"


def _last_on(channel: str, matrices: Matrices) -> str | None:
    """The last release a conda channel has in our data."""
    for version in reversed(matrices.versions("torch")):
        release = matrices.find_release("torch", version)
        if release and any(v.index == channel for v in release.conda):
            return f"{version} ({release.released})"
    return None
