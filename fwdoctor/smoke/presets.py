"""The models people learn with, described once for both frameworks.

A layer is a tuple a child can read from JSON: ("dense", units, activation), ("conv",
filters, kernel, padding, activation) or ("pool", size).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fwdoctor.smoke.dataset import SIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

Layer = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One model and how it is trained; marks are test accuracies to reach."""

    name: str
    layers: tuple[Layer, ...]
    optimizer: Literal["rmsprop", "adam"]
    learning_rate: float
    batch: int
    epochs: int
    mark_subset: float  # on the bundled subset; measured, see docs/smoke.md
    mark_full: float  # on the whole set

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of weights and biases in order: (out, in) and (out, in, k, k)."""
        return tuple(_iter_shapes(self.layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volume:
    """What flows between two layers."""

    channels: int = 1
    side: int = SIDE
    units: int = field(default=0)  # 0: not flattened yet

    @property
    def size(self) -> int:
        return self.units or self.channels * self.side * self.side


def _iter_shapes(layers: tuple[Layer, ...]) -> Iterator[tuple[int, ...]]:
    now = _Volume()
    for layer in layers:
        if layer[0] == "dense":
            units = int(layer[1])
            yield (units, now.size)
            yield (units,)
            now = _Volume(units=units)
        elif layer[0] == "conv":
            filters, kernel = int(layer[1]), int(layer[2])
            yield (filters, now.channels, kernel, kernel)
            yield (filters,)
            side = now.side if layer[3] == "same" else now.side - kernel + 1
            now = _Volume(channels=filters, side=side)
        else:
            now = _Volume(channels=now.channels, side=now.side // int(layer[1]))


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="dense",
            layers=(("dense", 512, "relu"), ("dense", 10, "")),
            optimizer="rmsprop",
            learning_rate=1e-3,
            batch=128,
            epochs=5,
            mark_subset=0.80,
            mark_full=0.97,
        ),
        Preset(
            name="cnn",
            layers=(
                ("conv", 32, 3, "valid", "relu"),
                ("pool", 2),
                ("dense", 10, ""),
            ),
            optimizer="adam",
            learning_rate=1e-3,
            batch=32,
            epochs=5,
            mark_subset=0.80,
            mark_full=0.97,
        ),
        Preset(
            name="mlp50",
            layers=(("dense", 50, "relu"), ("dense", 10, "")),
            optimizer="adam",
            learning_rate=1e-4,
            batch=64,
            epochs=3,
            mark_subset=0.30,
            mark_full=0.89,
        ),
        Preset(
            name="mlp64",
            layers=(
                ("dense", 64, "relu"),
                ("dense", 64, "relu"),
                ("dense", 10, ""),
            ),
            optimizer="adam",
            learning_rate=1e-3,
            batch=32,
            epochs=10,
            mark_subset=0.80,
            mark_full=0.96,
        ),
        Preset(
            name="cnn128",
            layers=(
                ("conv", 32, 3, "same", "relu"),
                ("pool", 2),
                ("dense", 128, "relu"),
                ("dense", 10, ""),
            ),
            optimizer="adam",
            learning_rate=1e-3,
            batch=128,
            epochs=5,
            mark_subset=0.80,
            mark_full=0.97,
        ),
    )
}
DEFAULT_PRESETS = ("dense", "cnn")
