"""Presets, initial weights and batches: the same for every framework and device."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from fwdoctor.smoke.dataset import read_bundled
from fwdoctor.smoke.plan import Plan, batch_order, initial_weights, write_plan
from fwdoctor.smoke.presets import DEFAULT_PRESETS, PRESETS, Preset

SHAPES = {
    "dense": ((512, 784), (512,), (10, 512), (10,)),
    "cnn": ((32, 1, 3, 3), (32,), (10, 32 * 13 * 13), (10,)),
    "mlp50": ((50, 784), (50,), (10, 50), (10,)),
    "mlp64": ((64, 784), (64,), (64, 64), (64,), (10, 64), (10,)),
    "cnn128": ((32, 1, 3, 3), (32,), (128, 32 * 14 * 14), (128,), (10, 128), (10,)),
}


def test_default_presets_exist() -> None:
    assert set(DEFAULT_PRESETS) <= set(PRESETS)
    assert set(SHAPES) == set(PRESETS)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_follow_from_the_layers(name: str) -> None:
    assert PRESETS[name].shapes == SHAPES[name]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_weights_are_glorot_and_always_the_same(preset: Preset) -> None:
    weights = initial_weights(preset)
    assert len(weights) == sum(math.prod(shape) for shape in preset.shapes)
    assert weights == initial_weights(preset)
    first = preset.shapes[0]
    fans = (first[0] + first[1]) * math.prod(first[2:])
    limit = math.sqrt(6 / fans)
    own = weights[: math.prod(first)]
    assert 0.9 * limit < max(own) <= limit
    assert abs(sum(own) / len(own)) < limit / 5
    assert not any(weights[-preset.shapes[-1][0] :]), "biases start at zero"


def test_every_epoch_shows_every_image_once() -> None:
    order = batch_order(50, 3)
    epochs = [order[start : start + 50].tolist() for start in (0, 50, 100)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert order == batch_order(50, 3)


def test_a_child_finds_its_parts_in_the_file(tmp_path: Path) -> None:
    mnist = read_bundled()
    plan = Plan(
        framework="torch", device="cpu", presets=(PRESETS["mlp50"],), mnist=mnist
    )
    settings = json.loads(Path(write_plan(plan, str(tmp_path))).read_text("utf-8"))
    data = (tmp_path / "data.bin").read_bytes()

    def part(name: str) -> bytes:
        begin, length = settings["blobs"][name]
        return data[begin : begin + length]

    assert part("train_labels") == mnist.train_labels
    assert part("test_images") == mnist.test_images
    assert part("weights mlp50") == initial_weights(PRESETS["mlp50"]).tobytes()
    assert len(part("order mlp50")) == 4 * 2000 * 3
    assert settings["presets"][0]["mark"] == PRESETS["mlp50"].mark_subset
