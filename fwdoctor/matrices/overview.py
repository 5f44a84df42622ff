"""What the matrices hold, and how old it is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.load import FRAMEWORKS
from fwdoctor.matrices.query_pairs import FILES as PAIR_FILES
from fwdoctor.matrices.query_pairs import list_pairs
from fwdoctor.matrices.table_rows import TABLES, find_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeGuard

    from fwdoctor.matrices.answers import Answer
    from fwdoctor.matrices.load import Matrices

MAX_AGE_DAYS = 90
PAIRS = "pairs"
TOPICS = (*FRAMEWORKS, PAIRS, *TABLES)


def overview(matrices: Matrices, today: dt.date) -> Answer:
    """What there is, and how old it is."""
    tables = []
    for topic in TOPICS:
        names = _names(matrices, topic)
        dates = sorted(_dates(matrices, topic))
        tables.append(
            {
                "topic": topic,
                "records": len(names),
                "first": names[0] if names else None,
                "last": names[-1] if names else None,
                "retrieved": dates[-1] if dates else None,
            }
        )
    date = data_date(matrices)
    age = (today - date).days if date else None
    return {"tables": tables, "retrieved": str(date) if date else None, "age_days": age}


def data_date(matrices: Matrices) -> dt.date | None:
    """The day the newest of the sources was read; None without any."""
    found = sorted(date for topic in TOPICS for date in _dates(matrices, topic))
    return dt.date.fromisoformat(found[-1]) if found else None


def age_note(matrices: Matrices, today: dt.date) -> str | None:
    """A sentence when the data are older than they should be."""
    date = data_date(matrices)
    if date is None or (today - date).days <= MAX_AGE_DAYS:
        return None
    days = (today - date).days
    return f"the compatibility data are {days} days old ({date}): upgrade fwdoctor"


def _names(matrices: Matrices, topic: str) -> list[str]:
    if topic in FRAMEWORKS:
        return list(matrices.versions(topic))
    if topic == PAIRS:
        pairs = reversed(list_pairs(matrices))
        return [f"{pair['torch']} + {pair['tensorflow']}" for pair in pairs]
    key = {"driver": "branch", "gpu": "name"}.get(topic, "version")
    names = [str(row[key]) for row in find_rows(matrices, topic)]
    return sorted(names, key=str.lower) if topic == "gpu" else names


def _dates(matrices: Matrices, topic: str) -> Iterator[str]:
    """Days on which the sources of a topic were read."""
    field = "records" if topic == PAIRS else "sources"
    for name in _files(matrices, topic):
        for key, source in _items(matrices.raw(name).get(field)):
            day = source.get("retrieved") if isinstance(source, dict) else None
            if not _is_day(day):
                where = f"{matrices.folder / name}: field {field}[{key}].retrieved"
                raise MatrixError("matrix-damaged", f"{where}: not a day")
            yield day


def _items(values: object) -> Iterable[tuple[object, object]]:
    """Keys or numbers of an object's or a list's values; one bad value of others."""
    if isinstance(values, dict):
        return values.items()
    return enumerate(values if isinstance(values, list) else [values])


def _files(matrices: Matrices, topic: str) -> Iterable[str]:
    if topic == PAIRS:
        return PAIR_FILES.values()
    if topic in TABLES:
        return [TABLES[topic]]
    return [f"{topic}/{version}.json" for version in matrices.versions(topic)]


def _is_day(value: object) -> TypeGuard[str]:
    try:
        return isinstance(value, str) and str(dt.date.fromisoformat(value)) == value
    except ValueError:
        return False
