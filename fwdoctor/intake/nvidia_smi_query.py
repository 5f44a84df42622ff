"""The long answers of nvidia-smi: `-q` as text and `-q -x` as XML.

Both are read into the same flat form, a text per path ("fb memory usage/total"), and
that into a Gpu. Cut-off input gives what was complete.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor.intake.nvidia_smi_cells import (
    LINE_LIMIT,
    TEXT_LIMIT,
    SmiFacts,
    compute_mode_cell,
    count_cell,
    cuda_cell,
    driver_cell,
    fabric_cell,
    flag_cell,
    pci_cell,
    size_cell,
    text_cell,
    uuid_cell,
)
from fwdoctor.model.snapshot import Gpu, MigInstance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

# Paths of -q; those of the XML in brackets where the words differ. Of several, the
# first that is there counts.
_NAME = ("product name",)
_PCI = ("pci/bus id", "pci/pci bus id")
_DEVICE_ID = ("pci/device id", "pci/pci device id")
_UUID = ("gpu uuid", "uuid")
_PERSISTENCE = ("persistence mode",)
_COMPUTE_MODE = ("compute mode",)
_TOTAL = ("fb memory usage/total",)
_USED = ("fb memory usage/used",)
_MIG = ("mig mode/current", "mig mode/current mig")
_ECC = ("ecc mode/current", "ecc mode/current ecc")
_RETIRED = (
    ("retired pages/single bit ecc", "retired pages/double bit ecc"),
    (
        "retired pages/multiple single bit retirement/retired count",
        "retired pages/double bit retirement/retired count",
    ),
)
_RETIRING = (
    "retired pages/pending page blacklist",
    "retired pages/pending",
    "retired pages/pending retirement",
    "retired pages/pending blacklist",
)
_REMAPPED = (
    ("remapped rows/correctable error", "remapped rows/uncorrectable error"),
    ("remapped rows/remapped row corr", "remapped rows/remapped row unc"),
)
_REMAPPING = ("remapped rows/pending", "remapped rows/remapped row pending")
_REMAP_FAILED = (
    "remapped rows/remapping failure occurred",
    "remapped rows/remapped row failure",
)
_FABRIC = ("fabric/state",)
_DRIVER = ("kmd version", "driver version")
_CUDA = ("cuda umd version", "cuda version")
# Uncorrected errors since the last reset: up to Volta, then Turing and newer.
_UNCORRECTED_TOTAL = (
    "ecc errors/volatile/double bit/total",
    "ecc errors/volatile/uncorrected/total",
)
_UNCORRECTED_PARTS = re.compile(
    r"ecc errors/volatile/[sd]ram uncorrectable(?: parity| sec-?ded| secded)?"
)
_GPU_LINE = re.compile(
    r"\s*GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d)\s*"
)
# "CUDA Version [Deprecated; will be removed in CUDA 14.0 …]"
_NOTE = re.compile(r"\s{0,9}[\[(].*")
_XML_HEAD = re.compile(
    r"<(driver_version|kmd_version|cuda_version|cuda_umd_version|attached_gpus)>"
    r"([^<]{1,40})<"
)
_INSTANCE = "mig device"
_MAX_INSTANCES = 64
_MAX_DEPTH = 8


def parse_query(text: str) -> SmiFacts:
    """What `nvidia-smi -q` says."""
    head: dict[str, str] = {}
    gpus: list[dict[str, str]] = []
    parents: list[tuple[int, str]] = []
    current = head
    for line in text[:TEXT_LIMIT].splitlines():
        if len(line) > LINE_LIMIT:
            continue
        started = _GPU_LINE.fullmatch(line)
        if started:
            current, parents = {"pci/bus id": started[1]}, []
            gpus.append(current)
        else:
            _read_line(line, parents, current)
    return _facts(head, [_query_gpu(i, values) for i, values in enumerate(gpus)])


def _query_gpu(index: int, values: Mapping[str, str]) -> Gpu:
    gpu = _gpu(index, values)
    instances = _query_instances(values) if gpu.mig_enabled else None
    return replace(gpu, mig_instances=instances)


def _read_line(
    line: str, parents: list[tuple[int, str]], values: dict[str, str]
) -> None:
    """Keep «Label : text» under the labels it is indented below."""
    words, colon, text = line.partition(":")
    label = _NOTE.sub("", words).strip().lower()
    if not label:
        return
    depth = len(line) - len(line.lstrip())
    while parents and parents[-1][0] >= depth:
        parents.pop()
    if colon:
        path = "/".join([*(name for _, name in parents), label])
        values.setdefault(path, text.strip())
    elif len(parents) < _MAX_DEPTH:
        if label == _INSTANCE:
            label = f"{label} {len(_query_instances(values))}"
        parents.append((depth, label))


def _query_instances(values: Mapping[str, str]) -> tuple[MigInstance, ...]:
    found: list[MigInstance] = []
    while f"{_INSTANCE} {len(found)}/index" in values and len(found) < _MAX_INSTANCES:
        size = values.get(f"{_INSTANCE} {len(found)}/fb memory usage/total")
        found.append(MigInstance(memory_bytes=size_cell(size)))
    return tuple(found)


def parse_xml(text: str) -> SmiFacts:
    """What `nvidia-smi -q -x` says; a damaged GPU's element is left out.

    Each element is parsed by itself, so no document type can define entities.
    """
    text = text[:TEXT_LIMIT]
    start = text.find("<nvidia_smi_log")
    if start < 0:
        return SmiFacts()
    head = {_words(tag): value for tag, value in _XML_HEAD.findall(text, start)}
    gpus = [_xml_gpu(i, element) for i, element in enumerate(_iter_gpus(text, start))]
    return _facts(head, gpus)


def _iter_gpus(text: str, start: int) -> Iterator[Element]:
    closing = "</gpu>"
    while (start := text.find("<gpu ", start)) >= 0:
        end = text.find(closing, start)
        if end < 0:
            return
        element = _parse_element(text[start : end + len(closing)])
        if element is not None:
            yield element
        start = end


def _parse_element(text: str) -> Element | None:
    from xml.etree.ElementTree import ParseError, fromstring

    try:
        return fromstring(text)  # noqa: S314  # a document type cannot stand in it
    except ParseError:
        return None


def _xml_gpu(index: int, element: Element) -> Gpu:
    values = dict(_flatten(element, ""))
    values.setdefault("pci/bus id", element.get("id", ""))
    gpu = _gpu(index, values)
    if not gpu.mig_enabled:
        return gpu
    parts = tuple(
        MigInstance(memory_bytes=size_cell(part.findtext("fb_memory_usage/total")))
        for part in element.iterfind("mig_devices/mig_device")
    )
    return replace(gpu, mig_instances=parts)


def _flatten(element: Element, above: str) -> Iterator[tuple[str, str]]:
    for child in element:
        path = above + _words(child.tag)
        if len(child) and path.count("/") < _MAX_DEPTH:
            yield from _flatten(child, f"{path}/")
        else:
            yield path, (child.text or "").strip()


def _words(tag: str) -> str:
    return tag.replace("_", " ").lower()


def _facts(head: Mapping[str, str], gpus: Sequence[Gpu]) -> SmiFacts:
    return SmiFacts(
        driver_version=driver_cell(_first(head, _DRIVER)),
        cuda_driver_version=cuda_cell(_first(head, _CUDA)),
        gpus=tuple(gpus) if gpus or _first(head, ("attached gpus",)) == "0" else None,
    )


def _gpu(index: int, values: Mapping[str, str]) -> Gpu:
    device = (_first(values, _DEVICE_ID) or "").removeprefix("0x")
    return Gpu(
        index=index,
        name=text_cell(_first(values, _NAME)),
        uuid=uuid_cell(_first(values, _UUID)),
        pci_address=pci_cell(_first(values, _PCI)),
        pci_device_id=device[:4].lower() if device.endswith("10DE") else None,
        memory_bytes=size_cell(_first(values, _TOTAL)),
        memory_used_bytes=size_cell(_first(values, _USED)),
        mig_enabled=flag_cell(_first(values, _MIG)),
        compute_mode=compute_mode_cell(_first(values, _COMPUTE_MODE)),
        persistence=flag_cell(_first(values, _PERSISTENCE)),
        ecc_enabled=flag_cell(_first(values, _ECC)),
        ecc_uncorrected=_uncorrected(values),
        retired_pages=_sum(values, _RETIRED),
        retirement_pending=flag_cell(_first(values, _RETIRING)),
        remapped_rows=_sum(values, _REMAPPED),
        remapping_pending=flag_cell(_first(values, _REMAPPING)),
        remapping_failed=flag_cell(_first(values, _REMAP_FAILED)),
        fabric_state=fabric_cell(_first(values, _FABRIC)),
    )


def _first(values: Mapping[str, str], paths: Sequence[str]) -> str | None:
    return next((values[path] for path in paths if path in values), None)


def _sum(values: Mapping[str, str], choices: Sequence[Sequence[str]]) -> int | None:
    for paths in choices:
        counts = [count_cell(values.get(path)) for path in paths]
        known = [count for count in counts if count is not None]
        if known:
            return sum(known)
    return None


def _uncorrected(values: Mapping[str, str]) -> int | None:
    total = count_cell(_first(values, _UNCORRECTED_TOTAL))
    if total is not None:
        return total
    paths = [path for path in values if _UNCORRECTED_PARTS.fullmatch(path)]
    return _sum(values, [paths])
