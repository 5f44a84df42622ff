"""Every Python environment of an image that holds PyTorch or TensorFlow."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from fwdoctor.image.source import LayeredSource
from fwdoctor.image.tree import iter_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.probes.source import Source

MAX_ENTRIES = 2_000_000
_PSEUDO = frozenset({"proc", "sys", "dev", "run"})
_MARK_ENDS = ("/torch/version.py", "/tensorflow/__init__.py")
_MARK = re.compile(
    r"(/.*?)?/lib(?:64)?/(?:python[\d.]+t?/(?:site|dist)-packages"
    r"|python3/dist-packages)/(?:torch/version|tensorflow/__init__)\.py"
)


def iter_image_files(source: Source) -> Iterator[tuple[str, int]]:
    """Path and size of the files that matter here; links are not followed."""
    if isinstance(source, LayeredSource):
        for path, size in iter_files(source.tree):
            if _is_sized(path) or path.endswith(_MARK_ENDS):
                yield path, size
        return
    for entry in _iter_entries(source.root):
        path = entry.path.removeprefix(source.root).replace(os.sep, "/")
        if _is_sized(path):
            yield path, _size(entry)
        elif path.endswith(_MARK_ENDS):
            yield path, 0


def _iter_entries(root: str) -> Iterator[os.DirEntry[str]]:
    """Every regular file below a folder, up to a limit."""
    pending, count = [root], 0
    while pending and count < MAX_ENTRIES:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        count += len(entries)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if folder != root or entry.name not in _PSEUDO:
                    pending.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry


def _is_sized(path: str) -> bool:
    """Whether the size counts: asking for every file's would take a second."""
    return ".so" in path or "/cuda" in path or "/.cache/" in path or "/pkgs/" in path


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def find_prefixes(paths: Iterable[str]) -> tuple[str, ...]:
    """Prefixes of the environments whose frameworks are among these paths."""
    found = (_MARK.fullmatch(path) for path in paths if path.endswith(".py"))
    prefixes = {match[1] or "/" for match in found if match}
    return tuple(sorted(prefixes, key=lambda prefix: (prefix.count("/"), prefix)))
