"""Slurm: batch files, srun lines, and what a job sees of its GPUs.

#SBATCH --gres=gpu:a100:2          srun --gpus=1 python train.py
SLURM_JOB_GPUS=0,1                 slurmstepd: error: …
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "Slurm"
_SIGN = re.compile(
    r"\bSLURM_[A-Z_]{2,30}|\bslurmstepd\b|#SBATCH\b|\b(?:srun|sbatch|salloc)\b(?= -"
    r"| \S)"
    r"|\bslurm (?:job|cluster|node)\b|\b(?:with|on|via|under|using) slurm\b",
    re.IGNORECASE,
)
_GRES = re.compile(
    r"--(?:gres=gpu|gpus(?:-per-(?:node|task))?)[=: ](?:[A-Za-z][\w.-]{0,30}[:=])?"
    r"(\d{1,3})"
    r"|--gres=(gpu)(?![:\w])"
)
_JOB = re.compile(r"SLURM_(?:JOB|STEP)_GPUS=([\d,-]{1,60})")


def parse(text: str) -> Facts | None:
    """The facts of such lines in a text."""
    lower = text.lower()
    if not any(word in lower for word in ("slurm", "sbatch", "srun", "salloc")):
        return None
    found = Collector(SOURCE, text)
    sign = _SIGN.search(text)
    if sign is None:
        return None
    found.add("scheduler", "slurm", sign.start())
    found.add_match("scheduler_gpus", _JOB.search(text))
    asked = _GRES.search(text)
    if asked:
        found.add("scheduler_gpus", asked[1] or "1", asked.start())
    return found.facts()
