"""What an archive may cost: beyond these an image is refused with a clear message.

docs/image.md states them; raise both together.
"""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on files, bytes and growth of one image."""

    entries: int = 1_000_000  # files, folders and links of all layers
    layers: int = 512
    blob_bytes: int = 64 * GIB  # one layer, as stored and as decompressed
    # A layer that grows more than this many times is refused, from `growth_from` on.
    growth: int = 200
    growth_from: int = GIB
    document_bytes: int = 8 * MIB  # index, manifest or configuration
    header_bytes: int = MIB  # extended header of one tar member
    name_bytes: int = 8192
    depth: int = 256  # folders inside each other
    kept_bytes: int = GIB  # content set aside, in the temporary folder
    kept_files: int = 200_000
    kept_file_bytes: int = 64 * MIB
    library_bytes: int = 8 * GIB  # the largest library looked into


LIMITS = Limits()
