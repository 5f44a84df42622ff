"""Bytes in an image that no framework there needs. Pure: over paths and sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.image.facts import Waste

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fwdoctor.model.snapshot import Snapshot

LEAST_BYTES = 10_000_000  # not worth a line below that
_LIBRARY = re.compile(
    r".*/(lib(?:cublas|cublasLt|cudnn\w*|cufft|curand|cusolver|cusolverMg|cusparse"
    r"|cusparseLt|nccl|nvrtc|nvJitLink|cupti|nvshmem_host)\.so)\.(\d+)[\d.]*"
)
_CACHES = (
    ("pip's cache", re.compile(r"(?:/root|/home/[^/]+)/\.cache/pip/.*")),
    ("uv's cache", re.compile(r"(?:/root|/home/[^/]+)/\.cache/uv/.*")),
    (
        "conda's package cache",
        re.compile(r".*/(?:conda|(?:mini|ana|mamba)[\w-]*)/pkgs/.*"),
    ),
)


def find_waste(
    files: Iterable[tuple[str, int]], snapshot: Snapshot, *, hidden_bytes: int
) -> tuple[Waste, ...]:
    """What could be left out, the largest first."""
    copies: dict[tuple[str, str], dict[str, int]] = {}
    caches = {name: 0 for name, _ in _CACHES}
    trees = {toolkit.path.rstrip("/"): 0 for toolkit in snapshot.toolkits or ()}
    trees = {path: 0 for path in trees if path not in ("", "/", "/usr")}
    for path, size in files:
        library = _LIBRARY.fullmatch(path)
        if library and size:
            copies.setdefault((library[1], library[2]), {})[path] = size
        for name, pattern in _CACHES:
            if "/.cache/" in path or "/pkgs/" in path:
                caches[name] += size if pattern.fullmatch(path) else 0
        for tree in trees:
            if path.startswith(f"{tree}/"):
                trees[tree] += size
    used = _used(snapshot)
    unused = {tree: size for tree, size in trees.items() if not _is_used(tree, used)}
    found = [
        *_unused_trees(unused, snapshot),
        *_doubled(copies, used, unused),
        *(
            Waste(what=name, size_bytes=size, why="needed to install, not to run")
            for name, size in caches.items()
        ),
        Waste(
            what="files that later layers overwrite or delete",
            size_bytes=hidden_bytes,
            why="each layer is stored in full; delete in the same RUN line",
        ),
    ]
    large = [waste for waste in found if waste.size_bytes >= LEAST_BYTES]
    return tuple(sorted(large, key=lambda waste: -waste.size_bytes))


def _used(snapshot: Snapshot) -> frozenset[str]:
    """Paths the loader takes for the frameworks."""
    return frozenset(
        library.path
        for environment in snapshot.environments
        for framework in (environment.torch, environment.tensorflow)
        for library in (framework.libraries if framework else None) or ()
        if library.path
    )


def _is_used(tree: str, used: frozenset[str]) -> bool:
    return any(path.startswith(f"{tree}/") for path in used)


def _unused_trees(unused: Mapping[str, int], snapshot: Snapshot) -> Iterator[Waste]:
    has_framework = any(
        framework is not None and framework.libraries is not None
        for environment in snapshot.environments
        for framework in (environment.torch, environment.tensorflow)
    )
    for tree, size in unused.items() if has_framework else ():
        yield Waste(
            what=f"the CUDA toolkit in {tree}",
            size_bytes=size,
            why="no framework here loads from it; only building extensions needs it",
        )


def _doubled(
    copies: Mapping[tuple[str, str], Mapping[str, int]],
    used: frozenset[str],
    unused: Mapping[str, int],
) -> Iterator[Waste]:
    """Copies of one library that no framework loads, beside one that is loaded."""
    total, names = 0, []
    for (name, major), places in sorted(copies.items()):
        if len(places) < 2:
            continue
        kept = [path for path in places if path in used]
        kept = kept or [max(places, key=lambda path: places[path])]
        spare = [
            path
            for path in places
            if path not in kept and not any(path.startswith(f"{t}/") for t in unused)
        ]
        total += sum(places[path] for path in spare)
        names += [f"{name}.{major}"] if spare else []
    listed = ", ".join(names[:4]) + (
        f" and {len(names) - 4} more" if len(names) > 4 else ""
    )
    yield Waste(
        what="CUDA libraries that are there twice",
        size_bytes=total,
        why=listed,
    )
