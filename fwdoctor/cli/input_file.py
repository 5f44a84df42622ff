"""Reading what a command line names: a file, or standard input for "-"."""

from __future__ import annotations

import sys


def read_input(name: str, limit_bytes: int) -> bytes:
    """At most one byte more than the limit, to be noticed; raises OSError."""
    if name != "-":
        with open(name, "rb") as stream:
            return stream.read(limit_bytes + 1)
    return sys.stdin.buffer.read(limit_bytes + 1)


def input_name(name: str) -> str:
    """What an error message calls it."""
    return "standard input" if name == "-" else name
