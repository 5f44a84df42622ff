"""`python -m fwdoctor.matrices.refresh [torch|tensorflow] [VERSION…]`, for maintainers.

Measures releases from what was published and writes one record a release. A release
whose record is there is skipped unless it is asked for by version; what people wrote
under `authored` stays. Reads the index pip or uv is configured for, one connection at
a time.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from fwdoctor.errors import ExitCode, FwdoctorError, UsageError
from fwdoctor.matrices.companions import Companion, companions_of, read_companions
from fwdoctor.matrices.conda_pairs import infer_conda_pairs
from fwdoctor.matrices.folder_check import check_folder, find_unheard
from fwdoctor.matrices.index_reader import (
    IndexReadError,
    MissingPageError,
    find_index_url,
    read_project,
)
from fwdoctor.matrices.load import FRAMEWORKS, find_matrices_folder
from fwdoctor.matrices.measure_tensorflow import (
    MAIN_PACKAGE,
    SIBLINGS,
    is_of_release,
    measure_tensorflow,
)
from fwdoctor.matrices.measure_torch import measure_torch
from fwdoctor.matrices.measurement import Measurement, Options
from fwdoctor.matrices.pack import write_packed
from fwdoctor.matrices.pairs import infer_index_pairs, refresh_pairs
from fwdoctor.matrices.record_file import update_record
from fwdoctor.matrices.wheel_names import parse_wheels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fwdoctor.matrices.wheel_names import WheelName

MATRICES = find_matrices_folder()
FIRST_RELEASE = {"torch": Version("1.0"), "tensorflow": Version("1.13")}
COMPANIONS = {"torch": ("torchvision", "torchaudio"), "tensorflow": ("tf-keras",)}

Wheels = dict[str, tuple["WheelName", ...]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    try:
        return _run(_parser().parse_args(arguments))
    except FwdoctorError as error:
        _say_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted: what was measured is written, the same command goes on")
        return ExitCode.INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    """Refresh what was asked for; a framework that fails does not stop the other."""
    matrices = arguments.matrices
    versions = tuple(_version(text) for text in arguments.version)
    check_folder(matrices)
    failures = []
    for framework in (arguments.framework,) if arguments.framework else FRAMEWORKS:
        try:
            refresh(framework, versions, matrices, _options(arguments))
        except IndexReadError as error:
            _say_error(error)
            failures.append(error)
    if arguments.pairs:
        infer_index_pairs(matrices, today=_today())
        infer_conda_pairs(matrices, today=_today())
        refresh_pairs(matrices, today=_today(), say=_say)
    write_packed(matrices)
    return failures[0].exit_code if failures else ExitCode.OK


def refresh(
    framework: str, versions: Sequence[Version], matrices: Path, options: Options
) -> tuple[Path, ...]:
    """Measure releases of a framework; return the files that changed."""
    options.say(f"{framework}: reading the index")
    index_url = find_index_url()
    wheels = _read_wheels(index_url, framework)
    wanted = _select(framework, wheels[framework], versions, matrices)
    if not wanted:
        options.say(f"{framework}: nothing new")
        return ()
    companions = {
        name: read_companions(read_project(index_url, name), framework, say=options.say)
        for name in COMPANIONS[framework]
    }
    changed: list[Path] = []
    failed: list[str] = []
    for version in wanted:
        try:
            measurement = _measure(framework, version, wheels, options)
        except IndexReadError as error:
            options.say(f"{framework} {version}: {error.message}")
            failed.append(str(version))
            continue
        _add_companions(measurement, version, companions)
        path = matrices / framework / f"{version}.json"
        is_new = update_record(path, measurement, today=_today())
        changed += [path] if is_new else []
        options.say(f"{framework} {version}: {'written' if is_new else 'as before'}")
        for unheard in find_unheard(matrices, framework, str(version)):
            options.say(f"{framework} {version}: {unheard} yet: add it by hand")
    if failed:
        names = ", ".join(failed)
        raise IndexReadError("releases-unread", f"{framework} {names}: not measured")
    return tuple(changed)


def _select(
    framework: str,
    wheels: Iterable[WheelName],
    asked: Sequence[Version],
    matrices: Path,
) -> list[Version]:
    """Return the versions to measure: those asked for, else those without a record."""
    published = sorted({item.version for item in wheels})
    missing = set(asked) - set(published)
    if missing:
        names = ", ".join(map(str, sorted(missing)))
        raise UsageError("no-such-release", f"{framework} {names} is not on the index")
    if asked:
        return sorted(asked, reverse=True)
    final = [item for item in published if not item.is_prerelease]
    newest_final = max(final, default=FIRST_RELEASE[framework])
    candidates = [
        item
        for item in published
        if item >= FIRST_RELEASE[framework]
        and (not item.is_prerelease or item > newest_final)
    ]
    recorded = {path.stem for path in (matrices / framework).glob("*.json")}
    return sorted(
        (item for item in candidates if str(item) not in recorded), reverse=True
    )


def _read_wheels(index_url: str, framework: str) -> Wheels:
    names = (MAIN_PACKAGE, *SIBLINGS) if framework == MAIN_PACKAGE else (framework,)
    wheels = {framework: parse_wheels(read_project(index_url, framework))}
    if not wheels[framework]:
        raise IndexReadError(
            "no-wheels",
            f"the index has a page of {framework}, and no wheel on it",
            hint="check the index pip is configured for; it may want a login",
        )
    for name in names[1:]:
        with suppress(MissingPageError):  # a mirror need not carry every sibling
            wheels[name] = parse_wheels(read_project(index_url, name))
    return wheels


def _measure(
    framework: str, version: Version, wheels: Wheels, options: Options
) -> Measurement:
    of_version = {
        name: tuple(item for item in items if is_of_release(item.version, version))
        for name, items in wheels.items()
    }
    if framework == MAIN_PACKAGE:
        return measure_tensorflow(version, of_version, options)
    return measure_torch(version, of_version[framework], options)


def _add_companions(
    measurement: Measurement,
    version: Version,
    companions: Mapping[str, tuple[Companion, ...]],
) -> None:
    facts = measurement.facts.setdefault("companions", {})
    released = measurement.facts["released"]
    for name, known in companions.items():
        found = companions_of(version, released, known)
        if found:
            facts[name] = found
            measurement.add_source(
                f"PyPI metadata of the {name} releases",
                [f"companions.{name}"],
                "metadata",
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fwdoctor.matrices.refresh",
        description="Measure PyTorch and TensorFlow releases from the files on PyPI.",
    )
    parser.add_argument("framework", nargs="?", choices=FRAMEWORKS)
    parser.add_argument("version", nargs="*", help="measure again, even if recorded")
    parser.add_argument(
        "--no-fat-binaries",
        action="store_true",
        help="leave out PTX, which takes reading a part of the GPU library",
    )
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="also resolve which releases can share an environment (needs `uv`)",
    )
    parser.add_argument(
        "--matrices",
        type=Path,
        default=MATRICES,
        metavar="DIR",
        help="the folder to bring up to date",
    )
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    return Options(walk_fat_binaries=not arguments.no_fat_binaries, say=_say)


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise UsageError("not-a-version", f"`{text}` is not a version") from error


def _say_error(error: FwdoctorError) -> None:
    _say(f"error: {error.message}")
    if error.hint:
        _say(f"hint: {error.hint}")


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads it any more
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
