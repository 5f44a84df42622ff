"""What NVML says of a child while it trains: the memory it holds, how busy the GPU is.

The driver is asked from outside the framework, so this is proof that the GPU worked. In
a container with its own process numbers NVML does not know the child; that is a skip.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.probes.nvml import find_pynvml
from fwdoctor.process import run_child
from fwdoctor.smoke.runner import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.smoke.runner import Record

ASK_TIMEOUT_S = 10.0


@dataclass(slots=True, kw_only=True)
class GpuUsage:
    """The most that was seen while one child trained."""

    env: Mapping[str, str]
    gpu: int | None = None
    memory_bytes: int = 0
    utilisation: int = 0
    reason: str = "the training was over before NVML answered"

    def look(self, record: Record) -> None:
        """Ask about the process of this record, if it is training."""
        stage, pid = record.get("stage"), record.get("pid")
        folder = find_pynvml()
        if not isinstance(stage, dict) or stage.get("name") != "train":
            return
        if folder is None or not isinstance(pid, int):
            self.reason = "nvidia-ml-py is not installed here"
            return
        script = os.path.join(TASKS, "nvml_usage.py")
        child = run_child(
            [sys.executable, "-I", "-S", script, folder, str(pid)],
            timeout_s=ASK_TIMEOUT_S,
            env=self.env,
        )
        self.take(child.stdout if child.is_success else "", child.stderr)

    def take(self, answer: str, complaint: str = "") -> None:
        """Keep the highest figures of one answer."""
        try:
            entries = json.loads(answer)["gpus"]
        except (ValueError, KeyError, TypeError):
            last = complaint.strip().splitlines()[-1:]
            self.reason = " ".join(["NVML did not answer", *last])
            return
        if not entries:
            self.reason = "NVML does not name the process; in a container it may not"
        for entry in entries:
            self.gpu = entry["gpu"]
            self.memory_bytes = max(self.memory_bytes, entry["memory_bytes"] or 0)
            self.utilisation = max(self.utilisation, entry["utilisation"] or 0)

    @property
    def text(self) -> str:
        """The figures in words; the reason when there are none."""
        if self.gpu is None:
            return self.reason
        mebibytes = self.memory_bytes / 2**20
        return (
            f"NVML sees the process on GPU {self.gpu}, {mebibytes:.0f} MiB,"
            f" {self.utilisation} % busy"
        )
