"""Measure float noise between sound trainings, and write the reference file.

    python scripts/measure_smoke_noise.py TORCH-PYTHON TENSORFLOW-PYTHON

The reference is float64 training in PyTorch. Around it lie float32 in both frameworks,
PyTorch with one thread, and both with initial weights changed by one part in 10**6,
which stands for another device's rounding. The largest deviation of a preset is kept
beside its curve; see docs/smoke.md.
"""

from __future__ import annotations

import json
import os
import random
import subprocess  # noqa: TID251  # outside the package
import sys
import tempfile

from fwdoctor.smoke import agreement, plan
from fwdoctor.smoke.dataset import read_bundled
from fwdoctor.smoke.outcome import TaskRun
from fwdoctor.smoke.presets import PRESETS
from fwdoctor.smoke.runner import Runtime, run_task

NUDGE = 1e-6
Curves = dict[str, tuple[float, ...]]


def main() -> None:
    """Train, compare, write."""
    pythons = {"torch": sys.argv[1], "tensorflow": sys.argv[2]}
    exact = reference(pythons["torch"])
    noise = dict.fromkeys(PRESETS, 0.0)
    for label, curves in sound_runs(pythons):
        for name, curve in curves.items():
            off = max(agreement.deviations(curve, exact[name]))
            single = max(abs(a - b) for a, b in zip(curve, exact[name], strict=True))
            print(f"{label:<24} {name:<7} window {off:.1e}, single step {single:.1e}")
            noise[name] = max(noise[name], off)
    record = {
        "checksum": read_bundled().checksum,
        "made_by": "scripts/measure_smoke_noise.py",
        "noise": {name: float(f"{value:.2g}") for name, value in noise.items()},
        "curves": exact,
    }
    with open(agreement.REFERENCE_FILE, "w", encoding="utf-8") as stream:
        json.dump(record, stream, separators=(",", ":"))
        stream.write("\n")


def the_plan(framework: plan.FrameworkName) -> plan.Plan:
    """All presets on the bundled subset."""
    return plan.Plan(
        framework=framework,
        device="cpu",
        presets=tuple(PRESETS.values()),
        mnist=read_bundled(),
    )


def reference(python: str) -> Curves:
    """The losses in float64."""
    script = os.path.join(os.path.dirname(__file__), "make_smoke_reference.py")
    with tempfile.TemporaryDirectory() as folder:
        plan.write_plan(the_plan("torch"), folder)
        text = subprocess.check_output([python, script, folder], text=True)  # noqa: S603
    return {name: tuple(curve) for name, curve in json.loads(text).items()}


def sound_runs(pythons: dict[str, str]) -> list[tuple[str, Curves]]:
    """Name and curves of each run."""
    found = []
    for framework, python in pythons.items():
        runtime = Runtime(python=python, timeout_s=600, env=dict(os.environ))
        one = Runtime(
            python=python,
            timeout_s=600,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "0"},
        )
        name: plan.FrameworkName = framework  # type: ignore[assignment]  # one of both
        found.append((framework, curves_of(run_task(the_plan(name), runtime))))
        found.append((f"{framework}, other", curves_of(run_task(the_plan(name), one))))
        for seed in (1, 2):
            nudge(seed)
            run = run_task(the_plan(name), runtime)
            found.append((f"{framework}, nudge {seed}", curves_of(run)))
        plan.initial_weights = UNTOUCHED
    return found


def curves_of(run: TaskRun) -> Curves:
    """The curves; stops where a stage failed."""
    assert not run.is_failed, run.results  # noqa: S101
    return dict(run.curves)


UNTOUCHED = plan.initial_weights


def nudge(seed: int) -> None:
    """From now on initial weights are off by about one part in a million."""
    draw = random.Random(seed)

    def nudged(preset):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        weights = UNTOUCHED(preset)
        for place, value in enumerate(weights):
            weights[place] = value * (1.0 + NUDGE * (2 * draw.random() - 1))
        return weights

    plan.initial_weights = nudged


if __name__ == "__main__":
    main()
