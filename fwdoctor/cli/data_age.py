"""Saying that the compatibility data are old; damaged data are told elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from fwdoctor.matrices.load import Matrices


def today() -> dt.date:
    """The day of the run."""
    import datetime as dt

    return dt.datetime.now(tz=dt.timezone.utc).date()


def find_note(matrices: Matrices, day: dt.date) -> str | None:
    """A sentence when the data are older than they should be on this day."""
    from fwdoctor.errors import MatrixError
    from fwdoctor.matrices.overview import age_note

    try:
        return age_note(matrices, day)
    except MatrixError:  # damage elsewhere is no reason to withhold an answer
        return None
