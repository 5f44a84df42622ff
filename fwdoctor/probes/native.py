"""Ask a driver library from a child that may hang or crash.

The child writes `call NAME` before each native call, so a hang or a signal names the
call it happened in, and its answer as one Python literal at the end: importing json
would cost it a third of its time.
"""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING

from fwdoctor.probes.runner import ProbeError
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.probes.source import Source
    from fwdoctor.process import Child, ChildResult

INSIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside")
# A driver without persistence mode takes seconds to wake a machine with eight GPUs.
NATIVE_TIMEOUT_S = 15.0


def start_native(
    source: Source, script: str, *arguments: str, timeout_s: float
) -> Child:
    """Start `inside/SCRIPT` with our own interpreter; ProbeError when not allowed."""
    argv = [sys.executable, "-I", "-S", os.path.join(INSIDE, script), *arguments]
    child = source.start(argv, timeout_s=timeout_s)
    if child is None:
        raise ProbeError("not-run", "driver libraries are only asked on a live machine")
    return child


def finish_native(child: Child) -> Mapping[str, object]:
    """The child's answer; ProbeError names the call that hung or crashed."""
    result = child.finish()
    lines = result.stdout.splitlines()
    if result.is_success and lines:
        answer = _decode(lines[-1])
        if answer is not None:
            return answer
    raise _explain(result, lines)


def _decode(line: str) -> Mapping[str, object] | None:
    try:
        answer = ast.literal_eval(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _explain(result: ChildResult, lines: list[str]) -> ProbeError:
    calls = [line[5:] for line in lines if line.startswith("call ")]
    where = calls[-1] if calls else "the child process"
    if result.status == "timeout":
        return ProbeError("timeout", f"{where}: {result.reason}")
    last_words = result.stderr.strip().splitlines()[-1:]
    reason = ": ".join([where, result.reason, *last_words])
    return ProbeError("denied" if result.status == "denied" else "error", reason)


def find_text(answer: Mapping[str, object], key: str) -> str | None:
    """The text under `key`, None when absent or of another type."""
    value = answer.get(key)
    return value if isinstance(value, str) and value else None


def find_number(answer: Mapping[str, object], key: str) -> int | None:
    """The whole number under `key`, None when absent or of another type."""
    value = answer.get(key)
    return value if isinstance(value, int) else None


def find_flag(answer: Mapping[str, object], key: str) -> bool | None:
    """Whether the number under `key` is not 0, None when absent."""
    value = find_number(answer, key)
    return None if value is None else bool(value)


def find_records(answer: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    """The objects listed under `key`; empty when absent."""
    value = answer.get(key)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def path_below(source: Source, path: str | None) -> str | None:
    """A mapped file as the examined machine names it: without a test root's folder."""
    if path is None or source.is_live_root:
        return path
    return path.removeprefix(source.root.rstrip("/")) or path


def driver_version_of(text: str | None) -> DriverVersion | None:
    """A driver version, or None when `text` is none."""
    try:
        return DriverVersion.parse(text) if text else None
    except ValueError:
        return None


def cuda_version_of(code: int | None) -> CudaVersion | None:
    """NVIDIA's integer as a CUDA version; None for 0 and nonsense."""
    return CudaVersion.from_code(code) if code and 1000 <= code < 100_000 else None


def capability_of(text: str | None) -> ComputeCapability | None:
    """A compute capability, or None when `text` is none."""
    try:
        return ComputeCapability.parse(text) if text else None
    except ValueError:
        return None


def file_version(path: str | None, stem: str) -> DriverVersion | None:
    """The driver version in a file name such as libcuda.so.550.54.14."""
    name = os.path.basename(path or "")
    return driver_version_of(name.removeprefix(f"{stem}."))
