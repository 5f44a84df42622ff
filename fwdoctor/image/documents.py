"""The JSON documents of an image: index, manifest, configuration; none is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fwdoctor.image.errors import ImageError

_DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_ENV_LIMIT = 1000
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a container of the image starts with."""

    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = "/"
    os: str | None = None
    architecture: str | None = None
    variant: str | None = None
    diff_ids: tuple[str, ...] = ()

    @property
    def platform(self) -> str | None:
        """As `--platform` names it: linux/amd64, linux/arm64/v8."""
        parts = (self.os, self.architecture, self.variant)
        return "/".join(part for part in parts if part) or None


def parse_json(content: bytes, name: str) -> Json:
    """A JSON object, or ImageError naming the document."""
    return _object(_load(content, name), name)


def parse_list(content: bytes, name: str) -> list[Json]:
    """A JSON list of objects, or ImageError naming the document."""
    data = _load(content, name)
    if not isinstance(data, list):
        raise ImageError(f"{name} is not a JSON list")
    return [_object(row, name) for row in data]


def _load(content: bytes, name: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{name} is not JSON: {error}") from error


def _object(data: Any, name: str) -> Json:
    if not isinstance(data, dict):
        raise ImageError(f"{name} is not a JSON object")
    return data


def objects(data: Json, key: str) -> list[Json]:
    """The objects listed under `key`; anything else is left out."""
    rows = data.get(key)
    return [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []


def texts(data: Json, key: str) -> tuple[str, ...]:
    """The texts listed under `key`; anything else is left out."""
    rows = data.get(key)
    return (
        tuple(r for r in rows if isinstance(r, str)) if isinstance(rows, list) else ()
    )


def inner(data: Json, key: str) -> Json:
    """The object under `key`, empty when there is none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def text(data: Json, key: str) -> str:
    """The text under `key`, empty when there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def digest_of(descriptor: Json, name: str) -> str:
    """The digest of a descriptor, checked for its form: it becomes a file name."""
    digest = text(descriptor, "digest")
    if not _DIGEST.fullmatch(digest):
        raise ImageError(f"{name}: {digest[:80]!r} is not a digest")
    return digest


def parse_config(data: Json) -> Config:
    """The image configuration of OCI and Docker (they agree where we look)."""
    run = inner(data, "config")
    pairs = [line.partition("=") for line in texts(run, "Env")[:_ENV_LIMIT]]
    labels = inner(run, "Labels")
    entrypoint, command = texts(run, "Entrypoint"), texts(run, "Cmd")
    return Config(
        env={name: value for name, _, value in pairs if name},
        labels={k: v for k, v in labels.items() if isinstance(v, str)},
        entrypoint=entrypoint,
        command=command,
        user=text(run, "User"),
        working_dir=text(run, "WorkingDir") or "/",
        os=text(data, "os") or None,
        architecture=text(data, "architecture") or None,
        variant=text(data, "variant") or None,
        diff_ids=texts(inner(data, "rootfs"), "diff_ids"),
    )


def parse_runtime_config(data: Json) -> Config:
    """The config.json of an OCI runtime bundle, beside its `rootfs`."""
    process = inner(data, "process")
    pairs = [line.partition("=") for line in texts(process, "env")[:_ENV_LIMIT]]
    return Config(
        env={name: value for name, _, value in pairs if name},
        command=texts(process, "args"),
        working_dir=text(process, "cwd") or "/",
    )
