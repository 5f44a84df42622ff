"""Reading and writing snapshot files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from fwdoctor.cli.input_file import input_name, read_input
from fwdoctor.errors import SnapshotError
from fwdoctor.model.codec import decode_snapshot, encode
from fwdoctor.redact import redact_json
from fwdoctor.report.visible import json_text

if TYPE_CHECKING:
    from fwdoctor.model.snapshot import Snapshot

LIMIT_BYTES = 50_000_000


def snapshot_text(snapshot: Snapshot) -> str:
    """The snapshot as indented JSON, without names of persons, final newline."""
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    user = os.environ.get("USER") or os.environ.get("USERNAME")
    data = redact_json(encode(snapshot), home=home, user=user)
    return json_text(data)


def read_snapshot(path: str) -> Snapshot:
    """The snapshot (or the report's snapshot) in a file, or on stdin for "-".

    Raises SnapshotError naming the file, and the field that is wrong.
    """
    name = input_name(path)
    try:
        content = read_input(path, LIMIT_BYTES)
    except OSError as error:
        raise SnapshotError(
            "snapshot-unreadable", f"{name}: {error.strerror or error}"
        ) from error
    if len(content) > LIMIT_BYTES:
        raise SnapshotError("snapshot-too-large", f"{name}: larger than 50 MB")
    try:
        return decode_snapshot(json.loads(content))
    except SnapshotError as error:
        raise SnapshotError(
            error.reference, f"{name}: {error.message}", hint=error.hint
        ) from error
    except (ValueError, RecursionError) as error:
        raise SnapshotError("snapshot-damaged", f"{name}: no JSON: {error}") from error
