"""Errors fwdoctor raises on purpose, and the exit codes they end in.

A broken machine is a Finding and a failed probe a ProbeReport; only misuse, unreadable
input and bugs are exceptions. They are raised anywhere and caught only in `cli/`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes: documented API, the same for every output format."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    INTERNAL = 3
    NOT_ENOUGH_FACTS = 4
    INTERRUPTED = 130


class FwdoctorError(Exception):
    """An error written for the reader.

    `reference` is a kebab-case name, `message` says what and where, `hint` what to do.
    """

    exit_code = ExitCode.INTERNAL

    def __init__(
        self, reference: str, message: str, *, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.reference = reference
        self.message = message
        self.hint = hint


class UsageError(FwdoctorError):
    """The command line, or a file it names, cannot be used."""

    exit_code = ExitCode.USAGE


class SnapshotError(UsageError):
    """A snapshot file cannot be read; the message names file and field."""


class MatrixError(FwdoctorError):
    """Shipped compatibility data are damaged; the message names file and field."""


class SolveError(UsageError):
    """A recommendation was asked for something that cannot be understood."""
