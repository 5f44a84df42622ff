"""Runs one task in a child of the examined interpreter, and watches its result file.

The child has a deadline, its own process group and a folder of its own that is removed
with everything in it, also when the user interrupts.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
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
SCRIPTS = {
    "torch": "torch_mnist.py",
    "tensorflow": "tensorflow_mnist.py",
    "torch together": "torch_together.py",
    "tensorflow together": "tensorflow_together.py",
}
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


def run_together(plan: Plan, runtime: Runtime) -> TaskRun:
    """Several processes of PyTorch, or one of TensorFlow with several replicas.

    The answer is that of the first process that failed, else of the first one.
    """
    count = plan.world if plan.framework == "torch" else 1
    script = runtime.script_for(f"{plan.framework} together")
    with (
        tempfile.TemporaryDirectory(
            prefix="fwdoctor-", ignore_cleanup_errors=True
        ) as shared,
        ExitStack() as stack,
    ):
        started = []
        for rank in range(count):
            own = _plan_of(plan, rank, shared)
            folder = os.path.join(shared, str(rank))
            os.mkdir(folder)
            child = Child(
                [runtime.python, "-B", script, write_plan(own, folder)],
                timeout_s=runtime.timeout_s,
                env=child_env(runtime.env, folder) | _rank_variables(own),
                cwd=folder,
            )
            stack.callback(child.kill)
            started.append((own, child, folder))
        runs = [
            explain_task(own, child.finish(), read_record(folder))
            for own, child, folder in started
        ]
    return next((run for run in runs if run.is_failed), runs[0])


def _plan_of(plan: Plan, rank: int, shared: str) -> Plan:
    device = "cpu" if plan.device == "cpu" else f"cuda:{rank}"
    meeting = os.path.join(shared, "rendezvous")
    return replace(plan, device=device, rank=rank, rendezvous=meeting)


def _rank_variables(plan: Plan) -> dict[str, str]:
    """What torchrun would set; processes on one CPU meet on the loopback device."""
    rank = str(plan.rank)
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": str(plan.world)}
    if plan.device == "cpu" and sys.platform == "linux":
        own["GLOO_SOCKET_IFNAME"] = "lo"
    return own


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
