"""Runs one task in a child of the examined interpreter, and watches its result file.

The child has a deadline, its own process group and a folder of its own that is removed
with everything in it, also when the user interrupts.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwdoctor.process import Child
from fwdoctor.smoke.outcome import explain_task
from fwdoctor.smoke.plan import write_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwdoctor.smoke.outcome import TaskRun
    from fwdoctor.smoke.plan import Plan

    Record = Mapping[str, object]
    Listener = Callable[[Record], None]

TASKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tasks")
SCRIPTS = {"torch": "torch_mnist.py", "tensorflow": "tensorflow_mnist.py"}
POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How children are started. `scripts` replaces the tasks, for tests."""

    python: str
    timeout_s: float
    env: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    def script_for(self, framework: str) -> str:
        """The script to run for a framework or another named task."""
        if framework in self.scripts:
            return self.scripts[framework]
        return os.path.join(TASKS, SCRIPTS[framework])


def run_task(plan: Plan, runtime: Runtime, listen: Listener | None = None) -> TaskRun:
    """Every stage of the plan; never raises for what the child does.

    `listen` is called from another thread with each new state of the result file.
    """
    with tempfile.TemporaryDirectory(
        prefix="fwdoctor-", ignore_cleanup_errors=True
    ) as folder:
        path = write_plan(plan, folder)
        child = Child(
            [runtime.python, "-B", runtime.script_for(plan.framework), path],
            timeout_s=runtime.timeout_s,
            env=child_env(runtime.env, folder),
            cwd=folder,
        )
        with _Watch(folder, listen):
            ended = child.finish()
        return explain_task(plan, ended, read_record(folder))


def child_env(env: Mapping[str, str], folder: str) -> dict[str, str]:
    """The user's variables; caches go where they are removed again."""
    return {
        "OMP_WAIT_POLICY": "PASSIVE",  # idle threads leave a shared machine alone
        **env,
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": folder,
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(folder, "inductor"),
        "TRITON_CACHE_DIR": os.path.join(folder, "triton"),
        "TMPDIR": folder,
    }


def read_record(folder: str) -> Record:
    """The result file; empty when there is none or it is not ours."""
    try:
        with open(
            os.path.join(folder, "result.json"), encoding="utf-8", errors="replace"
        ) as stream:
            record = json.load(stream)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


class _Watch:
    """Reads the result file now and then while the child works."""

    def __init__(self, folder: str, listen: Listener | None) -> None:
        self._folder = folder
        self._listen = listen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        if self._listen is not None:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        path = os.path.join(self._folder, "result.json")
        seen = -1
        while True:
            is_last = self._stop.wait(POLL_S)
            try:
                now = os.stat(path).st_mtime_ns
            except OSError:
                now = seen
            if now != seen and self._listen is not None:
                seen = now
                self._listen(read_record(self._folder))
            if is_last:
                return
