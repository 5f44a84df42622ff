"""What the programs that resolve are given, and what their answers say. Pure.

uv resolves wheels, conda-lock (with conda, mamba, micromamba or py-rattler) conda
packages; neither is imported.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fwdoctor.envs.platforms import conda_subdir, uv_platform
from fwdoctor.solve.commands import index_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwdoctor.model.plan import PlanEnvironment

_ARCHSPEC = {"linux-64": "1 x86_64", "linux-aarch64": "1 aarch64", "win-64": "1 x86_64"}
# A GNU/Linux kernel every current system has; conda's own default.
_LINUX = "5.10"
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_CUDA_WHEEL = re.compile(r"nvidia-([a-z]+)-cu(\d+)")


# Wheels, through uv


def uv_requirements(planned: PlanEnvironment) -> str:
    """The pins as requirements, for uv's standard input."""
    lines = [index_option(url) for url in planned.channels]
    lines.extend(pin.requirement for pin in planned.pins)
    return "\n".join(lines) + "\n"


def uv_compile_words(
    planned: PlanEnvironment,
    platform: str,
    *,
    is_pylock: bool,
    glibc: str | None = None,
) -> list[str]:
    """Words after `uv` that resolve the pins for another machine's Python."""
    words = ["pip", "compile", "-", "--python-version", planned.python]
    name = uv_platform(platform, glibc)
    if name is not None:
        words += ["--python-platform", name]
    words += ["--only-binary", ":all:", "--no-header", "--quiet", "--no-annotate"]
    if planned.channels:
        words += ["--index-strategy", "unsafe-best-match"]
    if is_pylock:
        words += ["--format", "pylock.toml", "--output-file", "pylock.toml"]
    return words


def uv_variables(planned: PlanEnvironment) -> dict[str, str]:
    """Variables that show uv the planned Mac, not the oldest that it knows."""
    macos = planned.virtual_packages.get("__osx")
    return {"MACOSX_DEPLOYMENT_TARGET": macos} if macos else {}


def resolved_wheels(text: str) -> dict[str, str]:
    """Names and versions of `uv pip compile`'s answer."""
    return {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version in _PINNED.findall(text)
    }


# conda packages


def virtual_packages_yaml(planned: PlanEnvironment, platform: str) -> str:
    """The machine for conda-lock, whose own default is a CUDA nobody asked for."""
    subdir = conda_subdir(platform)
    found: dict[str, str] = {"__unix": "0", "__linux": _LINUX}
    if not platform.startswith("linux"):
        found = {"__win": "0"} if platform.startswith("windows") else {"__unix": "0"}
    if subdir in _ARCHSPEC:
        found["__archspec"] = _ARCHSPEC[subdir]
    found.update(planned.virtual_packages)
    lines = [
        f"    {name}: {json.dumps(value)}" for name, value in sorted(found.items())
    ]
    rows = "\n".join(f"  {line}" for line in lines)
    return f"subdirs:\n  {subdir}:\n    packages:\n{rows}\n"


def conda_lock_words(platform: str, conda: str) -> list[str]:
    """Words after `conda-lock` that lock environment.yml in the current folder."""
    words = ["lock", "--conda", conda, "--no-mamba", "--no-micromamba"]
    words += ["--file", "environment.yml", "--platform", conda_subdir(platform)]
    words += ["--virtual-package-spec", "virtual-packages.yml"]
    return [*words, "--lockfile", "conda-lock.yml", "--kind", "lock"]


def conda_dry_run_words(planned: PlanEnvironment, prefix: str) -> list[str]:
    """Words after `conda` that resolve the environment without making it."""
    words = ["create", "--prefix", prefix, "--dry-run", "--json", "--override-channels"]
    for channel in planned.channels:
        words += ["--channel", channel]
    specs = [pin.match_spec for pin in planned.pins]
    return [*words, f"python={planned.python}", *specs]


def conda_overrides(planned: PlanEnvironment, platform: str) -> dict[str, str]:
    """Variables that show conda the planned machine instead of this one."""
    found = {"CONDA_SUBDIR": conda_subdir(platform)}
    for name, value in planned.virtual_packages.items():
        found[f"CONDA_OVERRIDE_{name.strip('_').upper()}"] = value
    if "__cuda" not in planned.virtual_packages:
        found["CONDA_OVERRIDE_CUDA"] = ""
    return found


def resolved_conda(text: str) -> dict[str, str]:
    """Names and versions of a dry run's answer; {} where it has none."""
    begin = text.find("{")
    try:
        data = json.loads(text[begin:]) if begin >= 0 else {}
        rows = data["actions"]["LINK"]
        return {row["name"]: row["version"] for row in rows}
    except (ValueError, KeyError, TypeError):
        return {}


# What was resolved against what was planned


def differences(planned: PlanEnvironment, resolved: Mapping[str, str]) -> Iterator[str]:
    """Where the resolution is not the plan, or would break what it promises."""
    for pin in planned.pins:
        found = resolved.get(re.sub(r"[-_.]+", "-", pin.name).lower())
        if found is None:
            yield f"{pin.name} is not in the resolution"
        elif pin.is_exact and not _agrees(pin.full_version, found):
            yield f"{pin.name} {found} was resolved, {pin.full_version} was planned"
    yield from _mixed_majors(resolved)


def _agrees(planned: str, found: str) -> bool:
    if planned.endswith(".*"):
        return found.startswith(planned[:-1])
    return found == planned or found.startswith(f"{planned}.")


def _mixed_majors(resolved: Mapping[str, str]) -> Iterator[str]:
    """Wheels of two CUDA majors that own the same files."""
    majors: dict[str, set[str]] = {}
    for name in resolved:
        match = _CUDA_WHEEL.fullmatch(name)
        if match:
            majors.setdefault(match[1], set()).add(match[2])
    for name, found in sorted(majors.items()):
        if len(found) > 1:
            both = " and ".join(f"nvidia-{name}-cu{major}" for major in sorted(found))
            yield f"{both} would overwrite each other's files"
