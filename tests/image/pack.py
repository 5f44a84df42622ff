"""Packs trees as layers, OCI layouts and Docker archives, honest ones and others."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Compress = Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A member of a layer: a file unless something else is said."""

    content: bytes = b""
    link: str | None = None
    hardlink: str | None = None
    is_folder: bool = False
    kind: bytes | None = None
    mode: int = 0o644


def layer(entries: Mapping[str, Entry | str | bytes]) -> bytes:
    """A tar archive of these members, in order."""
    return layer_of(entries.items())


def layer_of(entries: Iterable[tuple[str, Entry | str | bytes]]) -> bytes:
    """A tar archive in which a name may come twice."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, value in entries:
            entry = _entry(value)
            info = tarfile.TarInfo(name)
            info.mode = entry.mode
            info.size = len(entry.content)
            if entry.link is not None:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            elif entry.hardlink is not None:
                info.type, info.linkname = tarfile.LNKTYPE, entry.hardlink
            elif entry.is_folder:
                info.type = tarfile.DIRTYPE
            elif entry.kind is not None:
                info.type = entry.kind
            archive.addfile(info, io.BytesIO(entry.content) if info.isreg() else None)
    return stream.getvalue()


def _entry(value: Entry | str | bytes) -> Entry:
    if isinstance(value, Entry):
        return value
    return Entry(content=value.encode() if isinstance(value, str) else value)


def layer_of_tree(root: Path) -> bytes:
    """A tar archive of a folder, as `docker build` would store it."""
    entries: dict[str, Entry] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            entries[name] = Entry(link=path.readlink().as_posix())
        elif path.is_dir():
            entries[name] = Entry(is_folder=True, mode=0o755)
        else:
            mode = path.stat().st_mode & 0o777
            entries[name] = Entry(content=path.read_bytes(), mode=mode)
    return layer(entries)


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def plain(content: bytes) -> bytes:
    return content


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


@dataclass(kw_only=True)
class Image:
    """One image: its layers from the bottom up, and its configuration."""

    layers: Sequence[bytes]
    env: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "amd64"
    tag: str | None = None
    compress: Compress = plain

    def config(self) -> bytes:
        return json.dumps(
            {
                "os": "linux",
                "architecture": self.architecture,
                "config": {"Env": [f"{k}={v}" for k, v in self.env.items()]},
                "rootfs": {"type": "layers", "diff_ids": [*map(digest, self.layers)]},
            }
        ).encode()


class Layout:
    """The files of an OCI layout, to be changed before they are written."""

    def __init__(self, *images: Image, is_nested: bool = False) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        rows = [self._add_image(image) for image in images]
        index: dict[str, Any] = {"schemaVersion": 2, "manifests": rows}
        if is_nested:
            index = {"schemaVersion": 2, "manifests": [self._add(json_of(index))]}
        self.files["index.json"] = json_of(index)

    def _add(self, content: bytes) -> dict[str, Any]:
        found = digest(content)
        self.files[f"blobs/sha256/{found[7:]}"] = content
        return {"digest": found, "size": len(content), "mediaType": "x"}

    def _add_image(self, image: Image) -> dict[str, Any]:
        manifest = {
            "schemaVersion": 2,
            "config": self._add(image.config()),
            "layers": [self._add(image.compress(part)) for part in image.layers],
        }
        row = self._add(json_of(manifest))
        if image.tag:
            row["annotations"] = {"org.opencontainers.image.ref.name": image.tag}
        return row

    def write(self, folder: Path) -> Path:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    def write_tar(self, path: Path, compress: Compress = plain) -> Path:
        path.write_bytes(compress(layer(self.files)))
        return path


def json_of(data: Any) -> bytes:
    return json.dumps(data).encode()


def docker_files(image: Image, *, is_legacy: bool = True) -> dict[str, Entry | bytes]:
    """The members of `docker save`, in its old form or with blobs."""
    config = image.config()
    files: dict[str, Entry | bytes] = {}
    names = []
    for part in image.layers:
        stored = image.compress(part)
        found = digest(stored)[7:]
        name = f"{found}/layer.tar" if is_legacy else f"blobs/sha256/{found}"
        files[name] = stored
        if is_legacy:
            files[f"{found}/VERSION"] = b"1.0"
        names.append(name)
    config_name = f"{digest(config)[7:]}.json"
    files[config_name] = config
    row = {"Config": config_name, "RepoTags": [image.tag or "x:1"], "Layers": names}
    files["manifest.json"] = json_of([row])
    return files


def write_docker(path: Path, image: Image, compress: Compress = plain) -> Path:
    path.write_bytes(compress(layer(docker_files(image))))
    return path
