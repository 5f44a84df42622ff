"""A program that answers like conda and only solves: `python -m …conda_stand_in`.

conda-lock drives an external conda. Where there is none, this takes its place:
`create --dry-run --json`, `info --json` and `--version`, solved by py-rattler (the one
module that knows its API, which moves between minor versions). Virtual packages come
from the channel conda-lock makes of them, else from CONDA_OVERRIDE_*.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

VERSION = "conda 24.1.0"  # what conda-lock asks for is an age, not a truth


def main(words: list[str]) -> int:
    """Answer one call; the exit status."""
    if "--version" in words or "-V" in words:
        print(VERSION)
        return 0
    if words[:1] == ["info"]:
        print(json.dumps({"pkgs_dirs": [], "conda_version": VERSION.split()[1]}))
        return 0
    if words[:1] not in (["create"], ["install"], ["update"]):
        print(json.dumps({"message": f"cannot {' '.join(words[:1])}: it only solves"}))
        return 1
    asked = _parser().parse_intermixed_args(words[1:])
    try:
        records = asyncio.run(_solve(asked.channel, asked.specs))
    except Exception as error:  # conda's way: the reason as JSON, then status 1
        print(json.dumps({"message": str(error), "success": False}))
        return 1
    actions = {"FETCH": records, "LINK": records}
    print(json.dumps({"success": True, "dry_run": True, "actions": actions}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--prefix", "-p")
    parser.add_argument("--channel", "-c", action="append", default=[])
    for flag in ("--dry-run", "--json", "--override-channels", "--no-deps", "--yes"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--strict-channel-priority", action="store_true")
    parser.add_argument("specs", nargs="*", default=[])
    return parser


async def _solve(channels: list[str], specs: list[str]) -> list[dict[str, Any]]:
    import rattler

    subdir = os.environ.get("CONDA_SUBDIR", "linux-64")
    real = [c for c in channels if c != "nodefaults" and not _virtual_of(c, subdir)]
    facts = {
        name: version
        for channel in channels
        for name, version in _virtual_of(channel, subdir).items()
    } or _overrides()
    wanted = [_match_spec(spec) for spec in specs if not spec.startswith("__")]
    records = await rattler.solve(
        real,
        wanted,
        platforms=[subdir, "noarch"],
        virtual_packages=[_virtual(name, text) for name, text in facts.items()],
    )
    return [_row(record) for record in records]


def _match_spec(spec: str) -> Any:
    """Conda's spelling for py-rattler's stricter parser: parts by blanks."""
    import rattler

    plain = re.fullmatch(r"([\w.-]+)\s*==?\s*([^=\s\[\]]+)=([^=\s\[\]]+)", spec)
    if plain:
        name, version, build = plain.groups()
        return rattler.MatchSpec(f"{name} {_version(version)} {build}")
    loose = re.fullmatch(r"([\w.-]+)=([\d.]+)(?:\.\*)?", spec)
    if loose:
        return rattler.MatchSpec(f"{loose[1]} {_version(loose[2])}")
    return rattler.MatchSpec(spec)


def _version(text: str) -> str:
    is_plain = re.fullmatch(r"[\d.]+", text) is not None
    return f"{text.rstrip('.')}.*" if is_plain else text


def _virtual(name: str, text: str) -> Any:
    from rattler import BuildString, GenericVirtualPackage, PackageName, Version

    version, _, build = text.partition(" ")
    return GenericVirtualPackage(
        PackageName(name), Version(version), BuildString(build or "0")
    )


def _virtual_of(channel: str, subdir: str) -> dict[str, str]:
    """The virtual packages of conda-lock's channel of them; {} for a real one."""
    parts = urlsplit(channel)
    folder = unquote(parts.path) if parts.scheme == "file" else channel
    found: dict[str, str] = {}
    for place in (subdir, "noarch"):
        try:
            text = Path(folder, place, "repodata.json").read_text(encoding="utf-8")
            packages = json.loads(text).get("packages", {})
        except (OSError, ValueError):
            continue
        for row in packages.values():
            if row.get("name", "").startswith("__"):
                build = str(row.get("build_string") or "")
                found[row["name"]] = f"{row['version']} {build}".strip()
    return found


def _overrides() -> dict[str, str]:
    """What CONDA_OVERRIDE_* say; a plain Linux otherwise."""
    found = {"__unix": "0", "__linux": "5.10", "__glibc": "2.28"}
    for name in ("cuda", "glibc", "linux", "archspec"):
        value = os.environ.get(f"CONDA_OVERRIDE_{name.upper()}")
        if value:
            found[f"__{name}"] = value
    return found


def _row(record: Any) -> dict[str, Any]:
    """A record as conda prints it."""
    row: dict[str, Any] = json.loads(record.to_json())
    url = str(record.url)
    file_name = url.rpartition("/")[2]
    dist_name = re.sub(r"\.(conda|tar\.bz2)$", "", file_name)
    row.update(
        {
            "url": url,
            "fn": file_name,
            "dist_name": dist_name,
            "base_url": url.rpartition("/")[0].rpartition("/")[0],
            "channel": url.rpartition("/")[0].rpartition("/")[0],
            "platform": record.subdir,
            "build_string": row.get("build"),
        }
    )
    return row


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # one native crash was seen at a normal exit after a solve
