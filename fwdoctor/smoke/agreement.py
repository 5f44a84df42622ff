"""Do two trainings that must be the same have the same losses?

Pure. Weights and batches are the same everywhere, so the losses may differ by float
noise only. That noise was measured (docs/smoke.md): the tolerance of a preset is
NOISE_FACTOR times the largest deviation seen between sound runs.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from operator import sub
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


def deviation(curve: Sequence[float], other: Sequence[float]) -> tuple[float, int]:
    """Largest mean difference over a window, and the step where it begins."""
    worst, place = 0.0, 0
    for begin in range(0, len(curve), WINDOW):
        ours, theirs = curve[begin : begin + WINDOW], other[begin : begin + WINDOW]
        mean = sum(map(abs, map(sub, ours, theirs))) / len(ours)
        if not mean <= worst:  # NaN is worse than anything
            worst, place = mean, begin
        if math.isnan(mean):
            break
    return worst, place


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
    worst, place = deviation(curve[:count], other[:count])
    text = (
        f"losses of {count} steps within {worst:.1e} of {name}, {tolerance:.0e} allowed"
    )
    if worst <= tolerance:
        return Agreement(is_close=True, text=text)
    text = (
        f"losses part from {name} at step {place + 1}: off by {worst:.2g} on average,"
        f" {tolerance:.0e} allowed"
    )
    return Agreement(is_close=False, text=text)
