"""Memory of the host and what this process may have of it.

Control groups (both generations), locked memory and /dev/shm.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.probes.source import Source

MAX_LIMIT_FILES = 200
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - measured, never written to
_SHM_MOUNT = re.compile(
    r"^\S+ /dev/shm tmpfs \S*\bsize=(\d{1,15})([kmg]?)(?=[,\s])", re.MULTILINE
)
_UNIT_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_NO_LIMIT_BYTES = 1 << 60  # generation 1 writes a number near 2**63 for «no limit»


def parse_memory_total(text: str) -> int | None:
    """The memory in /proc/meminfo: `MemTotal:       24684096 kB`."""
    found = re.search(r"^MemTotal:\s*(\d{1,15}) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def parse_memlock(text: str) -> int | None:
    """The soft limit in /proc/self/limits; None when unlimited.

    Max locked memory         8388608              8388608              bytes
    """
    found = re.search(r"^Max locked memory\s+(\d{1,20})\s", text, re.MULTILINE)
    return int(found[1]) if found else None


def read_shared_memory(source: Source) -> tuple[int | None, int | None]:
    """Size and free bytes of /dev/shm; a recorded tree tells only the size."""
    if not source.is_live_root:
        return parse_shm_size(source.find_text("/proc/mounts") or ""), None
    try:
        facts = os.statvfs(SHARED_MEMORY)
    except (AttributeError, OSError):
        return None, None
    return facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize


def parse_shm_size(text: str) -> int | None:
    """The size in /proc/mounts: `shm /dev/shm tmpfs rw,nosuid,size=65536k 0 0`."""
    found = _SHM_MOUNT.search(text)
    return int(found[1]) * _UNIT_BYTES[found[2]] if found else None


def read_memory_limit(source: Source) -> int | None:
    """The tightest control-group memory limit above this process, if any."""
    groups = source.find_text("/proc/self/cgroup") or "0::/"
    paths = islice(iter_limit_files(groups), MAX_LIMIT_FILES)
    found = (_read_limit(source, path) for path in paths)
    return min((limit for limit in found if limit is not None), default=None)


def _read_limit(source: Source, path: str) -> int | None:
    return parse_limit(source.find_text(path) or "")


def parse_limit(text: str) -> int | None:
    """Read memory.max or memory.limit_in_bytes: a number, or `max`."""
    stripped = text.strip()
    if not re.fullmatch(r"[0-9]{1,20}", stripped):
        return None
    return int(stripped) if int(stripped) < _NO_LIMIT_BYTES else None


def iter_limit_files(text: str) -> Iterator[str]:
    """The files that may limit us, by /proc/self/cgroup, up to the mount's root.

    0::/user.slice/session-1.scope              (generation 2)
    4:memory:/docker/4cf9fc069a5090ccc31fb043   (generation 1)
    """
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield from _upwards("/sys/fs/cgroup", path, "memory.max")
        elif "memory" in controllers.split(","):
            mount = "/sys/fs/cgroup/memory"
            yield from _upwards(mount, path, "memory.limit_in_bytes")


def _upwards(mount: str, path: str, name: str) -> Iterator[str]:
    parts = [part for part in path.split("/") if part not in ("", ".", "..")][:20]
    for length in range(len(parts), -1, -1):
        yield "/".join([mount, *parts[:length], name])
