"""A probe source whose files are an image's index instead of a folder on disk."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field

from fwdoctor.image.tree import (
    Folder,
    Kept,
    is_executable,
    resolve,
    status_of,
)
from fwdoctor.probes.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredSource(Source):
    """The files of an image; `root` is the temporary folder of kept content."""

    may_run: bool = False
    tree: Folder = field(default_factory=Folder)

    def real_path(self, path: str) -> str:
        """The kept copy of a file, an empty folder for a folder; raises OSError."""
        node, _ = resolve(self.tree, path)
        if isinstance(node, Kept):
            return node.path
        if isinstance(node, Folder):
            return os.path.join(self.root, "folder")
        raise OSError(errno.ENODATA, "not looked into", path)

    def exists(self, path: str) -> bool:
        """Whether the path is there, links followed."""
        try:
            resolve(self.tree, path)
        except OSError:
            return False
        return True

    def is_dir(self, path: str) -> bool:
        """Whether the path is a folder."""
        try:
            return isinstance(resolve(self.tree, path)[0], Folder)
        except OSError:
            return False

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty when absent."""
        try:
            node, _ = resolve(self.tree, path)
        except OSError:
            return ()
        return tuple(sorted(node.children)) if isinstance(node, Folder) else ()

    def read_link(self, path: str) -> str | None:
        """The target text of a symbolic link; None when it is none."""
        parent, _, name = path.rpartition("/")
        try:
            node, _ = resolve(self.tree, parent or "/")
        except OSError:
            return None
        found = node.children.get(name) if isinstance(node, Folder) else None
        return found if isinstance(found, str) else None

    def resolve(self, path: str) -> str:
        """`path` with links followed; what is not there is left as written."""
        try:
            return resolve(self.tree, path)[1]
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise
            parent, _, name = path.rstrip("/").rpartition("/")
            return f"{self.resolve(parent or '/').rstrip('/')}/{name}"

    def stat(self, path: str) -> os.stat_result:
        """Status of the file, links followed; raises OSError."""
        node, true_path = resolve(self.tree, path)
        status = status_of(node)
        if status.st_ino:
            return status
        return os.stat_result((status[0], hash(true_path) or 1, *status[2:10]))

    def _is_executable(self, path: str) -> bool:
        try:
            return is_executable(resolve(self.tree, path)[0])
        except OSError:
            return False
