"""Opens an image of any kind as a probe source, and cleans up behind it.

Kinds: an unpacked root file system, an OCI runtime bundle, an OCI layout (folder or tar
archive), a Docker archive (`docker save`, plain or compressed), and the tar archive of
one root file system (`docker export`).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fwdoctor.image import choose
from fwdoctor.image.documents import Config, parse_json, parse_runtime_config
from fwdoctor.image.errors import ImageError
from fwdoctor.image.keep import Keeper
from fwdoctor.image.layer import LayerIndexer
from fwdoctor.image.source import LayeredSource
from fwdoctor.image.store import Digest, FolderStore, StreamStore, TarStore
from fwdoctor.image.streams import GZIP_MAGIC, ZSTD_MAGIC, drain, open_layer
from fwdoctor.image.tree import Folder, stack
from fwdoctor.probes.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwdoctor.image.choose import Chosen
    from fwdoctor.image.store import Store

# What Docker sets where an image has no PATH of its own.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROOT_MARKS = ("etc", "usr", "bin", "lib", "opt", "var", "app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which image, and what its configuration does not say."""

    path: str
    platform: str | None = None
    tag: str | None = None
    config_path: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedImage:
    """An image ready to be probed."""

    source: Source
    kind: str  # root, bundle, oci, docker, tar
    config: Config
    digest: str | None = None
    tags: tuple[str, ...] = ()
    layers: int = 0
    stored_bytes: int = 0
    hidden_bytes: int = 0  # in layers below, overwritten or deleted above


@contextlib.contextmanager
def open_image(request: Request) -> Iterator[OpenedImage]:
    """The image as a source; its temporary folder is gone afterwards.

    Raises ImageError for what cannot be read.
    """
    if os.path.isdir(request.path) and not _is_layout(request.path):
        yield _open_root(request)
        return
    if not os.path.exists(request.path):
        raise ImageError(f"{request.path}: no such file or folder")
    folder = tempfile.mkdtemp(prefix="fwdoctor-image-")
    os.mkdir(os.path.join(folder, "folder"))
    keeper = Keeper(folder)
    try:
        yield _open_layers(request, folder, LayerIndexer(keeper))
    finally:
        keeper.close()


def _is_layout(path: str) -> bool:
    names = ("index.json", "manifest.json")
    return any(os.path.isfile(os.path.join(path, name)) for name in names)


def _open_root(request: Request) -> OpenedImage:
    path = os.path.abspath(request.path)
    bundled = os.path.join(path, "rootfs")
    config, kind = Config(), "root"
    if os.path.isdir(bundled):
        path, kind = bundled, "bundle"
        beside = os.path.join(request.path, "config.json")
        if os.path.isfile(beside):
            config = parse_runtime_config(_read_json(beside))
    if os.path.realpath(path) == "/":
        raise ImageError("/ is the running system", hint="use fwdoctor check")
    if not any(os.path.lexists(os.path.join(path, name)) for name in _ROOT_MARKS):
        raise ImageError(
            f"{request.path} is no root file system, OCI layout or Docker archive",
            hint=f"none of {', '.join(_ROOT_MARKS)} or index.json is in it",
        )
    config = _with_request(config, request)
    env = environment_of(config)
    source = Source(root=os.path.realpath(path), env=env, may_run=False)
    return OpenedImage(source=source, kind=kind, config=config)


def _read_json(path: str) -> Mapping[str, object]:
    try:
        with open(path, "rb") as stream:
            return parse_json(stream.read(1 << 23), path)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error


def _with_request(config: Config, request: Request) -> Config:
    """The configuration with what the command line added."""
    if request.config_path is not None:
        config = choose.parse_any_config(_read_json(request.config_path))
    return replace(config, env={**config.env, **request.env})


def environment_of(config: Config) -> dict[str, str]:
    """The variables a container of the image starts with."""
    is_root = config.user.partition(":")[0] in ("", "root", "0")
    default = {"PATH": DEFAULT_PATH} | ({"HOME": "/root"} if is_root else {})
    return default | dict(config.env)


def _open_layers(request: Request, folder: str, indexer: LayerIndexer) -> OpenedImage:
    store, kind = _open_store(request.path, indexer)
    if store is None:
        with open(request.path, "rb") as stream:
            name = os.path.basename(request.path)
            content = open_layer(stream, name)
            tree = indexer.index(content, name)
            drain(content)
        if not set(tree.children) & set(_ROOT_MARKS):
            raise ImageError(f"{request.path} holds no image and no root file system")
        config = _with_request(Config(), request)
        return _opened(folder, tree, config, kind="tar", layers=1)
    try:
        chosen = choose.choose_image(store, request.platform, request.tag)
        tree, hidden = _stack_layers(store, chosen)
        sizes = [store.size(name) for name in chosen.layers]
    finally:
        store.close()
    opened = _opened(
        folder,
        tree,
        _with_request(chosen.config, request),
        kind=kind,
        layers=len(chosen.layers),
    )
    return replace(
        opened,
        digest=chosen.digest,
        tags=chosen.tags,
        stored_bytes=sum(sizes),
        hidden_bytes=hidden,
    )


def _opened(
    folder: str, tree: Folder, config: Config, *, kind: str, layers: int
) -> OpenedImage:
    source = LayeredSource(root=folder, env=environment_of(config), tree=tree)
    return OpenedImage(source=source, kind=kind, config=config, layers=layers)


def _stack_layers(store: Store, chosen: Chosen) -> tuple[Folder, int]:
    tree, hidden = Folder(is_explicit=True), 0
    for name, value in zip(chosen.layers, chosen.digests, strict=True):
        digest = Digest(
            name=name, value=value, is_of_content=chosen.are_digests_of_content
        )
        hidden += stack(tree, store.layer(digest))
    return tree, hidden


def _open_store(path: str, indexer: LayerIndexer) -> tuple[Store | None, str]:
    """The store at a path and its kind; None for the tar of one root."""
    if os.path.isdir(path):
        is_oci = os.path.isfile(os.path.join(path, "index.json"))
        return FolderStore(path, indexer), "oci" if is_oci else "docker"
    try:
        with open(path, "rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if head.startswith(GZIP_MAGIC) or head == ZSTD_MAGIC:
        return _compressed_store(path, indexer)
    archive = TarStore(path, indexer)
    if "index.json" in archive:
        return archive, "oci"
    if "manifest.json" in archive:
        return archive, "docker"
    archive.close()
    return None, "tar"


def _compressed_store(path: str, indexer: LayerIndexer) -> tuple[Store | None, str]:
    """Looks at the first members: an image's own files, or those of a root?"""
    if not choose.looks_like_layout(path):
        return None, "tar"
    store = StreamStore(path, indexer)
    return store, "oci" if store.find("index.json") else "docker"
