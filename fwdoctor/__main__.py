"""Entry point: answers `--version` at once, everything else through the CLI."""

from __future__ import annotations

import sys

from fwdoctor import __version__


def main() -> None:
    """Run fwdoctor and exit with a documented code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"fwdoctor {__version__}\n")
        return
    try:
        from fwdoctor.cli import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
