"""Which image of a layout is meant: by platform, by tag, or because there is one."""

from __future__ import annotations

import os
import platform as machine
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.image.documents import (
    Config,
    digest_of,
    inner,
    objects,
    parse_config,
    parse_json,
    parse_list,
    parse_runtime_config,
    text,
    texts,
)
from fwdoctor.image.errors import ImageError
from fwdoctor.image.limits import LIMITS
from fwdoctor.image.streams import open_layer
from fwdoctor.image.tar import TarReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.image.documents import Json
    from fwdoctor.image.store import Store

_DEPTH = 4  # indexes inside indexes
_NAME = "org.opencontainers.image.ref.name"
_ATTESTATION = "vnd.docker.reference.type"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "AMD64": "amd64"}
# Members looked at to tell an image from a root file system.
_PEEKED = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One image of a layout: its configuration, and its layers from the bottom up."""

    config: Config
    layers: tuple[str, ...]  # names in the store
    digests: tuple[str | None, ...]
    are_digests_of_content: bool
    digest: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    digest: str
    tags: tuple[str, ...]
    config: Config
    manifest: Json


def choose_image(store: Store, platform: str | None, tag: str | None) -> Chosen:
    """The image meant; raises ImageError naming the choices where several remain."""
    index = store.find("index.json")
    if index is not None:
        return _choose_oci(store, parse_json(index, "index.json"), platform, tag)
    manifest = store.find("manifest.json")
    if manifest is None:
        raise ImageError("the archive has neither index.json nor manifest.json")
    return _choose_docker(store, parse_list(manifest, "manifest.json"), platform, tag)


def _choose_oci(
    store: Store, index: Json, platform: str | None, tag: str | None
) -> Chosen:
    found = {c.digest: c for c in _iter_candidates(store, index, (), 0)}
    one = _only_one(list(found.values()), platform, tag)
    layers = objects(one.manifest, "layers")
    digests = tuple(digest_of(layer, "a layer") for layer in layers)
    for layer in layers:
        if text(layer, "mediaType").endswith("+encrypted"):
            raise ImageError("the layers of this image are encrypted")
    _check_count(digests)
    return Chosen(
        config=one.config,
        layers=tuple(blob_path(digest) for digest in digests),
        digests=digests,
        are_digests_of_content=False,
        digest=one.digest,
        tags=one.tags,
    )


def blob_path(digest: str) -> str:
    """Where a layout keeps the blob of a digest."""
    return f"blobs/{digest.replace(':', '/', 1)}"


def _check_count(layers: tuple[str, ...]) -> None:
    if len(layers) > LIMITS.layers:
        raise ImageError(f"the image has {len(layers)} layers, {LIMITS.layers} at most")


def _document(store: Store, descriptor: Json, what: str) -> tuple[str, Json]:
    """A document by its digest, which it must have."""
    import hashlib  # its first import costs, and only images need it

    digest = digest_of(descriptor, what)
    content = store.find(blob_path(digest))
    if content is None:
        raise ImageError(f"{what} {digest[:19]}… is named by the image and not in it")
    algorithm = digest.partition(":")[0]
    if hashlib.new(algorithm, content).hexdigest() != digest.partition(":")[2]:
        raise ImageError(
            f"{what} {digest[:19]}…: its content has another digest",
            hint="the image was damaged or changed after it was made",
        )
    return digest, parse_json(content, what)


def _iter_candidates(
    store: Store, index: Json, tags: tuple[str, ...], depth: int
) -> Iterator[_Candidate]:
    if depth > _DEPTH:
        raise ImageError("the image has too many indexes inside each other")
    for descriptor in objects(index, "manifests")[:1000]:
        annotations = inner(descriptor, "annotations")
        is_unknown = text(inner(descriptor, "platform"), "os") == "unknown"
        if _ATTESTATION in annotations or is_unknown:
            continue
        named = annotations.get("io.containerd.image.name") or annotations.get(_NAME)
        own = (*tags, named) if isinstance(named, str) else tags
        if not _is_here(store, descriptor):
            continue  # `docker save` names the platforms it left out
        digest, document = _document(store, descriptor, "manifest")
        if objects(document, "manifests"):
            yield from _iter_candidates(store, document, own, depth + 1)
            continue
        _, config = _document(store, inner(document, "config"), "configuration")
        yield _Candidate(
            digest=digest, tags=own, config=parse_config(config), manifest=document
        )


def _is_here(store: Store, descriptor: Json) -> bool:
    return store.find(blob_path(digest_of(descriptor, "manifest"))) is not None


def _only_one(
    found: list[_Candidate], platform: str | None, tag: str | None
) -> _Candidate:
    """By tag, by platform, and without --platform by the platform we run on."""
    if tag is not None:
        found = [c for c in found if any(_is_tag(tag, own) for own in c.tags)] or [
            _none_of("tag", tag, sorted({t for c in found for t in c.tags}))
        ]
    platforms = sorted({c.config.platform or "unknown" for c in found})
    if platform is not None:
        fitting = [c for c in found if _is_platform(platform, c.config)]
        if not fitting:
            raise _not_here("platform", platform, platforms)
        found = fitting
    elif len(found) > 1:
        here = f"linux/{_MACHINES.get(machine.machine(), machine.machine())}"
        found = [c for c in found if _is_platform(here, c.config)] or found
    if not found:
        raise ImageError("the layout holds no image")
    if len(found) > 1:
        tags = sorted({tag for c in found for tag in c.tags})
        raise ImageError(
            f"the layout holds {len(found)} images: {', '.join(tags or platforms)}",
            hint="choose one with --tag or --platform",
        )
    return found[0]


def _none_of(what: str, wanted: str, have: list[str]) -> _Candidate:
    raise _not_here(what, wanted, have)


def _not_here(what: str, wanted: str, have: list[str]) -> ImageError:
    listed = ", ".join(have) or "none"
    return ImageError(f"no image of {what} {wanted} here; there are: {listed}")


def _is_tag(wanted: str, own: str) -> bool:
    return own == wanted or own.rpartition(":")[2] == wanted


def _is_platform(wanted: str, config: Config) -> bool:
    """linux/arm64 means every variant of it, as arm64 and linux/aarch64 do."""
    have = config.platform or ""
    parts = wanted.lower().split("/")
    if len(parts) == 1:
        parts.insert(0, "linux")
    parts[1] = _MACHINES.get(parts[1], parts[1])
    plain = "/".join(parts)
    usual = plain.removesuffix("/v8") if parts[1] == "arm64" else plain
    return have in (plain, usual) or have.startswith(f"{plain}/")


def _choose_docker(
    store: Store, rows: list[Json], platform: str | None, tag: str | None
) -> Chosen:
    candidates = []
    for row in rows:
        name = posixpath.normpath(text(row, "Config")).lstrip("/")
        content = store.find(name)
        if content is None:
            raise ImageError(f"{name} is named by manifest.json and not in the archive")
        config = parse_config(parse_json(content, name))
        tags = texts(row, "RepoTags")
        candidates.append(
            _Candidate(digest=name, tags=tags, config=config, manifest=row)
        )
    one = _only_one(candidates, platform, tag)
    layers = tuple(
        posixpath.normpath(name).lstrip("/") for name in texts(one.manifest, "Layers")
    )
    _check_count(layers)
    if any(name.startswith("..") for name in layers):
        raise ImageError("manifest.json names a layer outside the archive")
    known: tuple[str | None, ...] = one.config.diff_ids
    return Chosen(
        config=one.config,
        layers=layers,
        digests=known if len(known) == len(layers) else (None,) * len(layers),
        are_digests_of_content=True,
        tags=one.tags,
    )


def parse_any_config(data: Json) -> Config:
    """A configuration file given by hand: of an image, of a bundle, or an `inspect`."""
    if inner(data, "process"):
        return parse_runtime_config(data)
    return parse_config(data if inner(data, "config") else {"config": data})


def looks_like_layout(path: str) -> bool:
    """Whether a compressed tar archive holds an image rather than a root's files."""
    name = os.path.basename(path)
    with open(path, "rb") as stream:
        for count, member in enumerate(TarReader(open_layer(stream, name), name)):
            first = member.name.removeprefix("./").partition("/")[0]
            is_documents = first in (
                "blobs",
                "oci-layout",
                "index.json",
                "manifest.json",
            )
            if is_documents or member.name.endswith(("/layer.tar", "/VERSION")):
                return True
            if member.kind == "file" and _is_hash_name(first):
                return True
            if count > _PEEKED:
                return False
    return False


def _is_hash_name(name: str) -> bool:
    return len(name.partition(".")[0]) == 64 and name.endswith((".json", ".tar"))
