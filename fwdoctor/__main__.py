"""Entry point: answers `--version` at once, everything else through the CLI."""

from __future__ import annotations

import io
import os
import sys

from fwdoctor import __version__


def main() -> None:
    """Run fwdoctor and exit with a documented code."""
    _replace_closed_streams()
    _write_utf8()
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"fwdoctor {__version__}\n")
        return
    try:
        from fwdoctor.cli import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


def _replace_closed_streams() -> None:
    """A stream that was closed for us (`>&-`) leads nowhere, and the code is told.

    Python has None for it, and the next file opened would get its number.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  # for ever
            setattr(sys, name, stream)


def _write_utf8() -> None:
    """Into files and pipes, as elsewhere; Windows would use its own code page."""
    if os.name != "nt" or "PYTHONIOENCODING" in os.environ:
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8")


if __name__ == "__main__":
    main()
