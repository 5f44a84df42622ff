"""Make the reference losses of `fwdoctor smoke`: training in float64 on the CPU.

    PYTHON-WITH-TORCH scripts/make_smoke_reference.py FOLDER-OF-A-PLAN > curves.json

Runs fwdoctor's own torch task on the plan in the folder with every number as float64.
scripts/measure_smoke_noise.py calls it and puts the curves into the package.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

TASKS = os.path.join(os.path.dirname(__file__), "..", "fwdoctor", "smoke", "tasks")
sys.path.insert(0, os.path.abspath(TASKS))

import journal as notes  # noqa: E402
import torch  # noqa: E402
import torch_mnist  # noqa: E402


class Exact(torch_mnist.Task):  # type: ignore[misc]  # tasks are outside mypy's sight
    """The task with double precision."""

    def numbers(self, images: Any) -> Any:
        """Pixels from 0 to 1."""
        return images.double().div_(255.0)

    def build(self, preset: dict[str, Any]) -> Any:
        """The model in double precision."""
        return super().build(preset).double()


def main() -> None:
    """Train every preset of the plan and print the losses."""
    log = notes.Journal(os.path.join(sys.argv[1], "plan.json"))
    torch_mnist.torch = torch
    task = Exact(log)
    task.allocate()
    curves = {}
    for preset in log.plan["presets"]:
        losses = task.steps(preset, task.build(preset), None)
        curves[preset["name"]] = [round(loss, 5) for loss in losses]
    json.dump(curves, sys.stdout)


if __name__ == "__main__":
    main()
