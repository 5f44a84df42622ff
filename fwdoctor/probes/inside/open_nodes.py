"""Opens device files and says how each went: open_nodes.py PATH…

One line a path: `ok PATH` or `EPERM PATH`. Run by `fwdoctor.probes.device_nodes`, because
opening can hang in a broken driver; imports nothing of fwdoctor.
"""

import errno
import os
import sys


def try_open(path: str) -> str:
    """`ok`, or the name of the error."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "ok"


def main() -> None:
    """Answer line by line, so that a hang hides only what comes after it."""
    for path in sys.argv[1:]:
        sys.stdout.write(try_open(path) + " " + path + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
