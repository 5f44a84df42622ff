"""Run a child with a deadline, kill its whole group, keep its output.

The only module that starts processes. A child that cannot be killed (stuck in a driver
call) is abandoned, never waited for.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OUTPUT_LIMIT_BYTES = 4_000_000
KILL_GRACE_S = 0.5

ChildStatus = Literal["exited", "signalled", "timeout", "not-found", "denied", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """How a child ended and what it wrote."""

    status: ChildStatus
    returncode: int | None = None
    signal_name: str | None = None
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    reason: str = ""

    @property
    def is_success(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == "exited" and self.returncode == 0


# Children that were started and not yet finished: an interrupt or an error that ends
# fwdoctor must not leave one hanging in the driver.
_RUNNING: set[Child] = set()


@atexit.register
def _kill_running() -> None:
    for child in tuple(_RUNNING):
        child.kill()


class Child:
    """A started child; `finish` waits for it until its deadline."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | None = None,
    ) -> None:
        self._started = time.perf_counter()
        self._timeout_s = timeout_s
        self._failure: ChildResult | None = None
        self.on_finish: Callable[[ChildResult], object] | None = None
        self._stdout = _open_buffer()
        self._stderr = _open_buffer()
        given = _stdin_for(stdin)
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                list(argv),
                stdin=given,
                stdout=self._stdout,
                stderr=self._stderr,
                env=None if env is None else dict(env),
                cwd=cwd,
                close_fds=True,
                start_new_session=os.name == "posix",
            )
        except (OSError, ValueError) as error:
            self._process = None
            self._failure = _failure_of(error, argv[0])
        finally:
            if not isinstance(given, int):
                given.close()
        _RUNNING.add(self)

    def finish(self) -> ChildResult:
        """Wait for the end or the deadline; kills the whole group at the deadline."""
        result = self._finish()
        _RUNNING.discard(self)
        if self.on_finish is not None:
            self.on_finish(result)
        return result

    def _finish(self) -> ChildResult:
        if self._process is None:
            self._close()
            return self._failure or ChildResult(status="error")
        remaining = self._timeout_s - (time.perf_counter() - self._started)
        try:
            returncode = self._process.wait(max(remaining, 0.001))
        except subprocess.TimeoutExpired:
            self.kill()
            return self._result("timeout", None, f"no answer in {self._timeout_s:g} s")
        except KeyboardInterrupt:
            self.kill()
            raise
        if returncode < 0:
            name = _signal_name(-returncode)
            return self._result("signalled", returncode, f"killed by {name}", name)
        if name := _WINDOWS_SIGNALS.get(returncode, ""):
            reason = f"exit status {returncode:#x}, as {name} elsewhere"
            return self._result("signalled", returncode, reason, name)
        return self._result("exited", returncode, f"exit status {returncode}")

    def kill(self) -> None:
        """Kill the child and everything in its process group."""
        _RUNNING.discard(self)
        if self._process is None or self._process.returncode is not None:
            return
        try:
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        try:
            self._process.wait(KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            # In an uninterruptible driver call: leave it to the kernel.
            self._process.returncode = -signal.SIGTERM

    def _result(
        self,
        status: ChildStatus,
        returncode: int | None,
        reason: str,
        signal_name: str | None = None,
    ) -> ChildResult:
        result = ChildResult(
            status=status,
            returncode=returncode,
            signal_name=signal_name,
            stdout=_read_buffer(self._stdout),
            stderr=_read_buffer(self._stderr),
            seconds=time.perf_counter() - self._started,
            reason=reason,
        )
        self._close()
        return result

    def _close(self) -> None:
        self._stdout.close()
        self._stderr.close()


def run_child(
    argv: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin: bytes | None = None,
) -> ChildResult:
    """Run `argv` to its end or its deadline; never raises for what the child does."""
    return Child(argv, timeout_s=timeout_s, env=env, cwd=cwd, stdin=stdin).finish()


def _open_buffer() -> IO[bytes]:
    """A file for output that never blocks the child and needs no writable disk."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("fwdoctor-child"), "w+b")
    return tempfile.TemporaryFile()


def _stdin_for(data: bytes | None) -> int | IO[bytes]:
    if data is None:
        return subprocess.DEVNULL
    buffer = _open_buffer()
    buffer.write(data)
    buffer.seek(0)
    return buffer


def _read_buffer(buffer: IO[bytes]) -> str:
    buffer.seek(0)
    text = buffer.read(OUTPUT_LIMIT_BYTES).decode("utf-8", "replace")
    return text.replace("\r\n", "\n")  # as Windows ends its lines


def _failure_of(error: OSError | ValueError, program: str) -> ChildResult:
    if isinstance(error, FileNotFoundError):
        return ChildResult(status="not-found", reason=f"{program} not found")
    if isinstance(error, PermissionError):
        return ChildResult(status="denied", reason=f"{program}: permission denied")
    return ChildResult(status="error", reason=f"{program}: {error}")


# What Unix tells by a signal is an exit status on Windows (ntstatus.h).
_WINDOWS_SIGNALS = {
    0xC0000005: "SIGSEGV",  # access violation
    0xC000001D: "SIGILL",  # illegal instruction
    0xC0000409: "SIGABRT",  # what abort() ends with
}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
