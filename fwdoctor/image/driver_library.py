"""A libcuda in the image that LD_LIBRARY_PATH puts before the host's driver.

The container runtime mounts the driver's libcuda into a system folder, which the
loader searches after LD_LIBRARY_PATH. Only what fails on every host is reported.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.model.snapshot import LibCuda
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.image.facts import Reach
    from fwdoctor.probes.source import Source

STUB_RULE, COMPAT_RULE = "FW107", "FW112"
_SONAME = "libcuda.so.1"
_VERSION = re.compile(r"libcuda\.so\.(\d+\.\d[\d.]*)")


def find_first_libcuda(source: Source, search_path: str) -> LibCuda | None:
    """The libcuda of the image that this LD_LIBRARY_PATH finds first; None: none."""
    for folder in search_path.split(":"):
        path = posixpath.join(folder, _SONAME)
        if not folder.startswith("/") or not source.exists(path):
            continue
        real = source.resolve(path)
        found = _VERSION.fullmatch(posixpath.basename(real))
        places = (path, real)
        if any("stubs" in place.split("/") for place in places):
            return LibCuda(path=path, kind="stub")
        return LibCuda(
            path=path,
            kind="compat" if any("/compat" in p for p in places) else "unknown",
            version=DriverVersion.parse(found[1]) if found else None,
        )
    return None


def iter_problems(
    libcuda: LibCuda | None, search_path: str, reach: Iterable[Reach]
) -> Iterator[tuple[str, Problem]]:
    """What no host can make good, with the code of the rule that explains it."""
    if libcuda is None or libcuda.path is None:
        return
    fix = (_without(posixpath.dirname(libcuda.path), search_path),)
    proof = (Evidence(fact="libcuda", value=libcuda.path, source="LD_LIBRARY_PATH"),)
    rows = tuple(row for row in reach if row.min_driver is not None)
    if libcuda.kind == "stub":
        yield (
            STUB_RULE,
            Problem(
                subject="driver",
                message=f"the loader takes the CUDA toolkit's stub libcuda"
                f" ({libcuda.path}), not the driver's",
                detail="a stub is for linking only: every call to it fails",
                evidence=proof,
                fix=fix,
                blocks=tuple({row.framework: None for row in rows}),
            ),
        )
    if libcuda.kind != "compat" or libcuda.version is None:
        return
    for row in rows:
        if row.min_driver is None or libcuda.version >= row.min_driver:
            continue
        yield (
            COMPAT_RULE,
            Problem(
                subject="driver",
                message=f"the forward-compatibility libcuda {libcuda.version} comes"
                f" before the driver's, and {row.product} needs {row.min_driver}",
                detail="on a newer driver it keeps CUDA from starting, on an older one"
                f" CUDA {row.cuda} is not served",
                evidence=proof,
                fix=fix,
                blocks=(row.framework,),
            ),
        )


def _without(folder: str, search_path: str) -> Fix:
    kept = [f for f in search_path.split(":") if f and f.rstrip("/") != folder]
    return Fix(
        effort="environment",
        why=f"take {folder} out of LD_LIBRARY_PATH where the image sets it:"
        f" ENV LD_LIBRARY_PATH={':'.join(kept)}",
    )
