"""`--target`: a machine one is not on, written down in one line.

"gpu=RTX 5090,driver=580.65.06,os=linux,python=3.12" gives the snapshot of a healthy
machine with these facts and nothing else. A part without "=" belongs to the fact
before it ("gpu=Tesla T4,Tesla V100"); the first one alone is a GPU ("T4,driver=535").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.assume import ASSUMABLE, apply_assumptions
from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import Driver, Environment, Host, Snapshot
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices

MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64"}
MACHINES["arm64"] = "aarch64"
KNOWN = (*ASSUMABLE, "arch")
_NO_GPU = ("none", "no", "cpu")


def parse_target(
    text: str, matrices: Matrices, *, created_at: str | None = None
) -> Snapshot:
    """The machine in `text`; raises UsageError naming what is not understood."""
    facts = _facts(text)
    snapshot = _blank(facts, created_at)
    for fact in ASSUMABLE:
        value = facts.get(fact)
        if value is None or (fact == "gpu" and value.lower() in _NO_GPU):
            continue
        snapshot = _with_fact(snapshot, fact, value, matrices)
    if _is_gpuless(facts):  # a driver without a GPU is no machine for CUDA builds
        snapshot = replace(snapshot, driver=Driver())
    return replace(snapshot, assumptions=(), origin="file")


def _is_gpuless(facts: dict[str, str]) -> bool:
    return facts.get("gpu", "").lower() in _NO_GPU


def _facts(text: str) -> dict[str, str]:
    facts: dict[str, str] = {}
    last = "gpu"
    for part in text.split(","):
        name, found, value = part.partition("=")
        if found:
            last = _known(name.strip().lower(), text)
            if last in facts:
                raise _bad(text, f"{last} is given twice")
            facts[last] = value.strip()
        elif part.strip():
            before = f"{facts[last]}, " if last in facts else ""
            facts[last] = f"{before}{part.strip()}"
    if not facts:
        raise _bad(text, "it says nothing")
    return facts


def _known(name: str, text: str) -> str:
    if name not in KNOWN:
        raise _bad(text, f"{name!r} is not one of {', '.join(KNOWN)}")
    return name


def _bad(text: str, problem: str) -> UsageError:
    return UsageError(
        "bad-target",
        f"--target {text!r}: {problem}",
        hint='write it as "gpu=RTX 4090,driver=550.54.14,python=3.12"',
    )


def _blank(facts: dict[str, str], created_at: str | None) -> Snapshot:
    arch = facts.get("arch", "x86_64").lower()
    if arch not in MACHINES:
        raise _bad(f"arch={arch}", f"not one of {', '.join(MACHINES)}")
    python = facts.get("python")
    environment = Environment(prefix="", python_version=python, is_target=True)
    is_gpuless = _is_gpuless(facts)
    return Snapshot(
        created_at=created_at,
        host=Host(os="linux", machine=MACHINES[arch]),
        driver=Driver(),
        gpus=() if is_gpuless else None,
        pci=() if is_gpuless else None,
        environments=(environment,) if python is not None else (),
    )


def _with_fact(
    snapshot: Snapshot, fact: str, value: str, matrices: Matrices
) -> Snapshot:
    if fact == "driver" and value.isdigit():
        return _with_branch(snapshot, value, matrices)
    try:
        found = apply_assumptions(snapshot, (f"{fact}={value}",), matrices)
    except UsageError as error:
        problem = error.message.removeprefix("--assume ")
        raise UsageError(
            "bad-target", f"--target: {problem}", hint=error.hint
        ) from None
    if fact == "driver" and found.driver.cuda_driver_version is None:
        raise _bad(f"driver={value}", "no such driver branch in our data")
    return found


def _with_branch(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    """A driver branch alone, "535": what it speaks is known, its number is not."""
    found = _with_fact(snapshot, "driver", f"{value}.0", matrices)
    version = DriverVersion((int(value),), value)
    libcuda = found.driver.libcuda
    driver = replace(
        found.driver,
        version=version,
        kernel_module=version,
        nvml_version=version,
        libcuda=replace(libcuda, version=version) if libcuda else None,
    )
    return replace(found, driver=driver)
