"""`--deep`: import a framework in a child of the examined interpreter and watch.

The child (inside/torch_facts.py, inside/tensorflow_facts.py) rewrites a result file at
each stage, so a crash or a hang names its stage. Nothing is written into the examined
environment.
"""

from __future__ import annotations

import json
import os
import platform
import re
import tempfile
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import DeepResult
from fwdoctor.probes.torch_files import split_targets
from fwdoctor.process import run_child

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.model.snapshot import Environment
    from fwdoctor.probes.source import Source
    from fwdoctor.process import ChildResult

INSIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside")
SCRIPTS = {"torch": "torch_facts.py", "tensorflow": "tensorflow_facts.py"}
OUTPUT_TAIL = 4000
# TensorFlow names the library it could not open only at this verbosity.
_TALKATIVE = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_MAX_VLOG_LEVEL": "1"}
# The driver's own and TensorRT's absence are told, or harmless, elsewhere.
_NOT_OPENED = re.compile(
    r"Could not load dynamic library '(?!libcuda\.so|libnvinfer)([^']+)'"
)

Status = Literal["ok", "failed", "crashed", "timeout"]


def run_deep(
    source: Source, env: Environment, framework_name: str, timeout_s: float
) -> DeepResult:
    """What the framework says when `env`'s own Python imports it.

    `status` is ok when all stages ran, also when no GPU was found; `error` then says
    why, where the framework gave a reason.
    """
    if env.python is None or not source.may_run:
        reason = "no interpreter to run" if source.may_run else "nothing is run here"
        return DeepResult(stage="start", status="failed", error=reason)
    try:
        with tempfile.TemporaryDirectory(prefix="fwdoctor-") as folder:
            result = os.path.join(folder, "result.json")
            script = os.path.join(INSIDE, SCRIPTS[framework_name])
            child = run_child(
                [env.python, "-B", script, result],  # -B: leave no bytecode behind
                timeout_s=timeout_s,
                env={**source.env, **_TALKATIVE},
                cwd=folder,
            )
            return explain_child(child, _read_facts(result))
    except OSError as error:
        return DeepResult(stage="start", status="failed", error=str(error))


def _read_facts(path: str) -> Mapping[str, object]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            facts = json.load(stream)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def explain_child(child: ChildResult, facts: Mapping[str, object]) -> DeepResult:
    """The child's end and the facts it left, as one result."""
    count = facts.get("device_count")
    available = facts.get("gpu_available")
    sass, _ptx = split_targets(_texts(facts, "architectures"))
    return DeepResult(
        stage=_text(facts, "stage") or "start",
        status=_status_of(child, facts),
        gpu_available=available if isinstance(available, bool) else None,
        device_count=count if isinstance(count, int) else None,
        device_names=_texts(facts, "device_names"),
        version=_text(facts, "version"),
        cuda=_text(facts, "cuda"),
        cudnn_built=_text(facts, "cudnn_built"),
        cudnn_loaded=_text(facts, "cudnn_loaded"),
        compute_capabilities=sass,
        libraries=_texts(facts, "libraries"),
        error=_error_of(child, facts),
        signal=child.signal_name,
        output=_tail(child.stderr),
    )


def _status_of(child: ChildResult, facts: Mapping[str, object]) -> Status:
    if child.status == "timeout":
        return "timeout"
    if child.status == "signalled":
        return "crashed"
    if facts.get("is_broken") or child.status != "exited":
        return "failed"
    return "ok" if facts.get("stage") == "done" else "crashed"


def _error_of(child: ChildResult, facts: Mapping[str, object]) -> str | None:
    """The exception, or the library that would not open, or how the child ended."""
    error = _text(facts, "error")
    if error is not None:
        return error
    names = list(dict.fromkeys(_NOT_OPENED.findall(child.stderr)))
    if names:
        return f"could not load {', '.join(names)}"
    is_fine = child.status == "exited" and facts.get("stage") == "done"
    return None if is_fine else child.reason


def _text(facts: Mapping[str, object], key: str) -> str | None:
    value = facts.get(key)
    return value if isinstance(value, str) and value else None


def _texts(facts: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = facts.get(key)
    items = value if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str))


def _tail(text: str) -> str:
    """The end of the output, without the name of this machine."""
    return text[-OUTPUT_TAIL:].replace(f"({platform.node()})", "(host)")
