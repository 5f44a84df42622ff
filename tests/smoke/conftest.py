"""Fake tasks: real scripts with the real journal, run by our own interpreter."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from fwdoctor.smoke.dataset import Mnist, read_bundled
from fwdoctor.smoke.plan import Plan
from fwdoctor.smoke.presets import PRESETS
from fwdoctor.smoke.runner import TASKS, Runtime

HEAD = f"""
import os, signal, sys, time
sys.path.insert(0, {TASKS!r})
import journal as notes
log = notes.Journal(sys.argv[1])
log.run("import", lambda: "fake 1.0")
"""
MakeRuntime = Callable[..., Runtime]


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    """The bundled subset."""
    return read_bundled()


@pytest.fixture
def plan(mnist: Mnist) -> Plan:
    """The smallest preset in a framework called torch, on the CPU."""
    return Plan(
        framework="torch", device="cpu", presets=(PRESETS["mlp50"],), mnist=mnist
    )


@pytest.fixture
def fake(tmp_path: Path) -> MakeRuntime:
    """A runtime whose tasks are the given Python text."""

    def make(text: str, *, timeout_s: float = 30.0, name: str = "torch") -> Runtime:
        script = tmp_path / "fake_task.py"
        script.write_text(HEAD + textwrap.dedent(text), "utf-8")
        return Runtime(
            python=sys.executable,
            timeout_s=timeout_s,
            env=dict(os.environ),
            scripts={name: str(script)},
        )

    return make
