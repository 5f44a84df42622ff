"""Rows of the tables made by hand, as they stand in the file.

Every field that an answer shows is looked at first: a damaged one is an error that
names file and field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.record import Record
from fwdoctor.matrices.typed import read_branch, read_cudnn, read_gpu, read_toolkit
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwdoctor.matrices.load import Matrices

Row = dict[str, Any]
TABLES = {
    "cuda": "cuda/toolkits.json",
    "cudnn": "cudnn/releases.json",
    "driver": "nvidia/drivers.json",
    "gpu": "nvidia/gpus.json",
}
FORWARD_COMPAT = "nvidia/forward_compat.json"


def whole_record(matrices: Matrices, name: str) -> Record:
    """A file as a record, whose errors name the file and the field."""
    return Record(str(matrices.folder / name), "", matrices.raw(name))


def find_rows(matrices: Matrices, topic: str) -> list[Row]:
    """The rows of a table, once each field that is shown is of its kind."""
    return list(whole_record(matrices, TABLES[topic]).rows("records", _CHECKS[topic]))


def find_compat_packages(matrices: Matrices) -> list[Row]:
    """The cuda-compat packages, with the driver branches they run on."""
    file = whole_record(matrices, FORWARD_COMPAT)
    return list(file.rows("records", _check_compat_package))


def find_sources(matrices: Matrices, topic: str, row: Row) -> list[Row]:
    """The sources of a row, each with the fields it supports."""
    data = matrices.raw(TABLES[topic])
    try:
        facts = row.get("facts") or data["fact_sets"][row["fact_set"]]
        return [
            {
                "source": data["sources"][fact["source"]]["source"],
                "fields": fields,
                "confidence": fact["confidence"],
                "retrieved": data["sources"][fact["source"]]["retrieved"],
            }
            for fact in facts
            if (fields := [field for field in fact["fields"] if field in row])
        ]
    except (KeyError, TypeError) as error:
        path = matrices.folder / TABLES[topic]
        problem = f"{path}: field facts or sources: {error} is missing"
        raise MatrixError("matrix-damaged", problem) from error


def _check_toolkit(row: Record) -> Row:
    read_toolkit(row)
    row.get("max_gcc", int)
    _check_drivers(row)
    for release in row.rows("releases", _same):
        release.text("version")
        _check_texts(release, "date", "note")
        _check_drivers(release)
    return _present(row)


def _check_cudnn(row: Record) -> Row:
    read_cudnn(row)
    row.get("cuda_majors", list, required=True)
    row.texts("wheels")
    _check_texts(row, "notes")
    drivers = row.inner("min_driver")
    for major in drivers.data:
        drivers.parsed_values(major, DriverVersion.parse)
    return _present(row)


def _check_branch(row: Record) -> Row:
    read_branch(row)
    for field in ("known", "open_modules_required_for"):
        row.texts(field)
    for early in row.rows("cuda_before", _same):
        early.needed("driver", DriverVersion.parse)
        early.text("cuda")
    return _present(row)


def _check_gpu(row: Record) -> Row:
    read_gpu(row)
    return _present(row)


def _check_compat_package(row: Record) -> Row:
    row.text("package")
    row.numbers("base_branches")
    return _present(row)


_CHECKS: Mapping[str, Callable[[Record], Row]] = {
    "cuda": _check_toolkit,
    "cudnn": _check_cudnn,
    "driver": _check_branch,
    "gpu": _check_gpu,
}


def _check_drivers(row: Record) -> None:
    row.parsed_values("min_driver", DriverVersion.parse)


def _check_texts(row: Record, *fields: str) -> None:
    for field in fields:
        row.get(field, str)


def _same(row: Record) -> Record:
    return row


def _present(row: Record) -> Row:
    """The fields that hold something."""
    return {field: value for field, value in row.data.items() if value is not None}
