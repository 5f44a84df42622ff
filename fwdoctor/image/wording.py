"""The answer in words: rows for every format that people read, and as plain text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fwdoctor.presence import FRAMEWORK_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.image.facts import ImageReport, Reach
    from fwdoctor.versions import ComputeCapability

_LABEL = 16
Row = tuple[str, str]
_KINDS = {
    "root": "root file system",
    "bundle": "OCI bundle",
    "oci": "OCI image",
    "docker": "Docker archive",
    "tar": "tar archive of a root file system",
    "build": "image being built",
}


def answer_rows(report: ImageReport) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Titled lists of rows: the image, where each framework runs, what to set."""
    several = len({row.environment for row in report.reach}) > 1
    tables = [("Image", tuple(_image_rows(report)))]
    for row in report.reach:
        name = FRAMEWORK_NAMES[row.framework]
        version = row.product.rpartition(" ")[2]
        place = f" in {row.environment}" if several else ""
        tables.append((f"{name} {version}{place}", tuple(_reach_rows(row))))
    tables.append(("To set on this image", tuple(_setting_rows(report))))
    tables.append(("Could be left out", tuple(_waste_rows(report))))
    return tuple((title, rows) for title, rows in tables if rows)


def _image_rows(report: ImageReport) -> Iterator[Row]:
    image = report.image
    about = [_KINDS[image.kind], image.platform or ""]
    if image.layers:
        about.append(f"{image.layers} {'layer' if image.layers == 1 else 'layers'}")
    if image.stored_bytes:
        about.append(size_text(image.stored_bytes))
    yield "kind", ", ".join(part for part in about if part)
    if image.tags:
        yield "tag", ", ".join(image.tags[:3])
    if image.digest:
        yield "digest", image.digest
    host = report.snapshot.host
    libc = f"{host.libc} {host.libc_version or ''}".strip() if host.libc else ""
    if host.distribution or libc:
        yield "system", ", ".join(t for t in (host.distribution, libc) if t)
    for name, words in (("entrypoint", image.entrypoint), ("command", image.command)):
        if words:
            yield name, " ".join(words)
    if image.user:
        yield "user", image.user
    yield from _library_rows(report)


def _library_rows(report: ImageReport) -> Iterator[Row]:
    for toolkit in report.snapshot.toolkits or ():
        version = toolkit.full_version or "of unknown version"
        yield "toolkit", f"CUDA {version} in {toolkit.path}"
    libraries = report.snapshot.libraries or ()
    for library in libraries[:6]:
        version = f"{library.name} {library.version or ''}".strip()
        origin = f", {library.origin}" if library.origin else ""
        yield "library", f"{version} in {library.path}{origin}"
    if len(libraries) > 6:
        yield "library", f"{len(libraries) - 6} more (--format json)"


def _reach_rows(row: Reach) -> Iterator[Row]:
    if row.cuda is None:
        yield "runs on", row.reason
        return
    if row.min_driver is None:
        yield "host driver", f"the driver CUDA {row.cuda} needs is not in our data"
    elif row.full_driver is None or row.full_driver == row.min_driver:
        yield "host driver", f"{row.min_driver} or newer"
    else:
        yield (
            "host driver",
            (
                f"{row.min_driver} or newer, by minor-version compatibility;"
                f" {row.full_driver} or newer speaks CUDA {row.cuda} itself"
            ),
        )
    if row.compat_branches:
        branches = ", ".join(f"R{branch}" for branch in row.compat_branches)
        yield (
            "with compat",
            (
                f"{row.compat_package} in this image also serves {branches}"
                " on data-centre GPUs"
            ),
        )
    yield "GPUs, native", _listed(row.native) or "none"
    if row.ptx_only:
        yield (
            "GPUs, PTX only",
            (
                f"{_listed(row.ptx_only)} (compiled at first use, by a driver"
                f" that speaks CUDA {row.cuda})"
            ),
        )
    if row.unknown:
        yield "GPUs, unknown", _listed(row.unknown)
    if row.not_at_all:
        yield "GPUs, not", _listed(row.not_at_all)


def _listed(capabilities: Iterable[ComputeCapability]) -> str:
    return ", ".join(str(cc) for cc in capabilities)


def _setting_rows(report: ImageReport) -> Iterator[Row]:
    if report.require_cuda is not None:
        now = report.require_cuda_now
        note = "" if now in (None, report.require_cuda) else f" (is: {now})"
        yield "variable", f"NVIDIA_REQUIRE_CUDA={report.require_cuda}{note}"
    for name, value in report.labels.items():
        yield "label", f"{name}={value}"


def _waste_rows(report: ImageReport) -> Iterator[Row]:
    for waste in report.waste:
        why = f": {waste.why}" if waste.why else ""
        yield size_text(waste.size_bytes), f"{waste.what}{why}"


def size_text(size: int) -> str:
    """Bytes for a person, in the units images are sold in."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _wrap(text: str, room: int) -> list[str]:
    """Lines at blanks only, so that a label or a path can be copied."""
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def plain_text(report: ImageReport, width: int) -> str:
    """The answer as indented lines, for the terminal and behind Markdown's table."""
    lines = []
    for title, rows in answer_rows(report):
        lines.append(title)
        for label, text in rows:
            room = max(width - _LABEL - 2, 30)
            first, *rest = _wrap(text, room) or [""]
            lines.append(f"  {label:<{_LABEL}}{first}")
            lines.extend(" " * (_LABEL + 2) + line for line in rest)
        lines.append("")
    return "\n".join(lines)
