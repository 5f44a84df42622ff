"""When two loss curves agree, and the reference that comes with the subset."""

from __future__ import annotations

import math

import pytest

from fwdoctor.smoke import agreement
from fwdoctor.smoke.dataset import read_bundled
from fwdoctor.smoke.presets import PRESETS, Preset

CURVE = [2.3 * 0.97**step for step in range(60)]
REFERENCE = agreement.read_reference()


def changed(by: float, begin: int = 0) -> list[float]:
    return [loss + (by if step >= begin else 0.0) for step, loss in enumerate(CURVE)]


def test_noise_within_the_tolerance_agrees() -> None:
    found = agreement.compare(changed(0.009, begin=1), CURVE, "the reference", 0.01)
    assert found.is_close, found.text
    assert "60 steps" in found.text


def test_one_step_that_jumps_is_averaged_away() -> None:
    jumping = [loss + (0.08 if step == 35 else 0.0) for step, loss in enumerate(CURVE)]
    assert agreement.compare(jumping, CURVE, "the reference", 0.01).is_close


@pytest.mark.parametrize(
    ("curve", "says"),
    [
        (changed(0.02, begin=1), "step 1:"),
        (changed(0.02, begin=30), "step 31:"),
        ([CURVE[0]] * 60, "part from"),
        (changed(0.001), "first loss"),
        ([math.nan] * 60, "first loss"),
        ([*CURVE[:20], math.nan, *CURVE[21:]], "step 21"),
        ([*CURVE[:20], math.inf, *CURVE[21:]], "step 21"),
        ([], "no losses"),
    ],
    ids=["off", "off-later", "flat", "other-start", "nan", "nan-later", "inf", "empty"],
)
def test_disagreement_is_found_and_placed(curve: list[float], says: str) -> None:
    found = agreement.compare(curve, CURVE, "the reference", 0.01)
    assert not found.is_close
    assert says in found.text


def test_a_shorter_curve_is_compared_as_far_as_it_goes() -> None:
    assert agreement.compare(CURVE[:7], CURVE, "the reference", 0.01).is_close


def test_the_reference_belongs_to_the_bundled_images() -> None:
    assert REFERENCE.checksum == read_bundled().checksum
    assert set(REFERENCE.curves) == set(REFERENCE.noise) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_the_reference_is_a_whole_sound_training(preset: Preset) -> None:
    curve = REFERENCE.curves[preset.name]
    assert len(curve) == preset.epochs * math.ceil(2000 / preset.batch)
    assert 2.2 < curve[0] < 2.6, "ten digits by chance: about ln 10"
    assert sum(curve[-10:]) / 10 < 0.8 * curve[0]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)
def test_the_tolerance_is_small_beside_what_is_learnt(preset: Preset) -> None:
    """A training that learns nothing must never count as float noise."""
    curve = REFERENCE.curves[preset.name]
    learnt = curve[0] - sum(curve[-10:]) / 10
    assert agreement.tolerance_for(REFERENCE, preset.name) < learnt / 10


def test_the_tolerance_follows_the_measured_noise() -> None:
    noisy = agreement.Reference(checksum="", curves={}, noise={"a": 0.005, "b": 1e-9})
    assert agreement.tolerance_for(noisy, "a") == pytest.approx(0.05)
    assert agreement.tolerance_for(noisy, "b") == agreement.LEAST_TOLERANCE
    assert agreement.tolerance_for(noisy, "unknown") == agreement.LEAST_TOLERANCE
