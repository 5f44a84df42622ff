"""Run a command on a fake machine: `python -m fwdoctor.testing`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from fwdoctor.errors import ExitCode, FwdoctorError, UsageError
from fwdoctor.testing.machine import build_machine
from fwdoctor.testing.scenario import load_scenario, scenario_names

USAGE = """\
usage: python -m fwdoctor.testing SCENARIO [KEY=VALUE…] -- COMMAND…
       python -m fwdoctor.testing --list

Runs COMMAND where a fake GPU answers instead of a real one. SCENARIO is a shipped name
or the path of a scenario file; KEY=VALUE changes keys of it.
"""


def main(arguments: list[str]) -> int:
    """Run the command line; returns the command's exit status, 128+N for signal N."""
    if arguments == ["--list"]:
        lines = (f"{name:32} {load_scenario(name).about}" for name in scenario_names())
        sys.stdout.write("\n".join(lines) + "\n")
        return ExitCode.OK
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return ExitCode.OK if arguments else ExitCode.USAGE
    try:
        return _run(arguments)
    except FwdoctorError as error:
        sys.stderr.write(f"error: {error.message}\n")
        sys.stderr.write(f"hint: {error.hint}\n" if error.hint else "")
        return error.exit_code


def _run(arguments: list[str]) -> int:
    own, command = arguments, list[str]()
    if "--" in arguments:
        at = arguments.index("--")
        own, command = arguments[:at], arguments[at + 1 :]
    if not own or not command:
        raise UsageError(
            "no-command", "give a scenario, `--` and a command", hint=USAGE
        )
    with tempfile.TemporaryDirectory(prefix="fwdoctor-machine-") as folder:
        machine = build_machine(Path(folder), own[0], _changes(own[1:]))
        try:
            # Not run_child: the command keeps our terminal, input and output.
            status = os.spawnvpe(  # noqa: S606 - what the user typed
                os.P_WAIT, command[0], command, dict(machine.env)
            )
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
    return 128 - status if status < 0 else status


def _changes(words: list[str]) -> dict[str, object]:
    changes: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError("bad-change", f"no `=` in {word!r}: write KEY=VALUE")
        changes[key] = value
    return changes


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
