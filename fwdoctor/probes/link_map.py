"""The dynamic loader's search, played through on files: which copy wins, and why.

Follows glibc: an object already loaded under the wanted name; DT_RPATH of the object
that asks and of those that loaded it (only if it has no RUNPATH), then the program's;
LD_LIBRARY_PATH; the asking object's DT_RUNPATH; ld.so.cache; built-in folders. A copy
for another machine is passed over, a file that is no ELF object ends the search.
Not modelled: LD_PRELOAD, glibc-hwcaps folders, setuid programs.
"""

from __future__ import annotations

import posixpath
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwdoctor.probes.elf import ElfFacts, NotElfError, read_elf
from fwdoctor.probes.ld_cache import DEFAULT_FOLDERS, loader_folders, read_ld_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fwdoctor.probes.source import Source

_CLOSED = "permission denied"  # the loader passes over such a copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An object in the process, and the one that caused it to be loaded."""

    facts: ElfFacts
    via: str
    loader: Loaded | None = None

    @property
    def path(self) -> str:
        """The path it was opened by."""
        return self.facts.path

    @property
    def name(self) -> str:
        """Its file name."""
        return posixpath.basename(self.facts.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One wanted soname and how its search ended."""

    soname: str
    needed_by: str
    found: Loaded | None = None
    failure: str | None = None  # why not, when more is known than «not found»


@dataclass(slots=True, kw_only=True)
class LinkMap:
    """What a process has loaded so far.

    `is_followed` says which sonames are worth a look: libc and its like are skipped.
    """

    source: Source
    is_followed: Callable[[str], bool]
    program: Loaded | None = None
    loaded: dict[str, Loaded] = field(default_factory=dict)
    _cache: Mapping[str, tuple[str, ...]] | None = None
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _facts: dict[str, ElfFacts | str] = field(default_factory=dict)
    _tidied: dict[str, str] = field(default_factory=dict)

    def start(self, program: str | None) -> None:
        """Begin a process running `program`; an unreadable one has no run path."""
        if program is None:
            return
        try:
            # The kernel gives $ORIGIN of a program with links followed.
            real = self.source.resolve(program)
            self.program = Loaded(facts=read_elf(self.source, real), via="program")
        except (OSError, ValueError):
            self.program = None

    def open_path(
        self, path: str, *, via: str
    ) -> tuple[Loaded | None, tuple[Request, ...]]:
        """Do as dlopen of a path; with it, the requests of everything it needs.

        Nothing stays loaded when the object or something it needs does not load.
        """
        facts = self._read(path)
        if isinstance(facts, str):
            name = posixpath.basename(path)
            return None, (Request(soname=name, needed_by=via, failure=facts),)
        known = self.loaded.get(facts.soname or posixpath.basename(path))
        if known is not None and known.path == path:
            return known, ()
        return self._open(Loaded(facts=facts, via=via, loader=self.program))

    def open_name(
        self, soname: str, loader: Loaded
    ) -> tuple[Loaded | None, tuple[Request, ...]]:
        """Do as dlopen of a bare soname; the first request is the name's own."""
        if soname in self.loaded:
            found = self.loaded[soname]
            return found, (Request(soname=soname, needed_by=loader.name, found=found),)
        request = self._search(soname, loader)
        if request.found is None:
            return None, (request,)
        opened, requests = self._open(request.found)
        return opened, (request, *requests)

    def _open(self, root: Loaded) -> tuple[Loaded | None, tuple[Request, ...]]:
        before = dict(self.loaded)
        requests = tuple(self._load_breadth_first(root))
        if any(request.found is None for request in requests):
            self.loaded = before
            return None, requests
        return root, requests

    def _load_breadth_first(self, root: Loaded) -> Iterator[Request]:
        self._enter(root, root.name)
        queue = deque([root])
        while queue:
            asking = queue.popleft()
            for soname in filter(self.is_followed, asking.facts.needed):
                if soname in self.loaded:
                    found = self.loaded[soname]
                    yield Request(soname=soname, needed_by=asking.name, found=found)
                    continue
                request = self._search(soname, asking)
                yield request
                if request.found is not None:
                    self._enter(request.found, soname)
                    queue.append(request.found)

    def _enter(self, item: Loaded, name: str) -> None:
        self.loaded.setdefault(name, item)
        if item.facts.soname:
            self.loaded.setdefault(item.facts.soname, item)

    def _search(self, soname: str, asking: Loaded) -> Request:
        for path, via in self._candidates(soname, asking):
            facts = self._read(path)
            if facts == _CLOSED:
                continue
            if isinstance(facts, str):
                failure = f"{path}: {facts}"
                return Request(soname=soname, needed_by=asking.name, failure=failure)
            if facts.machine == asking.facts.machine:
                found = Loaded(facts=facts, via=via, loader=asking)
                return Request(soname=soname, needed_by=asking.name, found=found)
        return Request(soname=soname, needed_by=asking.name)

    def _read(self, path: str) -> ElfFacts | str:
        """Facts of the object, or what the loader would say against it."""
        if path not in self._facts:
            try:
                self._facts[path] = read_elf(self.source, path)
            except NotElfError as error:
                self._facts[path] = str(error)
            except PermissionError:
                self._facts[path] = _CLOSED
            except OSError as error:
                self._facts[path] = error.strerror or str(error)
        return self._facts[path]

    def _candidates(self, soname: str, asking: Loaded) -> Iterator[tuple[str, str]]:
        """Existing files named `soname`, in the loader's order."""
        if not asking.facts.runpath:
            for ancestor in self._ancestors(asking):
                folders = self._expand(ancestor.facts.rpath, ancestor.path)
                yield from self._in_folders(soname, folders, "RPATH")
        variable = self.source.env.get("LD_LIBRARY_PATH", "").replace(";", ":")
        listed = [f for f in variable.split(":") if f.startswith("/")]
        yield from self._in_folders(soname, listed, "LD_LIBRARY_PATH")
        folders = self._expand(asking.facts.runpath, asking.path)
        yield from self._in_folders(soname, folders, "RUNPATH")
        yield from self._from_system(soname, asking)

    def _ancestors(self, asking: Loaded) -> Iterator[Loaded]:
        """The object, what loaded it, and so on; the program last."""
        item: Loaded | None = asking
        while item is not None:
            yield item
            if item is self.program:
                return
            item = item.loader
        if self.program is not None:
            yield self.program

    def _from_system(self, soname: str, asking: Loaded) -> Iterator[tuple[str, str]]:
        if asking.facts.has_no_default_path:
            return
        if self._cache is None:
            self._cache = read_ld_cache(self.source)
        for path in self._cache.get(soname, ()):
            if self.source.exists(path):
                yield path, "ld.so.cache"
        # Without a cache (an image, musl) the configured folders speak for it.
        folders = DEFAULT_FOLDERS if self._cache else loader_folders(self.source)
        yield from self._in_folders(soname, folders, "default folder")

    def _in_folders(
        self, soname: str, folders: Iterable[str], via: str
    ) -> Iterator[tuple[str, str]]:
        for folder in folders:
            names = self._names.get(folder)
            if names is None:
                names = frozenset(self.source.list_dir(folder))
                self._names[folder] = names
            path = f"{folder.rstrip('/')}/{soname}"
            # A dangling link is listed too, but the loader cannot open it.
            if soname in names and self.source.exists(path):
                yield path, via

    def _expand(self, entries: Iterable[str], path: str) -> list[str]:
        """Folders of a run path, with $ORIGIN filled in."""
        origin = posixpath.dirname(path)
        folders = []
        for entry in entries:
            text = entry.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", origin)
            text = text.replace("${LIB}", "$LIB").replace("$LIB", "lib64")
            if text.startswith("/"):
                folders.append(self._tidy(text))
        return folders

    def _tidy(self, folder: str) -> str:
        """The folder without `..`, unless that would lead elsewhere over a link."""
        if folder not in self._tidied:
            short = posixpath.normpath(folder)
            if ".." in folder and not _is_same(self.source, folder, short):
                short = folder
            self._tidied[folder] = short
        return self._tidied[folder]


def _is_same(source: Source, first: str, second: str) -> bool:
    try:
        one, two = source.stat(first), source.stat(second)
    except (OSError, ValueError):
        return not source.exists(first)
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)
