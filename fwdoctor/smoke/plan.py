"""What the parent hands to a child: data, initial weights, batch order, settings.

Weights and order come from a fixed seed here, not from the framework, so that every
framework and device starts from the same numbers and sees the same batches.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fwdoctor.smoke.dataset import Mnist
    from fwdoctor.smoke.presets import Preset

SEED = 20_250_101
SUBSET_COUNT = 2_000  # training images of the bundled subset
FrameworkName = Literal["torch", "tensorflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One child's work. `device` is "cpu" or "cuda:N"; rank and world for a pair."""

    framework: FrameworkName
    device: str
    presets: tuple[Preset, ...]
    mnist: Mnist
    is_deep: bool = False
    max_steps: int | None = None  # stop training early: only the curve is wanted
    world: int = 1  # processes or replicas that train together
    rank: int = 0
    rendezvous: str = ""  # the file where processes meet

    @property
    def devices(self) -> str:
        """All devices of the plan, as a result names them."""
        if self.world == 1:
            return self.device
        is_cpu = self.device == "cpu"
        names = ["cpu" if is_cpu else f"cuda:{i}" for i in range(self.world)]
        return "+".join(names)

    @property
    def for_curve(self) -> Plan:
        """The same training on the CPU, its first steps only."""
        return replace(self, device="cpu", max_steps=CURVE_STEPS)


CURVE_STEPS = 40


def initial_weights(preset: Preset) -> array[float]:
    """Glorot's uniform weights and zero biases, layer after layer, as float32."""
    draw = random.Random(SEED).random
    values = array("f")
    for shape in preset.shapes:
        count = math.prod(shape)
        if len(shape) == 1:
            values.extend([0.0] * count)
            continue
        field = math.prod(shape[2:])
        limit = math.sqrt(6.0 / ((shape[0] + shape[1]) * field))
        values.extend([(2.0 * draw() - 1.0) * limit for _ in range(count)])
    return values


def batch_order(count: int, epochs: int) -> array[int]:
    """Places of the training images in the order they are shown, epoch by epoch."""
    draw = random.Random(SEED + 1).random
    order = array("i")
    for _ in range(epochs):
        keys = [draw() for _ in range(count)]
        order.extend(sorted(range(count), key=keys.__getitem__))
    return order


def write_plan(plan: Plan, folder: str) -> str:
    """Write plan.json and data.bin into `folder`; returns the path of the former."""
    blobs: dict[str, tuple[int, int]] = {}
    with open(os.path.join(folder, "data.bin"), "wb") as stream:
        for name, data in _parts(plan):
            blobs[name] = (stream.tell(), len(data))
            stream.write(data)
    path = os.path.join(folder, "plan.json")
    with open(path, "w", encoding="utf-8") as text:
        json.dump(_as_json(plan, blobs), text)
    return path


def _parts(plan: Plan) -> list[tuple[str, bytes]]:
    mnist = plan.mnist
    parts = [
        ("train_images", mnist.train_images),
        ("train_labels", mnist.train_labels),
        ("test_images", mnist.test_images),
        ("test_labels", mnist.test_labels),
    ]
    for preset in plan.presets:
        parts.append((f"weights {preset.name}", _little(initial_weights(preset))))
        order = batch_order(mnist.train_count, preset.epochs)
        parts.append((f"order {preset.name}", _little(order)))
    return parts


def _little(values: array[float] | array[int]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _as_json(plan: Plan, blobs: dict[str, tuple[int, int]]) -> dict[str, object]:
    return {
        "framework": plan.framework,
        "device": plan.device,
        "is_deep": plan.is_deep,
        "max_steps": plan.max_steps,
        "world": plan.world,
        "rank": plan.rank,
        "rendezvous": plan.rendezvous,
        "train_count": plan.mnist.train_count,
        "test_count": plan.mnist.test_count,
        "blobs": blobs,
        "presets": [_preset_json(preset, plan.mnist) for preset in plan.presets],
    }


def _preset_json(preset: Preset, mnist: Mnist) -> dict[str, object]:
    return {
        "name": preset.name,
        "layers": preset.layers,
        "shapes": preset.shapes,
        "optimizer": preset.optimizer,
        "learning_rate": preset.learning_rate,
        "batch": preset.batch,
        "epochs": preset.epochs,
        "mark": _mark(preset, mnist),
    }


def _mark(preset: Preset, mnist: Mnist) -> float | None:
    """The accuracy to reach; None where nothing was measured with so few images."""
    if mnist.is_full:
        return preset.mark_full
    return preset.mark_subset if mnist.train_count >= SUBSET_COUNT else None
