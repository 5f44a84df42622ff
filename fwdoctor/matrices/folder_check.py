"""What a refresh looks at before and after it measures.

Before: records that it will read and rewrite are whole, and can be written. After: a
release may name a toolkit or a GPU that the tables made by hand do not have yet.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from packaging.version import Version

from fwdoctor.errors import MatrixError, UsageError
from fwdoctor.matrices.answers import read_source
from fwdoctor.matrices.load import FRAMEWORKS, Matrices
from fwdoctor.matrices.query_pairs import FILES
from fwdoctor.matrices.table_rows import TABLES, whole_record
from fwdoctor.matrices.typed import read_pair, read_release, read_variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fwdoctor.matrices.record import Record

ARCHITECTURES = "nvidia/architectures.json"


def check_folder(folder: Path) -> None:
    """Raise for a folder that cannot be written, or holds a damaged record."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        problem = f"{folder}: {error.strerror or error}"
        hint = "--matrices names the folder of the data"
        raise UsageError("output-unwritable", problem, hint=hint) from error
    try:
        _check_records(Matrices(folder))
    except MatrixError as error:
        hint = "restore the file, or remove it to have it made again"
        raise MatrixError(error.reference, error.message, hint=hint) from error


def find_unheard(folder: Path, framework: str, version: str) -> Iterator[str]:
    """What a release names and the tables made by hand do not know, as sentences."""
    matrices = Matrices(folder)
    release = matrices.find_release(framework, version)
    variants = release.variants if release else ()
    if (folder / TABLES["cuda"]).is_file():
        for cuda in sorted({v.cuda for v in variants if v.cuda}):
            if matrices.find_toolkit(cuda) is None:
                yield f"CUDA {cuda} is not in {TABLES['cuda']}"
    if (folder / ARCHITECTURES).is_file():
        for target in sorted({t for v in variants for t in v.compute_capabilities}):
            if matrices.find_architecture(target) is None:
                yield f"compute capability {target} is not in {ARCHITECTURES}"


def _check_records(matrices: Matrices) -> None:
    for framework in FRAMEWORKS:
        for version in matrices.versions(framework):
            _check_release(whole_record(matrices, f"{framework}/{version}.json"))
    for name in FILES.values():
        if (matrices.folder / name).is_file():
            tuple(whole_record(matrices, name).rows("records", _check_pair))


def _check_release(record: Record) -> None:
    release = read_release(record)
    tuple(release.conda)
    record.get("prerelease", bool, required=True)
    authored, extras = record.inner("authored"), record.inner("extras")
    for name in extras.data:
        extras.mapping(name)
    tuple(record.rows("variants", _check_variant))
    tuple(authored.rows("variants", read_variant))
    tuple(authored.rows("variant_facts", _check_variant_facts))
    tuple(record.rows("sources", read_source))


def _check_variant(row: Record) -> None:
    read_variant(row)
    row.text("index")


def _check_variant_facts(row: Record) -> None:
    row.text("package")
    row.texts("platforms")
    row.get("facts", dict, required=True)


def _check_pair(row: Record) -> None:
    read_pair(row)
    row.needed("torch", Version)
    row.needed("tensorflow", Version)
    row.text("platform")
    row.text("confidence")
    row.texts("python")
