"""Where the facts about a chosen build were had from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.model.plan import SourceNote

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.solve.candidates import Candidate

# "variants[@cu126/linux-x86_64].cudnn", "variants[torch/linux-x86_64]",
# "conda[conda-forge]"
_FIELD = re.compile(r"(variants|conda)\[(@?)([^/\]]*)/?([^\]]*)\]")


def sources_of(
    build: Candidate, platform: str, matrices: Matrices
) -> tuple[SourceNote, ...]:
    """The sources of this build's facts, as the release's record names them."""
    release = build.release
    data = matrices.raw(f"{release.framework}/{release.version}.json")
    rows = [*data.get("sources", ()), *data.get("authored", {}).get("sources", ())]
    return tuple(
        SourceNote(
            subject=f"{release.framework} {release.version}",
            source=row["source"],
            confidence=row["confidence"],
            retrieved=row.get("retrieved", ""),
        )
        for row in rows
        if any(_is_about(text, build, platform) for text in row.get("fields", ()))
    )


def _is_about(text: str, build: Candidate, platform: str) -> bool:
    found = _FIELD.match(text)
    if found is None:
        return False
    table, at_index, name, where = found.groups()
    variant = build.variant
    if table == "conda":
        return bool(variant.build) and name == variant.index
    if variant.build or (where not in ("", "*") and where != platform):
        return False
    is_elsewhere = variant.index.startswith("https://")
    if bool(at_index) != is_elsewhere:
        return False
    wanted = variant.variant if at_index else variant.package
    return name in ("*", wanted) or (
        name.endswith("*") and wanted.startswith(name[:-1])
    )
