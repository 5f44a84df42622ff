"""Installed packages of one Python, from dist-info, egg-info and conda-meta names.

Contents are read only where a name does not say enough: INSTALLER, direct_url.json,
and METADATA of framework and companion packages.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import Package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fwdoctor.probes.interpreter import Interpreter
    from fwdoctor.probes.source import Source

# Their requirements say what a framework was built to run with.
FRAMEWORKS = re.compile(
    r"torch|pytorch.*|tensorflow.*|tf-nightly.*|intel-tensorflow.*|libtorch"
)
COMPANIONS = re.compile(
    r"torch(vision|audio|text|data)|triton|keras|tf-keras|jax.*|xformers|flash-attn"
    r"|numpy|protobuf|tensorboard|tensorflow-.*|onnxruntime-gpu|cupy.*|bitsandbytes"
    r"|torch-(scatter|sparse|cluster|geometric)|mmcv.*|vllm|pytorch3d|detectron2|natten"
    r"|causal-conv1d|mamba-ssm"
)
HEAD_BYTES = 16_384
METADATA_BYTES = 262_144
_SEPARATORS = re.compile(r"[-_.]+")
_EGG_INFO = re.compile(r"(.+?)-(\d[^-]*)(?:-py\d.*)?")
_FIELD = re.compile(r"^(Name|Version|Requires-Dist):\s*(.+?)\s*$", re.MULTILINE)
_CHANNEL = re.compile(r'"(?:channel|schannel)"\s*:\s*"([^"]*)"')
_DEPENDS = re.compile(r'"depends"\s*:\s*(\[[^\]]*\])')


def normalise_name(name: str) -> str:
    """A distribution name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()


def find_site_folders(source: Source, interpreter: Interpreter) -> tuple[str, ...]:
    """Folders that Python would import packages from, in order, without the cwd."""
    folders: list[str] = list(_python_path(source))
    own = list(_own_folders(source, interpreter.prefix, interpreter))
    user = list(_user_folders(source, interpreter))
    base: list[str] = []
    if interpreter.sees_base and interpreter.home:
        base = list(_own_folders(source, interpreter.home, interpreter))
    if interpreter.kind == "venv":
        # Python's site module: own folder, then (if wanted) user, then the base.
        ordered = own + (user + base if interpreter.sees_base else [])
    else:
        ordered = user + own
    for folder in ordered:
        folders.append(folder)
        folders.extend(_path_files(source, folder))
    return _distinct(source, folders)


def find_own_folders(
    source: Source, interpreter: Interpreter, folders: Sequence[str]
) -> tuple[str, ...]:
    """Those of `folders` that belong to the environment: all but the outside ones."""
    outside = {*_python_path(source), *_user_folders(source, interpreter)}
    return tuple(folder for folder in folders if folder not in outside)


def find_unreadable(
    source: Source, interpreter: Interpreter, folders: Iterable[str]
) -> str | None:
    """The first folder on the way to the packages that may not be listed."""
    prefix = interpreter.prefix.rstrip("/")
    own = _own_folders(source, prefix, interpreter)
    wanted = (f"{prefix}/lib", *own, *folders)
    return next(filter(source.is_closed, wanted), None)


def _python_path(source: Source) -> Iterator[str]:
    yield from filter(source.is_dir, source.list_folders("PYTHONPATH"))


def _own_folders(
    source: Source, prefix: str, interpreter: Interpreter
) -> Iterator[str]:
    name = interpreter.lib_name
    prefixes = [prefix.rstrip("/")]
    if prefix == "/usr":
        prefixes.insert(0, "/usr/local")
    for root in prefixes:
        if name:
            if source.read_link(f"{root}/lib64") is None:  # a venv links it to lib
                yield f"{root}/lib64/{name}/site-packages"
            yield f"{root}/lib/{name}/site-packages"
            yield f"{root}/lib/{name}/dist-packages"
        yield f"{root}/Lib/site-packages"
    if prefix == "/usr":
        yield "/usr/lib/python3/dist-packages"  # Debian and Ubuntu


def _user_folders(source: Source, interpreter: Interpreter) -> Iterator[str]:
    home = source.env.get("HOME")
    base = source.env.get("PYTHONUSERBASE") or (f"{home}/.local" if home else None)
    if base and interpreter.lib_name and not source.env.get("PYTHONNOUSERSITE"):
        folder = f"{base}/lib/{interpreter.lib_name}/site-packages"
        if source.is_dir(folder):
            yield folder


def _path_files(source: Source, folder: str) -> Iterator[str]:
    """Folders that .pth files of `folder` add."""
    for name in source.list_dir(folder):
        if not name.endswith(".pth"):
            continue
        try:
            text = source.read_text(f"{folder}/{name}", HEAD_BYTES)
        except (OSError, ValueError):
            continue
        for line in text.splitlines():
            entry = line.strip()
            if not entry or entry.startswith(("#", "import ", "import\t")):
                continue
            added = posixpath.normpath(posixpath.join(folder, entry))
            if "\0" not in added and source.is_dir(added):
                yield added


def _distinct(source: Source, folders: Iterable[str]) -> tuple[str, ...]:
    """Existing folders, each once."""
    seen: dict[tuple[int, int], str] = {}
    for folder in folders:
        try:
            status = source.stat(folder)
        except (OSError, ValueError):
            continue
        seen.setdefault((status.st_dev, status.st_ino), folder)
    return tuple(seen.values())


def read_packages(
    source: Source, prefix: str, folders: Sequence[str], *, is_light: bool = False
) -> tuple[Package, ...]:
    """All installed packages, sorted by name; only frameworks if `is_light`.

    A package that conda installed stands there once, with its channel and build.
    """
    found: dict[tuple[str, str, str | None], Package] = {}
    conda = {p.name: p for p in _conda_packages(source, prefix, is_light=is_light)}
    for folder in folders:
        for package in _folder_packages(source, folder, is_light=is_light):
            known = conda.get(package.name)
            is_condas = known is not None and known.version == package.version
            merged = _merge(package, conda.pop(package.name)) if is_condas else package
            found[package.name, package.version, folder] = merged
    packages = [*found.values(), *conda.values()]
    return tuple(sorted(packages, key=lambda p: (p.name, p.version, p.location or "")))


def _merge(package: Package, conda: Package) -> Package:
    return Package(
        name=package.name,
        version=package.version,
        installer="conda",
        channel=conda.channel,
        build_string=conda.build_string,
        direct_url=package.direct_url,
        requires=package.requires or conda.requires,
        location=package.location,
    )


def _is_wanted(name: str) -> bool:
    return bool(FRAMEWORKS.fullmatch(name))


def _folder_packages(
    source: Source, folder: str, *, is_light: bool
) -> Iterator[Package]:
    for entry in source.list_dir(folder):
        stem, dot, ending = entry.rpartition(".")
        if not dot or ending not in ("dist-info", "egg-info") or not stem.isascii():
            continue
        if is_light and not _is_wanted(normalise_name(stem.partition("-")[0])):
            continue
        if ending == "dist-info":
            package = _from_dist_info(source, folder, stem)
        else:
            package = _from_egg_info(source, folder, stem)
        if package is not None:
            yield package


def _from_dist_info(source: Source, folder: str, stem: str) -> Package | None:
    raw_name, dash, version = stem.rpartition("-")
    if not dash or not raw_name or raw_name.startswith("~"):
        return None  # "~orch-2.1.0.dist-info": what pip leaves of a broken removal
    name = normalise_name(raw_name)
    path = f"{folder}/{stem}.dist-info"
    return Package(
        name=name,
        version=version,
        installer=_read_installer(source, path),
        direct_url=_read_direct_url(source, path),
        requires=_read_requires(source, path, name),
        location=folder,
    )


def _read_installer(source: Source, path: str) -> str | None:
    try:
        text = source.read_text(f"{path}/INSTALLER", 64)
    except (OSError, ValueError):
        return None
    words = text.split()
    return words[0].lower() if words else None


def _read_direct_url(source: Source, path: str) -> str | None:
    """Host and path of direct_url.json, without user, token or query."""
    try:
        text = source.read_text(f"{path}/direct_url.json", HEAD_BYTES)
    except (OSError, ValueError):
        return None
    return parse_direct_url(text)


def parse_direct_url(text: str) -> str | None:
    """Host and path of the URL in a direct_url.json; None when it has none."""
    from urllib.parse import urlsplit  # slow to import, rarely needed

    try:
        data = json.loads(text)
        url = data["url"] if isinstance(data, dict) else None
        parts = urlsplit(url) if isinstance(url, str) else None
        host = parts.hostname if parts else None
    except (ValueError, KeyError, RecursionError):
        return None
    if parts is None:
        return None
    return f"{host}{parts.path}" if host else f"{parts.scheme}:{parts.path}"


def _read_requires(source: Source, path: str, name: str) -> tuple[str, ...]:
    if not (FRAMEWORKS.fullmatch(name) or COMPANIONS.fullmatch(name)):
        return ()
    try:
        text = source.read_text(f"{path}/METADATA", METADATA_BYTES)
    except (OSError, ValueError):
        return ()
    return tuple(parse_metadata(text).get("Requires-Dist", ()))


def parse_metadata(text: str) -> dict[str, list[str]]:
    """Name, Version and Requires-Dist of a METADATA or PKG-INFO header."""
    header = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    fields: dict[str, list[str]] = {}
    for key, value in _FIELD.findall(header):
        fields.setdefault(key, []).append(value)
    return fields


def _from_egg_info(source: Source, folder: str, stem: str) -> Package | None:
    match = _EGG_INFO.fullmatch(stem)
    if match:
        name, version = match[1], match[2]
    else:
        path = f"{folder}/{stem}.egg-info"
        text = source.find_text(f"{path}/PKG-INFO") or source.find_text(path) or ""
        fields = parse_metadata(text)
        name = fields.get("Name", [stem])[0]
        version = fields.get("Version", [""])[0]
    if not version:
        return None
    return Package(name=normalise_name(name), version=version, location=folder)


def _conda_packages(
    source: Source, prefix: str, *, is_light: bool
) -> Iterator[Package]:
    folder = f"{prefix}/conda-meta"
    for entry in source.list_dir(folder):
        parts = entry.removesuffix(".json").rsplit("-", 2)
        if len(parts) != 3 or not entry.endswith(".json"):
            continue
        name = normalise_name(parts[0])
        if is_light and not _is_wanted(name):
            continue
        channel, requires = _read_conda_record(source, f"{folder}/{entry}")
        yield Package(
            name=name,
            version=parts[1],
            installer="conda",
            channel=channel,
            build_string=parts[2],
            requires=requires if FRAMEWORKS.fullmatch(name) else (),
        )


def _read_conda_record(source: Source, path: str) -> tuple[str | None, tuple[str, ...]]:
    """Channel and dependencies; the long list of files between is not parsed."""
    try:
        text = source.read_text(path, HEAD_BYTES)
        if not _CHANNEL.search(text):
            text = source.read_text(path)
    except (OSError, ValueError):
        return None, ()
    return parse_conda_record(text)


def parse_conda_record(text: str) -> tuple[str | None, tuple[str, ...]]:
    """Channel name and dependencies of a conda-meta record, even a truncated one."""
    found = _CHANNEL.search(text)
    depends = _DEPENDS.search(text)
    try:
        names = json.loads(depends[1]) if depends else []
    except ValueError:
        names = []
    requires = tuple(name for name in names if isinstance(name, str))
    return (_channel_name(found[1]) if found else None), requires


def _channel_name(text: str) -> str:
    """The name in e.g. `https://conda.anaconda.org/conda-forge/linux-64`."""
    path = text.partition("://")[2].partition("/")[2] if "://" in text else text
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and re.fullmatch(r"noarch|(linux|osx|win)-.*", parts[-1]):
        parts.pop()
    if "repo.anaconda.com" in text or parts[:1] == ["pkgs"]:
        return "defaults"
    return parts[-1] if parts else text
