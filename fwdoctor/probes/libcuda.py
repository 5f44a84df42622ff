"""The CUDA driver library: which file the loader takes, and what cuInit answers.

Asked with the user's own variables, because that answer is what a framework sees; asked
a second time without CUDA_VISIBLE_DEVICES where that is set.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import Gpu, LibCuda
from fwdoctor.probes.ld_cache import read_ld_cache
from fwdoctor.probes.native import (
    NATIVE_TIMEOUT_S,
    capability_of,
    cuda_version_of,
    file_version,
    find_number,
    find_records,
    find_text,
    finish_native,
    path_below,
    start_native,
)
from fwdoctor.probes.runner import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fwdoctor.probes.source import Source
    from fwdoctor.process import Child
    from fwdoctor.versions import DriverVersion

Kind = Literal["driver", "compat", "stub", "wsl", "tegra", "unknown"]
STUB_LIBRARY = 34  # cuInit: CUDA_ERROR_STUB_LIBRARY
SCRIPT = "libcuda_child.py"
VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
# Where a driver library may lie that the loader does not find by itself.
DRIVER_FOLDERS = (
    "/usr/lib/wsl/lib",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/usr/lib/aarch64-linux-gnu/nvidia",
)
# Inside a toolkit: forward compatibility, and stubs for linking without a driver.
TOOLKIT_FOLDERS = ("compat", "compat/lib", "compat_orin", "lib64/stubs")
_COMPAT = re.compile(r"/(?:cuda-)?compat(?:[_-][^/]*)?/")
_TEGRA = re.compile(r"/aarch64-linux-gnu/(tegra|nvidia)/")


class LibcudaProbe:
    """Facts: LibCuda."""

    name = "libcuda"

    def __init__(self, *, timeout_s: float = NATIVE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def start(self, source: Source) -> Callable[[], LibCuda]:
        """Start one child, or two; the returned function waits for the answers."""
        if not source.may_run:
            return lambda: _found_only(source)
        if sys.platform == "darwin":
            raise ProbeError("absent", "there is no CUDA driver for macOS")
        child = start_native(source, SCRIPT, timeout_s=self._timeout_s)
        bare = self._start_unmasked(source)

        def finish() -> LibCuda:
            try:
                facts = facts_of(finish_native(child), source)
            except ProbeError:
                if bare is not None:
                    bare.kill()
                    bare.finish()
                raise
            return facts if bare is None else _add_unmasked(facts, bare)

        return finish

    def _start_unmasked(self, source: Source) -> Child | None:
        if VISIBLE_DEVICES not in source.env:
            return None
        env = {k: v for k, v in source.env.items() if k != VISIBLE_DEVICES}
        bare = replace(source, env=env)
        return start_native(bare, SCRIPT, timeout_s=self._timeout_s)


def _found_only(source: Source) -> LibCuda:
    others = find_copies(source)
    if not others:
        raise ProbeError("not-run", "the driver is only asked on a live machine")
    return LibCuda(others=others)


def facts_of(answer: Mapping[str, object], source: Source) -> LibCuda:
    """The child's answer as typed facts, with the copies that lie elsewhere."""
    path = path_below(source, find_text(answer, "path"))
    version = file_version(path, "libcuda.so")
    code = find_number(answer, "init_code")
    return LibCuda(
        path=path,
        kind=None if path is None else kind_of(path, version, code),
        version=version,
        init_code=code,
        cuda_driver_version=cuda_version_of(find_number(answer, "cuda")),
        device_count=find_number(answer, "device_count"),
        load_error=find_text(answer, "load_error"),
        others=tuple(other for other in find_copies(source) if other != path),
        gpus=tuple(map(_gpu, find_records(answer, "gpus"))),
    )


def _add_unmasked(facts: LibCuda, bare: Child) -> LibCuda:
    try:
        answer = finish_native(bare)
    except ProbeError:
        return facts  # the answer that frameworks see is the one that counts
    return replace(
        facts,
        unmasked_init_code=find_number(answer, "init_code"),
        unmasked_device_count=find_number(answer, "device_count"),
    )


def kind_of(path: str, version: DriverVersion | None, init_code: int | None) -> Kind:
    """Whose libcuda a file is, by its place, its name and cuInit's answer."""
    if "/stubs/" in path or init_code == STUB_LIBRARY:
        return "stub"
    if _COMPAT.search(path):
        return "compat"
    if "/wsl/" in path:
        return "wsl"
    if version is not None or path.lower().endswith("nvcuda.dll"):
        return "driver"
    if _TEGRA.search(path):
        return "tegra"
    # Mounted or copied under its plain name, as Singularity does.
    return "driver" if init_code == 0 else "unknown"


def find_copies(source: Source) -> tuple[str, ...]:
    """Every libcuda in the usual places, links resolved, each once."""
    found = dict.fromkeys(
        source.resolve(path) for path in _candidates(source) if source.exists(path)
    )
    return tuple(found)


def _candidates(source: Source) -> Iterator[str]:
    for folder in source.env.get("LD_LIBRARY_PATH", "").split(":"):
        if folder.startswith("/"):
            yield f"{path_below(source, folder)}/libcuda.so.1"
    yield from read_ld_cache(source).get("libcuda.so.1", ())
    for folder in DRIVER_FOLDERS:
        yield f"{folder}/libcuda.so.1"
    for name in source.list_dir("/usr/local"):
        if not name.startswith("cuda"):
            continue
        for folder in TOOLKIT_FOLDERS:
            yield f"/usr/local/{name}/{folder}/libcuda.so.1"
            yield f"/usr/local/{name}/{folder}/libcuda.so"


def _gpu(answer: Mapping[str, object]) -> Gpu:
    return Gpu(
        index=find_number(answer, "index") or 0,
        name=find_text(answer, "name"),
        pci_address=find_text(answer, "pci_address"),
        compute_capability=capability_of(find_text(answer, "compute_capability")),
        memory_bytes=find_number(answer, "memory_bytes"),
    )
