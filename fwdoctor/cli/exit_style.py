"""Exit codes and the one line that other monitors want, instead of fwdoctor's own.

plain   fwdoctor's documented codes
nagios  0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
npd     0 no problem, 1 problem, 2 unknown; a short line (node-problem-detector)
slurm   1 only for findings, so that a broken doctor drains no node; 0 otherwise
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

from fwdoctor.errors import ExitCode, FwdoctorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.finding import Report

STYLES = ("plain", "nagios", "npd", "slurm")
_NPD_LINE = 80  # node-problem-detector cuts longer messages by default
_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def styled_code(style: str, report: Report, code: ExitCode) -> int:
    """The exit code in a monitor's convention."""
    is_unknown = code is ExitCode.NOT_ENOUGH_FACTS
    if style == "nagios":
        if is_unknown:
            return 3
        if any(f.severity == "error" for f in report.findings):
            return 2 if code is ExitCode.FINDINGS else 1
        if code is ExitCode.FINDINGS:
            return 2 if not report.findings else 1
        return int(any(f.severity == "warning" for f in report.findings))
    if style == "npd":
        return 2 if is_unknown else int(code is ExitCode.FINDINGS)
    if style == "slurm":
        return int(code is ExitCode.FINDINGS)
    return int(code)


def styled_line(style: str, report: Report, code: int) -> str:
    """The one line a monitor keeps: the verdict and the first finding's code."""
    from fwdoctor.report.visible import visible

    first = next((f for f in report.findings if f.severity != "info"), None)
    text = f"{first.code}: {first.message}" if first and code else report.headline
    text = visible(text)
    if style == "nagios":
        return f"FWDOCTOR {_WORDS[code]} - {text.replace('|', '/')}\n"
    return f"{text[:_NPD_LINE] if style == 'npd' else f'fwdoctor: {text}'}\n"


@contextlib.contextmanager
def errors_styled(style: str) -> Iterator[None]:
    """Errors of the doctor itself, as the monitor's word for «unknown»."""
    if style == "plain":
        yield
        return
    try:
        yield
    except (typer.Exit, KeyboardInterrupt):
        raise
    except FwdoctorError as error:
        _leave(style, error.message, error)
    except Exception as error:  # one of the boundaries for commands
        _leave(style, f"internal error: {type(error).__name__}: {error}", error)


def _leave(style: str, message: str, error: Exception) -> NoReturn:
    from fwdoctor.report.visible import visible

    text = visible(message)
    if style == "nagios":
        print(f"FWDOCTOR UNKNOWN - {text}")
        raise typer.Exit(3) from error
    print(f"fwdoctor: {text}"[: _NPD_LINE if style == "npd" else None])
    print(f"fwdoctor: {text}", file=sys.stderr)
    raise typer.Exit(2 if style == "npd" else 0) from error
