"""One layer as an index: its members, its whiteouts, and the content worth keeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS
from fwdoctor.image.tar import TarReader
from fwdoctor.image.tree import SPECIAL, Folder, pack_size, resolve, split_path

if TYPE_CHECKING:
    from fwdoctor.image.keep import Keeper
    from fwdoctor.image.limits import Limits
    from fwdoctor.image.streams import Readable
    from fwdoctor.image.tar import Member
    from fwdoctor.image.tree import Node

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class LayerIndexer:
    """Indexes the layers of one image; the limit on entries is for all together."""

    def __init__(self, keeper: Keeper, *, limits: Limits = LIMITS) -> None:
        self._keeper, self._limits = keeper, limits
        self.entries = 0

    def index(self, stream: Readable, name: str) -> Folder:
        """The tree of one layer; raises ImageError for a damaged or hostile one."""
        root = Folder(is_explicit=True)
        reader = TarReader(stream, name, limits=self._limits)
        for member in reader:
            self.entries += 1
            if self.entries > self._limits.entries:
                raise ImageError(
                    f"the image has more than {self._limits.entries} files and links",
                    hint="docs/image.md states the limits",
                )
            self._add(root, member, reader)
        return root

    def _add(self, root: Folder, member: Member, reader: TarReader) -> None:
        parts = split_path(member.name)
        if not parts:
            return  # the root folder itself
        above = _make_folders(root, parts[:-1])
        name = parts[-1]
        if name.startswith(_WHITEOUT):
            _add_whiteout(above, name)
            return
        known = above.children.get(name)
        if member.kind == "folder":
            if not isinstance(known, Folder):
                known = above.children[name] = Folder()
            known.is_explicit = True
            return
        node = self._node_of(root, member, "/".join(parts), reader)
        if node is not None:
            above.children[name] = node

    def _node_of(
        self, root: Folder, member: Member, path: str, reader: TarReader
    ) -> Node | None:
        if member.kind == "symlink":
            return member.link
        if member.kind == "hardlink":
            return _linked(root, member.link)
        if member.kind == "special":
            return SPECIAL
        kept = self._keeper.keep(member, path, reader)
        plain = pack_size(member.size, is_executable=bool(member.mode & 0o111))
        return plain if kept is None else kept


def _make_folders(root: Folder, parts: list[str]) -> Folder:
    here = root
    for part in parts:
        node = here.children.get(part)
        if isinstance(node, str):
            node = _folder_behind(root, here, node)
        if not isinstance(node, Folder):
            node = here.children[part] = Folder()
        here = node
    return here


def _folder_behind(root: Folder, here: Folder, target: str) -> Node | None:
    """The folder that a link of the same layer leads to."""
    if not target.startswith("/") and here is not root:
        return None  # relative to a folder below the root: rare, and not followed
    try:
        return resolve(root, target)[0]
    except OSError:
        return None


def _add_whiteout(above: Folder, name: str) -> None:
    if name == _OPAQUE:
        above.is_opaque = True
    elif not name.startswith(_WHITEOUT * 2):  # other marks are of the file system aufs
        above.removed = above.removed or set()
        above.removed.add(name.removeprefix(_WHITEOUT))


def _linked(root: Folder, target: str) -> Node | None:
    """A hard link is the file it names, in the same layer."""
    node: Node | None = root
    for part in split_path(target):
        node = node.children.get(part) if isinstance(node, Folder) else None
    return None if isinstance(node, Folder) else node
