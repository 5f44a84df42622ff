"""Where probes read from: files under a root, environment variables, commands.

A live machine has root "/"; an unpacked image or a test tree has another. Every method
takes absolute paths as the examined machine sees them.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fwdoctor.process import Child, ChildResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READ_LIMIT_BYTES = 4_000_000
MAX_LINKS = 40


def slashed(path: str) -> str:
    """The path with forward slashes, which Windows takes as well."""
    return path.replace("\\", "/") if os.name == "nt" else path


def is_absolute(path: str) -> bool:
    """Whether the path, with forward slashes, starts at a root: / or C:/."""
    return path.startswith("/") or path[1:3] == ":/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Files, variables and commands of one machine."""

    root: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    may_run: bool = True  # False for images and recorded trees: start nothing

    @property
    def is_live_root(self) -> bool:
        """Whether paths are those of the running system."""
        return self.root == "/"

    @property
    def is_windows(self) -> bool:
        """Whether this is a running Windows; an image, also there, is of Linux."""
        return self.is_live_root and os.name == "nt"

    def real_path(self, path: str) -> str:
        """The path to open for `path`, with links resolved inside the root."""
        if self.is_live_root:
            return path
        return self._resolve_inside(path)

    def _resolve_inside(self, path: str) -> str:
        """Follow symbolic links without ever leaving the root."""
        parts = [part for part in path.split("/") if part not in ("", ".")][::-1]
        done: list[str] = []
        links = 0
        while parts:
            part = parts.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = os.path.join(self.root, *done, part)
            target = _read_link(here)
            if target is None:
                done.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(f"too many symbolic links at {path}")
            if target.startswith("/"):
                done = []
            parts.extend([p for p in target.split("/") if p not in ("", ".")][::-1])
        return os.path.join(self.root, *done)

    def read_bytes(self, path: str, limit: int = READ_LIMIT_BYTES) -> bytes:
        """The first `limit` bytes of a regular file; raises OSError.

        Devices, pipes and sockets are refused: reading them could block for ever.
        """
        real = self.real_path(path)
        mode = os.stat(real).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(f"{path} is not a regular file")
        with open(real, "rb") as stream:
            return stream.read(limit)

    def read_text(self, path: str, limit: int = READ_LIMIT_BYTES) -> str:
        """The file as text, undecodable bytes replaced; raises OSError."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def find_text(self, path: str) -> str | None:
        """The file as text, or None when it cannot be read."""
        try:
            return self.read_text(path)
        except (OSError, ValueError):
            return None

    def exists(self, path: str) -> bool:
        """Whether the path is there (links followed); False when not allowed to see."""
        try:
            return os.path.exists(self.real_path(path))
        except (OSError, ValueError):
            return False

    def is_dir(self, path: str) -> bool:
        """Whether the path is a folder."""
        try:
            return os.path.isdir(self.real_path(path))
        except (OSError, ValueError):
            return False

    def is_closed(self, path: str) -> bool:
        """Whether the path, or a folder's content, may not be looked at."""
        try:
            real = self.real_path(path)
            if stat.S_ISDIR(os.stat(real).st_mode):
                os.listdir(real)
            elif not os.access(real, os.R_OK):
                return True
        except PermissionError:
            return True
        except (OSError, ValueError):
            return False
        return False

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty when absent or not readable."""
        try:
            return tuple(sorted(os.listdir(self.real_path(path))))
        except (OSError, ValueError):
            return ()

    def read_link(self, path: str) -> str | None:
        """The target text of a symbolic link; None when it is none."""
        parent, _, name = path.rpartition("/")
        try:
            return _read_link(os.path.join(self.real_path(parent or "/"), name))
        except (OSError, ValueError):
            return None

    def resolve(self, path: str) -> str:
        """`path` with links followed, as a path of the examined machine."""
        if self.is_live_root:
            return os.path.realpath(path)
        real = self._resolve_inside(path)
        if real == self.root:
            return "/"
        return "/" + os.path.relpath(real, self.root).replace(os.sep, "/")

    def stat(self, path: str) -> os.stat_result:
        """Status of the file, links followed; raises OSError."""
        return os.stat(self.real_path(path))

    def start(self, argv: Sequence[str], *, timeout_s: float) -> Child | None:
        """Start a command with the machine's variables, or None if not allowed."""
        if not self.may_run:
            return None
        return Child(argv, timeout_s=timeout_s, env=self.env)

    def run(self, argv: Sequence[str], *, timeout_s: float) -> ChildResult:
        """Run a command to its end or deadline; never raises for what it does."""
        child = self.start(argv, timeout_s=timeout_s)
        if child is None:
            return ChildResult(status="denied", reason="commands are not run here")
        return child.finish()

    def list_folders(self, variable: str) -> tuple[str, ...]:
        """Absolute folders that a variable such as PATH lists, with forward slashes."""
        entries = self.env.get(variable, "").split(";" if self.is_windows else ":")
        folders = (slashed(entry).rstrip("/") for entry in entries if entry)
        return tuple(folder or "/" for folder in folders if is_absolute(folder or "/"))

    def which(self, program: str) -> str | None:
        """The first file named `program` on the examined PATH; .exe on Windows."""
        name = f"{program}.exe" if self.is_windows and "." not in program else program
        for folder in self.list_folders("PATH"):
            candidate = f"{folder.rstrip('/')}/{name}"
            if self._is_executable(candidate):
                return candidate
        return None

    def _is_executable(self, path: str) -> bool:
        try:
            real = self.real_path(path)
        except (OSError, ValueError):
            return False
        return os.path.isfile(real) and os.access(real, os.X_OK)


def _read_link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def live_source(
    root: str | None = None, env: Mapping[str, str] | None = None
) -> Source:
    """The running machine; `root` replaces "/" for recorded trees in tests."""
    variables = dict(os.environ if env is None else env)
    return Source(root=str(Path(root)) if root else "/", env=variables)
