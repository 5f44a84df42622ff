"""Lines that name installed packages: pip's and conda's ways to write them.

Shared by every parser that meets such lines; which lines are a list is their business.
"""

from __future__ import annotations

import re
from typing import Final

from fwdoctor.model.snapshot import Package

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,60}[A-Za-z0-9])?"
_VERSION = r"v?\d[A-Za-z0-9.!+_*-]{0,60}"
# torch==2.0.1+cu117, jax[cuda11_pip]==0.4.13, torch===1.3.0
_FREEZE = re.compile(
    rf"(?P<name>{_NAME})(?:\[[^\]\n]{{0,60}}\])? ?={{2,3}} ?(?P<version>{_VERSION})"
)
# torch @ https://…/torch-2.1.0%2Bcu118-cp310-cp310-linux_x86_64.whl
_DIRECT = re.compile(
    rf"(?P<name>{_NAME}) ?@ ?(?P<url>(?:https?|file|git\+\w{{1,8}})://\S{{1,400}})"
)
_WHEEL = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.]{0,60})-(?P<version>\d[A-Za-z0-9.!+_%]{0,60})"
    r"(?:-\d{1,4})?-(?P<python>(?:cp|py|pp)[\w.]{1,20})-(?P<abi>[\w.]{1,24})"
    r"-(?P<platform>[\w.]{1,80})\.whl"
)
# torch    2.0.1    and the older    torch (2.0.1)
_TABLE = re.compile(rf"(?P<name>{_NAME})[ \t]+\(?(?P<version>{_VERSION})\)?(?=[ \t]|$)")
# pytorch  1.9.0  py3.8_cuda11.1_cudnn8.0.5_0  pytorch
_CONDA = re.compile(
    rf"(?P<name>{_NAME})[ \t]+(?P<version>{_VERSION})"
    r"(?:[ \t]+(?P<build><pip>|[A-Za-z0-9][\w.+-]{0,80}))?(?:[ \t]+"
    r"(?P<channel>[\w./:-]{1,80}))?"
)
# - pytorch=1.9.0=py3.8_cpu_0, cudatoolkit=10.0.130=0
_EXPORT = re.compile(
    rf"(?:(?P<channel>[\w-]{{1,40}})::)?(?P<name>{_NAME})="
    rf"(?P<version>{_VERSION}?)(?:=(?P<build>[\w.+-]{{1,80}}))?"
)
_FEATURES = re.compile(r"[ \t]\[[\w,-]{1,40}\](?=[ \t]|$)")  # of older conda lists
_SEPARATORS = re.compile(r"[-_.]+")
_CHANNELS: Final = frozenset(
    {
        *("pytorch", "conda-forge", "defaults", "nvidia", "pkgs/main", "anaconda"),
        *("main", "pytorch-nightly", "pytorch-test", "rapidsai", "fastai", "intel"),
        *("pypi", "<pip>", "xformers", "pyg", "pytorch3d", "huggingface", "bioconda"),
        *("fvcore", "iopath"),
    }
)
WheelName = re.Match[str]


def normalise_name(name: str) -> str:
    """A distribution name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()


def package(name: str, version: str, installer: str | None = None) -> Package:
    """A package of which no more than name and version is known."""
    return Package(name=normalise_name(name), version=version, installer=installer)


def parse_freeze_line(line: str) -> Package | None:
    """`name==version`, or `name @ url` where the file name tells the version."""
    text = line.strip()
    found = _FREEZE.match(text)
    if found:
        return package(found["name"], found["version"].rstrip(".*"))
    direct = _DIRECT.match(text)
    wheel = find_wheel(direct["url"]) if direct else None
    if direct and wheel:
        place = direct["url"].split("#")[0].split("?")[0]
        return Package(
            name=normalise_name(direct["name"]),
            version=wheel_version(wheel),
            direct_url=place if place.startswith("http") else None,
        )
    return None


def parse_table_line(line: str) -> Package | None:
    """`name   version` of pip list, or `name (version)` of old ones."""
    found = _TABLE.match(line.strip())
    return package(found["name"], found["version"].rstrip(".,")) if found else None


def parse_conda_line(line: str) -> Package | None:
    """`name version build channel` of conda list, with or without the last two."""
    text = _FEATURES.sub("", line.strip())
    exported = _EXPORT.fullmatch(text.removeprefix("- ").strip())
    found = exported or _CONDA.fullmatch(text)
    if not found:
        aside = _TABLE.match(text)
        return _conda(aside["name"], aside["version"], None, None) if aside else None
    return _conda(found["name"], found["version"], found["build"], found["channel"])


def _conda(name: str, version: str, build: str | None, channel: str | None) -> Package:
    if build in _CHANNELS and channel is None:
        build, channel = None, build
    plain = (channel or "").rsplit("/", 1)[-1]
    is_pip = plain in ("pypi", "<pip>") or build in ("<pip>", "pypi_0")
    return Package(
        name=normalise_name(name),
        version=version,
        installer="pip" if is_pip else "conda",
        channel=None if is_pip else _CHANNEL_NAMES.get(plain, plain) or None,
        build_string=None if is_pip else build,
    )


_CHANNEL_NAMES = {"main": "defaults", "anaconda": "defaults", "r": "defaults"}


def find_wheel(text: str) -> WheelName | None:
    """The first wheel file name in a text, taken apart."""
    return _WHEEL.search(text)


def wheel_version(wheel: WheelName) -> str:
    """The version in a wheel's name, its + unquoted."""
    return wheel["version"].replace("%2B", "+").replace("%2b", "+").replace("%21", "!")
