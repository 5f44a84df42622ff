"""The answer of one compatibility question."""

from __future__ import annotations

from typing import Literal

from fwdoctor.model.lazy_dataclass import dataclass

How = Literal[
    "native",
    "same-major-cubin",
    "ptx-jit",
    "minor-version",
    "forward-compat",
    "newer-than-tables",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`ok` is True, False, or None for unknown; `reason` is one sentence in words."""

    ok: bool | None
    reason: str
    how: How | None = None
    needs: str | None = None  # the least version that would do, where there is one
    source: str | None = None
