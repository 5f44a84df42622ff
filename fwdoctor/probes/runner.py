"""Runs every probe, isolated and timed, and puts a Snapshot together.

A probe is an object with a `name` and two steps: `start(source)` may begin child
processes and returns at once; `finish()` returns the facts. All are started before any
is finished, so children run side by side. A probe that raises becomes a ProbeReport.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import ProbeReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwdoctor.model.snapshot import ProbeStatus
    from fwdoctor.probes.source import Source


class ProbeError(Exception):
    """A probe's own word on why it has no facts: absent, denied, timeout, error."""

    def __init__(self, status: ProbeStatus, reason: str) -> None:
        super().__init__(reason)
        self.status: ProbeStatus = status
        self.reason = reason


class Probe(Protocol):
    """One source of facts."""

    name: str

    def start(self, source: Source) -> Callable[[], Any]:
        """Begin; the returned function gives the facts or raises ProbeError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The facts of one probe, None when there are none, and its report."""

    facts: Any
    report: ProbeReport


def run_probes(probes: Sequence[Probe], source: Source) -> dict[str, Probed]:
    """Start all probes, finish them last to first; answers are keyed by probe name.

    The order lets children that were started first run while files are read.
    """
    running = [(probe.name, *_timed_start(probe, source)) for probe in probes]
    answers = {name: _finish(name, finish, ms) for name, finish, ms in running[::-1]}
    return {probe.name: answers[probe.name] for probe in probes}


def _timed_start(probe: Probe, source: Source) -> tuple[Callable[[], Any], float]:
    begun = time.perf_counter()
    try:
        finish = probe.start(source)
    except Exception as error:  # the one boundary for probes
        finish = _raiser(error)
    return finish, (time.perf_counter() - begun) * 1000


def _raiser(error: Exception) -> Callable[[], Any]:
    def finish() -> Any:
        raise error

    return finish


def _finish(name: str, finish: Callable[[], Any], start_ms: float) -> Probed:
    begun = time.perf_counter()
    facts: Any = None
    status: ProbeStatus = "ok"
    reason = ""
    try:
        facts = finish()
    except ProbeError as error:
        status, reason = error.status, error.reason
    except PermissionError as error:
        status, reason = "denied", str(error)
    except UsageError:
        raise  # the command line named something that is not there
    except Exception as error:  # the one boundary for probes
        status, reason = "error", f"{type(error).__name__}: {error}"
    ms = start_ms + (time.perf_counter() - begun) * 1000
    report = ProbeReport(name=name, status=status, reason=reason, ms=round(ms, 2))
    return Probed(facts=facts, report=report)
