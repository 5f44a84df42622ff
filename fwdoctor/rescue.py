"""The machine's facts as JSON, with nothing but the standard library.

For environments so broken that fwdoctor's own dependencies do not import:
`python -m fwdoctor.rescue [PATH]` prints a snapshot for `fwdoctor check --snapshot`.
Without nvidia-ml-py the driver is asked through libcuda and nvidia-smi; without
pyelftools only 64-bit libraries are read. PATH is an interpreter, a venv or conda
folder; without it the environment is the one that `fwdoctor check` would choose.
"""

from __future__ import annotations

import json
import os
import sys

from fwdoctor.errors import ExitCode, FwdoctorError
from fwdoctor.model.codec import encode
from fwdoctor.probes.machine import Target, probe_machine
from fwdoctor.probes.source import live_source
from fwdoctor.redact import redact_json

USAGE = "usage: python -m fwdoctor.rescue [PATH]"


def snapshot_text(path: str | None) -> str:
    """The machine's redacted snapshot, in ASCII; raises UsageError for a bad path."""
    source = live_source(os.environ.get("FWDOCTOR_TEST_ROOT"))
    target = Target(path=path, cwd=_cwd(), own_prefix=sys.prefix)
    snapshot = probe_machine(source, target)
    home, user = source.env.get("HOME"), source.env.get("USER")
    return json.dumps(redact_json(encode(snapshot), home=home, user=user), indent=2)


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"


def main(arguments: list[str]) -> int:
    """Print the snapshot; the exit code is one of fwdoctor's."""
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(USAGE, file=sys.stderr)
        return ExitCode.USAGE
    try:
        text = snapshot_text(arguments[0] if arguments else None)
    except FwdoctorError as error:
        print(f"fwdoctor: {error.message}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return _write(text)


def _write(text: str) -> int:
    try:
        print(text, flush=True)
    except OSError as error:
        # The interpreter's last flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return ExitCode.OK
        print(f"fwdoctor: standard output: {error.strerror}", file=sys.stderr)
        return ExitCode.USAGE
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
