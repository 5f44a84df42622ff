"""Wishes our data cannot date: nightly builds, other makers' builds, wrong names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.solve.command_text import iter_unknown_variables

if TYPE_CHECKING:
    from fwdoctor.solve.install_line import InstallLine, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class OddWish:
    """What is odd about it, and whether it serves no NVIDIA GPU at all."""

    what: str
    is_elsewhere: bool = False


_MAKERS = (
    (re.compile(r"rocm[\d.]*"), "AMD GPUs"),
    (re.compile(r"(?<![a-z])xpu(?![a-z])"), "Intel GPUs"),
    (re.compile(r"directml"), "DirectML on Windows"),
)
_DECIDING = re.compile(r"torch|tensorflow|cuda|whl|^-|index", re.IGNORECASE)


def odd_wish(line: InstallLine, item: Item) -> OddWish | None:
    """Why our data cannot say what the line gives; None for an ordinary wish."""
    unsaid = _unsaid(line)
    if unsaid:
        names = " and ".join(f"${name}" for name in unsaid)
        return OddWish(what=f"what it gives hangs on {names}, which is not said")
    words = (item.name, item.label or "", item.channel or "", *line.sources)
    for pattern, whom in _MAKERS:
        if any(pattern.search(word) for word in words):
            what = f"builds for {whom}: they use no NVIDIA GPU through CUDA"
            return OddWish(what=what, is_elsewhere=True)
    if item.name == "pytorch" and not line.is_conda:
        what = "`pytorch` on PyPI is a placeholder that refuses to install: it is torch"
        return OddWish(what=what, is_elsewhere=True)
    if any("nightly" in word for word in words):
        what = (
            "nightly builds: an index keeps those of the last weeks, and our data hold"
            " final releases only"
        )
        return OddWish(what=what)
    if any("/whl/test" in word for word in words):
        return OddWish(what="release candidates: our data hold final releases only")
    if item.name in ("nvidia-tensorflow", "tensorflow-macos", "tensorflow-metal"):
        return OddWish(what=f"our data do not hold the builds of {item.name}")
    if line.is_auto:
        what = "uv chooses among PyTorch's indexes by the driver alone, not by the GPU"
        return OddWish(what=what)
    return None


def _unsaid(line: InstallLine) -> list[str]:
    """Variables without a value in the words that decide which build is given."""
    words = (word for word in line.text.split() if _DECIDING.search(word))
    found = (name for word in words for name in iter_unknown_variables(word))
    return list(dict.fromkeys(found))
