"""Small machines for probe tests: a folder per machine, files by path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from fwdoctor.probes.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class MakeSource(Protocol):
    """Writes files under a fresh root; text values starting `-> ` are links."""

    def __call__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Source: ...


@pytest.fixture
def make_source(tmp_path: Path) -> MakeSource:
    """A machine made of the given files and variables."""

    def make(
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Source:
        for path, content in (files or {}).items():
            _write(tmp_path / path.lstrip("/"), content)
        return Source(root=str(tmp_path), env=env or {})

    return make


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content.startswith("-> "):
        path.symlink_to(content[3:])
    else:
        path.write_text(content, encoding="utf-8")
