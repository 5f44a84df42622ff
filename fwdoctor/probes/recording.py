"""A source that keeps the raw text of all it reads, for `snapshot --raw DIR`."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwdoctor.probes.source import READ_LIMIT_BYTES, Source
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwdoctor.process import Child, ChildResult

# Raw texts are for people to read; larger files are libraries and package lists.
KEPT_BYTES = 200_000
# Lists of the people on a machine.
NEVER_KEPT = frozenset({"/etc/group", "/etc/passwd"})
# apt's history says who asked: «Requested-By: alice (1000)».
_REQUESTED_BY = re.compile(r"^(Requested-By:) .*", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSource(Source):
    """A source that remembers texts by the path or the command they came from."""

    files: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)  # path → why
    commands: dict[str, str] = field(default_factory=dict)

    def read_bytes(self, path: str, limit: int = READ_LIMIT_BYTES) -> bytes:
        """As `Source.read_bytes`; the text is kept, or the reason why there is none."""
        try:
            content = Source.read_bytes(self, path, limit)
        except OSError as error:
            self.unread.setdefault(path, error.strerror or str(error))
            raise
        is_text = len(content) <= KEPT_BYTES and b"\0" not in content
        if is_text and path not in NEVER_KEPT:
            self.files[path] = content.decode("utf-8", "replace")
        return content

    def start(self, argv: Sequence[str], *, timeout_s: float) -> Child | None:
        """As `Source.start`; the output is kept when the child is finished."""
        child = Source.start(self, argv, timeout_s=timeout_s)
        if child is not None:
            child.on_finish = lambda result: self._keep(argv, result)
        return child

    def _keep(self, argv: Sequence[str], result: ChildResult) -> None:
        lines = [f"$ {' '.join(argv)}", f"[{result.status}: {result.reason}]"]
        text = "\n".join([*lines, result.stdout, result.stderr])
        self.commands[os.path.basename(_name_of(argv))] = text


def _name_of(argv: Sequence[str]) -> str:
    """The script for one of our own children, else the program."""
    return next((word for word in argv if word.endswith(".py")), argv[0])


def raw_texts(source: RecordingSource) -> dict[str, str]:
    """Everything kept, redacted: relative file name to text."""
    home, user = source.env.get("HOME"), source.env.get("USER")
    named = {
        # Without «..», by which a path could leave the folder it is written into.
        **{f"files{posixpath.normpath(p)}": t for p, t in source.files.items()},
        **{f"commands/{name}.txt": text for name, text in source.commands.items()},
    }
    if source.unread:
        # One list: a file of that name would look as if the machine had it.
        lines = (f"{path}: {why}\n" for path, why in sorted(source.unread.items()))
        named["not-read.txt"] = "".join(lines)
    return {
        redact(name, home=home, user=user): _REQUESTED_BY.sub(
            r"\1 …", redact(text, home=home, user=user)
        )
        for name, text in sorted(named.items())
    }
