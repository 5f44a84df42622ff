"""What the answers out of the matrices share: versions that are meant or unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwdoctor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.version import Version

    from fwdoctor.matrices.record import Record

Answer = dict[str, Any]
LATEST = ("latest", "newest")
_SHOWN = 4


def read_source(row: Record) -> Answer:
    """A source as a file lists it, with the day on which it was read."""
    return {
        "source": row.text("source"),
        "fields": list(row.texts("fields")),
        "confidence": row.text("confidence"),
        "retrieved": row.get("retrieved", str),
    }


def without_facts(row: Answer) -> Answer:
    """A row without the notes on where its fields come from."""
    return {key: value for key, value in row.items() if key != "facts"}


def text_or_none(value: object | None) -> str | None:
    """A version as text."""
    return None if value is None else str(value)


def texts(values: Iterable[object]) -> list[str]:
    """Versions as texts."""
    return [str(value) for value in values]


def find_version(wanted: str, known: Sequence[str]) -> str | None:
    """The version that is meant, of versions from the oldest to the newest.

    A line such as "2.5" means its newest final release, "latest" the newest of all.
    """
    if wanted in known:
        return wanted
    is_latest = wanted.lower() in LATEST
    if is_latest or wanted.count(".") == 1:
        line = [name for name in known if is_latest or name.startswith(f"{wanted}.")]
        return _newest_final(line)
    version = parse_version(wanted) if "." in wanted else None
    return next((n for n in known if version and parse_version(n) == version), None)


def _newest_final(known: Sequence[str]) -> str | None:
    parsed = [(name, parse_version(name)) for name in known]
    final = [name for name, version in parsed if version and not version.is_prerelease]
    return (final or known)[-1] if known else None


def unknown_version(what: str, wanted: str, known: Sequence[str]) -> UsageError:
    """The error for a version that is not in the data, with its neighbours in it."""
    newest = f"the newest in our data is {known[-1]}" if known else None
    return not_here(what, find_neighbours(wanted, known), newest)


def not_here(what: str, close: Iterable[str], otherwise: str | None) -> UsageError:
    """The error for a name that is not in the data, with what may have been meant."""
    names = ", ".join(close)
    hint = f"did you mean {names}?" if names else ""
    if otherwise:
        hint = f"{hint} ({otherwise})" if hint else otherwise
    hint = hint or "`fwdoctor matrix` lists what there is"
    return UsageError("not-in-our-data", f"{what} is not in our data", hint=hint)


def find_neighbours(wanted: str, known: Sequence[str]) -> list[str]:
    """The newest of a line such as "12"; else the versions just before and after."""
    of_line = [name for name in reversed(known) if name.startswith(f"{wanted}.")]
    if of_line:
        return of_line[:_SHOWN]
    version = parse_version(wanted)
    parsed = [(parse_version(name), name) for name in known]
    if version is None:
        return []
    before = [name for other, name in parsed if other and other < version][-1:]
    after = [name for other, name in parsed if other and other > version][:1]
    return [*before, *after] if after else []


def parse_version(text: str) -> Version | None:
    """A version that can be compared; None for other texts."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None
