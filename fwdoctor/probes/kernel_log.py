"""Xid lines: what the NVIDIA kernel module reported about GPUs since the last boot.

Log files first, the kernel's own buffer where no file can be read. The journal is not
asked: `journalctl` takes longer than the rest of a check.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from fwdoctor.model.snapshot import XidEvent
from fwdoctor.probes.runner import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

LOG_FILES = ("/var/log/kern.log", "/var/log/messages")
KERNEL_BUFFER = "/dev/kmsg"
TAIL_BYTES = 1 << 20
MAX_EVENTS = 20
MAX_RECORDS = 20_000
_RECORD_BYTES = 8192
_TEXT_LIMIT = 300

# NVRM: Xid (PCI:0000:01:00): 79, pid=1234, GPU has fallen off the bus.
# NVRM: Xid (0000:03:00): 31, Ch 00000010, engmask 00000101        (older drivers)
# NVRM: Xid (PCI:0000:65:00 GPU-I:05): 94, Contained: SM           (MIG)
_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<address>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})?"
    r"[^)\n]{0,40}\): (?P<code>\d{1,4})\b,?[ \t]*(?P<text>[^\n]*)"
)
_BOOT = re.compile(r"kernel: (?:\[ *[\d.]+\] )?Linux version ")


class KernelLogProbe:
    """The most recent Xid events."""

    name = "kernel-log"

    def start(self, source: Source) -> Callable[[], tuple[XidEvent, ...]]:
        """Nothing runs; the log is read in `finish`."""
        return lambda: parse_xids(read_log(source))


def read_log(source: Source) -> str:
    """The end of the kernel log; raises ProbeError when there is none to read."""
    denied = []
    for path in LOG_FILES:
        try:
            return read_tail(source, path)
        except PermissionError:
            denied.append(path)
        except (OSError, ValueError):
            continue
    if source.is_live_root and hasattr(os, "O_NONBLOCK"):  # Windows has none
        try:
            return _read_buffer()
        except PermissionError:
            denied.append(KERNEL_BUFFER)
        except OSError:
            pass
    if denied:
        reason = f"{', '.join(denied)}: readable by the administrator only"
        raise ProbeError("denied", reason)
    raise ProbeError("absent", "no kernel log file")


def read_tail(source: Source, path: str, limit: int = TAIL_BYTES) -> str:
    """The last `limit` bytes of a regular file as text; raises OSError."""
    size = source.stat(path).st_size
    if size <= limit:
        return source.read_text(path, limit)
    source.read_bytes(path, 0)  # refuses what is not a regular file
    with open(source.real_path(path), "rb") as stream:
        stream.seek(-limit, os.SEEK_END)
        return stream.read(limit).decode("utf-8", "replace")


def _read_buffer() -> str:
    """Every record of the kernel's buffer, without waiting for more."""
    descriptor = os.open(KERNEL_BUFFER, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    records = []
    try:
        for _ in range(MAX_RECORDS):
            try:
                records.append(os.read(descriptor, _RECORD_BYTES))
            except BrokenPipeError:  # overwritten while we read: go on with the next
                continue
            except OSError:  # BlockingIOError: that was the last record
                break
    finally:
        os.close(descriptor)
    return b"".join(records).decode("utf-8", "replace")


def parse_xids(text: str) -> tuple[XidEvent, ...]:
    """The last Xid events since the last boot in the text, oldest first."""
    boots = list(_BOOT.finditer(text))
    start = boots[-1].end() if boots else 0
    events = [_event(found) for found in _XID.finditer(text, start)]
    return tuple(events[-MAX_EVENTS:])


def _event(found: re.Match[str]) -> XidEvent:
    address = found["address"]
    return XidEvent(
        code=int(found["code"]),
        pci_address=f"{address.lower()}.0" if address else None,
        text=found["text"].strip()[:_TEXT_LIMIT],
    )
