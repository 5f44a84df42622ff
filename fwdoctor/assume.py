"""`--assume FACT=VALUE`: replace facts of a snapshot, visibly.

For machines one is not on: driver=550.54.14 (or a branch, 550), gpu="RTX 4090" (or
several, separated by commas, or none), cuda=12.4, os=linux, python=3.12, glibc=2.31.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import Assumption, Driver, Gpu, LibCuda
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_BRANCH = re.compile(r"[rR]?(\d{3})")


def apply_assumptions(
    snapshot: Snapshot, assumptions: tuple[str, ...], matrices: Matrices
) -> Snapshot:
    """The snapshot with these facts replaced; raises UsageError for a bad one.

    They are taken in the order of `ASSUMABLE`.
    """
    for text in sorted(assumptions, key=_turn):
        fact, found, value = text.partition("=")
        fact = fact.strip().lower()
        if not found or fact not in ASSUMABLE or not value.strip():
            known = ", ".join(sorted(ASSUMABLE))
            raise UsageError(
                "bad-assumption",
                f"--assume {text!r}: not one of {known} followed by =VALUE",
            )
        try:
            snapshot = ASSUMABLE[fact](snapshot, value.strip(), matrices)
        except ValueError as error:
            raise UsageError("bad-assumption", f"--assume {fact}: {error}") from error
    return snapshot


def _turn(text: str) -> int:
    fact = text.partition("=")[0].strip().lower()
    return list(ASSUMABLE).index(fact) if fact in ASSUMABLE else len(ASSUMABLE)


def _noted(
    snapshot: Snapshot, fact: str, value: str, was: object | None
) -> tuple[Assumption, ...]:
    noted = Assumption(fact=fact, value=value, was=None if was is None else str(was))
    return (*snapshot.assumptions, noted)


def _driver(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    version = _driver_version(value, snapshot, matrices)
    spoken = compat.driver_speaks(
        version, matrices, os_name=presence.driver_os(snapshot)
    )
    driver = replace(
        snapshot.driver,
        version=version,
        version_source="assumed",
        cuda_driver_version=spoken,
        kernel_module=version,
        nvml_code=0,
        nvml_version=version,
        nvidia_smi=None,
        libcuda=LibCuda(
            kind="driver", version=version, init_code=0, cuda_driver_version=spoken
        ),
    )
    noted = _noted(snapshot, "driver", str(version), snapshot.driver.version)
    return replace(snapshot, driver=driver, assumptions=noted)


def _driver_version(
    value: str, snapshot: Snapshot, matrices: Matrices
) -> DriverVersion:
    """The version, or for a bare branch the first one that speaks the branch's CUDA."""
    named = _BRANCH.fullmatch(value)
    if not named:
        return DriverVersion.parse(value)
    branch = int(named[1])
    os_name = presence.driver_os(snapshot)
    known = matrices.find_driver_branch(
        DriverVersion.parse(f"{branch}.0"), os_name=os_name
    )
    toolkit = matrices.find_toolkit(known.cuda) if known and known.cuda else None
    first = toolkit.min_driver.get(os_name) if toolkit else None
    if first is None or first.branch != branch:
        raise ValueError(
            f"{value!r} names a branch; give a driver's whole version, as nvidia-smi"
            " prints it"
        )
    return first


def _cuda(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    del matrices
    try:
        spoken = CudaVersion.parse(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a CUDA version such as 12.4") from None
    libcuda = replace(
        snapshot.driver.libcuda or LibCuda(), init_code=0, cuda_driver_version=spoken
    )
    driver = replace(snapshot.driver, cuda_driver_version=spoken, libcuda=libcuda)
    was = snapshot.driver.cuda_driver_version
    return replace(
        snapshot, driver=driver, assumptions=_noted(snapshot, "cuda", value, was)
    )


def _gpu(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    if value.lower() == "none":
        return _without_gpu(snapshot, value)
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise ValueError(f"{value!r} names no GPU")
    gpus = tuple(_gpu_called(i, name, matrices) for i, name in enumerate(names))
    was = ", ".join(gpu.name or "?" for gpu in snapshot.gpus or ()) or None
    driver = snapshot.driver
    if driver.version is None:
        driver = Driver()  # that it is missing was said of another machine
    noted = _noted(snapshot, "gpu", value, was)
    return replace(snapshot, gpus=gpus, driver=driver, assumptions=noted)


def _without_gpu(snapshot: Snapshot, value: str) -> Snapshot:
    was = ", ".join(gpu.name or "?" for gpu in snapshot.gpus or ()) or None
    pci = tuple(d for d in snapshot.pci or () if d.vendor != "nvidia")
    return replace(
        snapshot,
        gpus=(),
        pci=pci,
        driver=Driver(nvml_code=presence.NVML_NO_LIBRARY),
        device_nodes=(),
        assumptions=_noted(snapshot, "gpu", value, was),
    )


def _gpu_called(index: int, name: str, matrices: Matrices) -> Gpu:
    model = matrices.find_typed_gpu(name)
    if model is not None:
        return Gpu(
            index=index, name=model.name, compute_capability=model.compute_capability
        )
    try:
        capability = ComputeCapability.parse(name)
    except ValueError:
        raise ValueError(
            f"no GPU {name!r} in our data; give its compute capability, such as 8.9"
        ) from None
    return Gpu(index=index, name=f"GPU {capability}", compute_capability=capability)


def _os(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    del matrices
    value = value.lower()
    if value not in ("linux", "windows", "macos", "wsl"):
        raise ValueError(f"{value!r} is not linux, windows, macos or wsl")
    host = replace(
        snapshot.host,
        os="linux" if value == "wsl" else value,  # type: ignore[arg-type]  # checked above
        is_wsl=value == "wsl",
    )
    noted = _noted(snapshot, "os", value, snapshot.host.os)
    return replace(snapshot, host=host, assumptions=noted)


def _python(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    del matrices
    if not all(part.isdigit() for part in value.split(".")) or "." not in value:
        raise ValueError(f"{value!r} is not a Python version such as 3.12")
    target = snapshot.target
    if target is None:
        raise ValueError("there is no Python environment to assume it of")
    environments = tuple(
        replace(env, python_version=value) if env is target else env
        for env in snapshot.environments
    )
    noted = _noted(snapshot, "python", value, target.python_version)
    return replace(snapshot, environments=environments, assumptions=noted)


def _glibc(snapshot: Snapshot, value: str, matrices: Matrices) -> Snapshot:
    del matrices
    if not all(part.isdigit() for part in value.split(".")) or "." not in value:
        raise ValueError(f"{value!r} is not a glibc version such as 2.31")
    host = replace(snapshot.host, libc="glibc", libc_version=value)
    noted = _noted(snapshot, "glibc", value, snapshot.host.libc_version)
    return replace(snapshot, host=host, assumptions=noted)


# In the order they are taken: a driver's number is read by the system, and a machine
# that is given a GPU forgets what was said of its lack of a driver.
ASSUMABLE: dict[str, Callable[[Snapshot, str, Matrices], Snapshot]] = {
    "os": _os,
    "gpu": _gpu,
    "driver": _driver,
    "cuda": _cuda,
    "python": _python,
    "glibc": _glibc,
}
