"""A small conda channel on disk that holds what some plans ask for, and CPU decoys."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fwdoctor.model.plan import PlanEnvironment


def build_channel(folder: Path, planned: Iterable[PlanEnvironment]) -> str:
    """Write and index the channel; its file:// URL."""
    from rattler.index import index_fs

    (folder / "noarch").mkdir(parents=True)
    for environment in planned:
        for row in _rows(environment):
            _write(folder / "linux-64", row)
    index = index_fs(folder)
    if index is not None:  # a coroutine in this version
        import asyncio

        asyncio.run(_done(index))
    return folder.as_uri()


async def _done(index: Any) -> None:
    await index


def _rows(environment: PlanEnvironment) -> Iterable[dict[str, Any]]:
    yield _row("python", f"{environment.python}.1", "0_cpython")
    cuda = environment.find_pin("cuda-version")
    major = cuda.version.partition(".")[0] if cuda else ""
    if cuda:
        limits = [f"__cuda >={major}"]
        yield _row("cuda-version", cuda.version, "h0_3", constrains=limits)
        below = int(major) - 1
        yield _row(
            "cuda-version", f"{below}.8", "h0_3", constrains=[f"__cuda >={below}"]
        )
    for pin in environment.pins:
        if pin.name == "cuda-version":
            continue
        version = pin.version if pin.is_exact else _below(pin.version)
        if pin.name == "cudnn":
            yield _row("cudnn", version, "h0_0")
            yield _row("cudnn", "9.20.0.48", "h0_0")  # newer, and out of bounds
        elif pin.role == "framework":
            name = (
                (pin.build or "*").replace("*", "9_py_h0_0").removeprefix("9_py_h0_0")
            )
            depends = ["python", "__glibc >=2.17,<3.0.a0"]
            cpu = _row(pin.name, version, "cpu_py_h0_1", depends=depends)
            yield cpu
            if cuda:
                depends = [
                    *depends,
                    "__cuda",
                    "cudnn",
                    f"cuda-version >={major},<{int(major) + 1}",
                ]
                yield _row(pin.name, version, name, depends=depends)
                if environment.find_pin("cudnn") is None:
                    yield _row("cudnn", "9.20.0.48", "h0_0")
        else:
            yield _row(pin.name, version, "py_h0_0", depends=["python"])


def _below(bound: str) -> str:
    """A release of the line below a bound: 9.10.0.1 for "<9.11"."""
    major, _, minor = bound.lstrip("<").partition(".")
    return f"{major}.{int(minor) - 1}.0.1"


def _row(
    name: str,
    version: str,
    build: str,
    *,
    depends: list[str] | None = None,
    constrains: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "build": build,
        "build_number": int(build.rpartition("_")[2] or 0)
        if build.rpartition("_")[2].isdigit()
        else 0,
        "depends": depends or [],
        "constrains": constrains or [],
        "subdir": "linux-64",
        "timestamp": 1767225600000,
    }


def _write(folder: Path, row: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{row['name']}-{row['version']}-{row['build']}.tar.bz2"
    if path.exists():
        return
    files = {
        "info/index.json": json.dumps(row),
        "info/files": f"share/{row['name']}\n",
        "info/paths.json": json.dumps({"paths": [], "paths_version": 1}),
        f"share/{row['name']}": row["build"],
    }
    with tarfile.open(path, "w:bz2") as archive:
        for name, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
