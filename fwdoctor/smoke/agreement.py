"""Do two trainings that must be the same have the same losses?

Pure. Weights and batches are the same everywhere, so the losses may differ by float
noise only. That noise was measured (docs/smoke.md): the tolerance of a preset is
NOISE_FACTOR times the largest deviation seen between sound runs.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.smoke.dataset import BUNDLED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WINDOW = 10  # steps averaged: single steps jump
NOISE_FACTOR = 10.0
LEAST_TOLERANCE = 0.01
# The first loss is one forward pass with given weights: rounding only.
FIRST_STEP = 1e-4
REFERENCE_FILE = os.path.join(BUNDLED, "reference.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Losses of float64 training on one data set, and the noise seen around them."""

    checksum: str  # of the data set
    curves: Mapping[str, tuple[float, ...]]
    noise: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Whether two curves agree, and a line that says how closely."""

    is_close: bool
    text: str


def read_reference() -> Reference:
    """The curves that come with the bundled subset."""
    with open(REFERENCE_FILE, encoding="utf-8") as stream:
        data = json.load(stream)
    return Reference(
        checksum=data["checksum"],
        curves={name: tuple(curve) for name, curve in data["curves"].items()},
        noise=data["noise"],
    )


def tolerance_for(reference: Reference, preset: str) -> float:
    """How far the mean of WINDOW losses may be off for this preset."""
    noise = reference.noise.get(preset, 0.0)
    return max(NOISE_FACTOR * noise, LEAST_TOLERANCE)


def deviations(curve: Sequence[float], other: Sequence[float]) -> list[float]:
    """Mean difference over each window, as far as both curves go."""
    off = [abs(one - two) for one, two in zip(curve, other, strict=False)]
    windows = [off[begin : begin + WINDOW] for begin in range(0, len(off), WINDOW)]
    return [sum(window) / len(window) for window in windows]


def compare(
    curve: Sequence[float], other: Sequence[float], name: str, tolerance: float
) -> Agreement:
    """Compare as many steps as both have; `name` says what the other one is."""
    count = min(len(curve), len(other))
    if count == 0:
        return Agreement(is_close=False, text=f"no losses to compare with {name}")
    first = abs(curve[0] - other[0])
    if not first <= FIRST_STEP:
        text = (
            f"the first loss is {curve[0]:.4f}, {name} has {other[0]:.4f}"
            " from the same weights and images"
        )
        return Agreement(is_close=False, text=text)
    found = deviations(curve, other)
    part = next((n for n, off in enumerate(found) if not off <= tolerance), None)
    if part is None:
        text = f"losses of {count} steps within {max(found):.1e} of {name}"
        return Agreement(is_close=True, text=f"{text}, {tolerance:.0e} allowed")
    text = (
        f"losses part from {name} at step {part * WINDOW + 1}:"
        f" off by {found[part]:.2g} on average, {tolerance:.0e} allowed"
    )
    return Agreement(is_close=False, text=text)
