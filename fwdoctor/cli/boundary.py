"""The one place where errors become messages and exit codes."""

from __future__ import annotations

import functools
import os
import stat
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

import typer

from fwdoctor import __version__
from fwdoctor.errors import ExitCode, FwdoctorError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Turn whatever `function` raises into a message on stderr and an exit code."""

    @functools.wraps(function)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (typer.Exit, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            _leave(ExitCode.INTERRUPTED)
        except FwdoctorError as error:
            _say_error(error)
            _leave(error.exit_code)
        except BrokenPipeError:
            _drop_stdout()
            _leave(ExitCode.OK)
        except Exception as error:  # the one boundary for commands
            say_internal(error)
            _leave(ExitCode.INTERNAL)

    return bounded


def _leave(code: ExitCode) -> NoReturn:
    raise typer.Exit(int(code))


def _say_error(error: FwdoctorError) -> None:
    """The message may quote a file or an argument: nothing of it acts on a terminal."""
    from fwdoctor.report.visible import visible

    _say(f"fwdoctor: {visible(error.message)}")
    if error.hint:
        _say(f"hint: {visible(error.hint)}")


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError):
        return


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush stays quiet."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


def say_internal(error: Exception) -> None:
    """Write a log of an unexpected error worth pasting, and say where it is."""
    log = "".join(traceback.format_exception(error))
    header = f"fwdoctor {__version__}, Python {sys.version.split()[0]}, {sys.platform}"
    _say(f"fwdoctor: internal error: {type(error).__name__}: {error}")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="fwdoctor-", suffix=".log", delete=False, encoding="utf-8"
        ) as stream:
            stream.write(f"{header}\n{log}")
        _say(f"please report it with the log in {stream.name}")
    except OSError:
        _say(f"please report it with this log:\n{header}\n{log}")


def emit(text: str, output: str | None) -> None:
    """Write to stdout, or to a file through a temporary one in the same folder.

    Raises UsageError naming the file that cannot be written.
    """
    if output is not None:
        write_file(output, text)
        return
    stream = sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _drop_stdout()
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except OSError as error:
        _drop_stdout()
        raise _unwritable("standard output", error) from error


def write_file(path: str, text: str) -> None:
    """Replace `path` by a file with this text; nothing is lost when it fails.

    A link keeps pointing to the file, whose permissions stay; a device or a pipe
    (`/dev/null`, `/dev/stdout`) is written to, never replaced.
    """
    real = os.path.realpath(path)
    temporary = ""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            return
        with tempfile.NamedTemporaryFile(
            "w",
            dir=os.path.dirname(real),
            prefix=".fwdoctor-",
            delete=False,
            encoding="utf-8",
            newline="",
        ) as stream:
            temporary = stream.name
            stream.write(text)
        os.chmod(temporary, _mode_for(real))
        os.replace(temporary, real)
    except OSError as error:
        if temporary:
            _remove_quietly(temporary)
        raise _unwritable(path, error) from error


def _mode_for(path: str) -> int:
    """The permissions of the file that is there, else those of a new one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _remove_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _unwritable(what: str, error: OSError) -> FwdoctorError:
    from fwdoctor.errors import UsageError

    return UsageError("output-unwritable", f"{what}: {error.strerror or error}")
