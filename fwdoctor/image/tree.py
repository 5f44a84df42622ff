"""Files of an image as an index: names, sizes, links, and where content was kept.

A file without kept content is a plain number, so that a million files stay cheap.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINKS = 40
_EXECUTABLE = 1  # the lowest bit of a Size; the rest is the number of bytes

Size = int  # a regular file whose content was not kept
Link = str  # target text of a symbolic link


class Special:
    """A device, pipe or socket: it is there, and never opened."""

    __slots__ = ()


SPECIAL = Special()


@dataclass(slots=True)
class Kept:
    """A regular file whose content, or what probes read of it, was set aside."""

    size: int
    path: str  # of the copy, in the temporary folder
    is_executable: bool = False


class Folder:
    """A folder, and what its layer says about those below it."""

    __slots__ = ("children", "is_explicit", "is_opaque", "removed")

    def __init__(self, *, is_explicit: bool = False) -> None:
        self.children: dict[str, Node] = {}
        self.removed: set[str] | None = None  # whiteouts
        self.is_opaque = False  # hides everything of lower layers
        self.is_explicit = is_explicit  # the archive has an entry of its own for it


Node = Folder | Kept | Special | Size | Link


def pack_size(size: int, *, is_executable: bool) -> Size:
    """A regular file as one number."""
    return size << 1 | is_executable


def size_of(node: Node) -> int:
    """Bytes of a regular file, 0 for anything else."""
    if isinstance(node, Kept):
        return node.size
    return node >> 1 if isinstance(node, int) else 0


def is_executable(node: Node) -> bool:
    """Whether it is a regular file that may be run."""
    if isinstance(node, Kept):
        return node.is_executable
    return isinstance(node, int) and bool(node & _EXECUTABLE)


def split_path(path: str) -> list[str]:
    """Names along a path of an archive or a machine.

    Raises ImageError for one that climbs: no honest archive has "..".
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        shown = path.encode("ascii", "backslashreplace").decode()[:100]
        raise ImageError(f'the archive names "{shown}", a path that leaves the image')
    if len(parts) > LIMITS.depth:
        raise ImageError(f"the archive has {len(parts)} folders inside each other")
    return parts


def resolve(root: Folder, path: str) -> tuple[Node, str]:
    """The node at a path, links followed, and its true path.

    Raises OSError as the file system would.
    """
    pending = [part for part in path.split("/") if part not in ("", ".")][::-1]
    names: list[str] = []
    nodes: list[Node] = [root]
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            names, nodes = names[:-1], nodes[:-1] or [root]
            continue
        here = nodes[-1]
        if not isinstance(here, Folder):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", path)
        node = here.children.get(part)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not isinstance(node, str):
            names.append(part)
            nodes.append(node)
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if node.startswith("/"):
            names, nodes = [], [root]
        pending.extend([p for p in node.split("/") if p not in ("", ".")][::-1])
    return nodes[-1], "/" + "/".join(names)


def iter_files(root: Folder) -> Iterator[tuple[str, int]]:
    """Path and size of every regular file; links are not followed."""
    pending: list[tuple[str, Folder]] = [("", root)]
    while pending:
        above, folder = pending.pop()
        for name, node in folder.children.items():
            path = f"{above}/{name}"
            if isinstance(node, Folder):
                pending.append((path, node))
            elif isinstance(node, int | Kept):
                yield path, size_of(node)


def status_of(node: Node) -> os.stat_result:
    """What `stat` would say, as far as an index knows."""
    if isinstance(node, Folder):
        mode = stat.S_IFDIR | 0o755
    elif isinstance(node, Special):
        mode = stat.S_IFCHR | 0o600
    else:
        mode = stat.S_IFREG | (0o755 if is_executable(node) else 0o644)
    # A folder is told from others by its number, as on disk.
    number = id(node) if isinstance(node, Folder | Kept) else 0
    return os.stat_result((mode, number, 0, 1, 0, 0, size_of(node), 0, 0, 0))


def stack(lower: Folder, upper: Folder, root: Folder | None = None) -> int:
    """Put a layer on top of those below; the bytes it hides of them are returned."""
    top = lower if root is None else root
    hidden = 0
    if upper.is_opaque:
        hidden += sum(size for _, size in iter_files(lower))
        lower.children = {}
    for name in upper.removed or ():
        gone = lower.children.pop(name, None)
        hidden += _bytes_below(gone)
    for name, node in upper.children.items():
        under = lower.children.get(name)
        if isinstance(node, Folder):
            below = _folder_under(under, node, top)
            if below is not None:
                hidden += stack(below, node, top)
                continue
        hidden += _bytes_below(under)
        if isinstance(node, Folder):
            node.removed, node.is_opaque = None, False
        lower.children[name] = node
    return hidden


def _folder_under(under: Node | None, upper: Folder, root: Folder) -> Folder | None:
    """The lower folder that a layer's folder adds to, if there is one.

    Where a layer has only files below a name that is a link underneath, they go where
    the link leads (`lib` and `usr/lib` in builders that write members by hand).
    """
    if isinstance(under, Folder):
        return under
    if isinstance(under, str) and not upper.is_explicit:
        try:
            node, _ = resolve(root, under if under.startswith("/") else f"/{under}")
        except OSError:
            return None
        return node if isinstance(node, Folder) else None
    return None


def _bytes_below(node: Node | None) -> int:
    if node is None:
        return 0
    if isinstance(node, Folder):
        return sum(size for _, size in iter_files(node))
    return size_of(node)
