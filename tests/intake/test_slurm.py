"""Slurm: what a job asked for."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.slurm import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#SBATCH --gres=gpu:a100:2\n", {"scheduler": "slurm", "scheduler_gpus": "2"}),
        (
            "srun --gpus=1 python x.py\n",
            {"scheduler": "slurm", "scheduler_gpus": "1"},
        ),
        ("slurmstepd: error: x\n", {"scheduler": "slurm"}),
        (
            "SLURM_JOB_GPUS=0,1\n",
            {"scheduler": "slurm", "scheduler_gpus": "0,1"},
        ),
        ("We do not use it.\n", {}),
    ],
)
def test_slurm(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected
