"""whole/facts.json says what the files say; a changed file speaks for itself."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.load import FRAMEWORKS, TABLES, Matrices, find_matrices_folder
from fwdoctor.matrices.pack import dump_packed, write_packed
from fwdoctor.matrices.packed import NAME

FOLDER = find_matrices_folder()
GPUS = "nvidia/gpus.json"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The matrices without their messages, as a checkout writes them."""
    folder = tmp_path / "matrices"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("messages", "schema"))
    os.utime(folder / NAME)
    return folder


def everything(matrices: Matrices) -> dict[str, list[Any]]:
    """All that the loader gives, by file."""
    found: dict[str, list[Any]] = {
        "cuda/toolkits.json": [*matrices.toolkits()],
        "cudnn/releases.json": [*matrices.cudnn_releases()],
        "nvidia/architectures.json": [*matrices.architectures()],
        "nvidia/codes.json": [*matrices.codes()],
        "nvidia/drivers.json": [*matrices.driver_branches()],
        "nvidia/gpus.json": [*matrices.gpus()],
        "pairs/conda-forge.json": [*matrices.conda_pairs()],
        "pairs/pypi.json": [*matrices.pairs()],
    }
    for framework in FRAMEWORKS:
        for release in matrices.releases(framework):
            name = f"{framework}/{release.version}.json"
            facts = {f: getattr(release, f) for f in release.__dataclass_fields__}
            builds = [*release.variants, *release.conda]
            found[name] = [{**facts, "variants": 0, "conda": 0}, *builds]
    return found


def test_it_is_current() -> None:
    text = (FOLDER / NAME).read_text(encoding="utf-8")
    assert text == dump_packed(FOLDER), "run `python -m fwdoctor.matrices.pack`"


def test_it_says_what_the_files_say(copied: Path) -> None:
    packed = everything(Matrices(copied))
    (copied / NAME).unlink()
    files = everything(Matrices(copied))
    assert packed.keys() == files.keys() >= TABLES.keys()
    assert [*packed] == [*files]  # the order of versions too
    for name in files:
        assert packed[name] == files[name], name
        assert files[name], name


def test_an_unchanged_file_is_not_parsed(copied: Path) -> None:
    path = copied / GPUS
    path.write_text("x" * path.stat().st_size)
    os.utime(path, (0, 0))
    assert Matrices(copied).find_gpu("T4") == Matrices(FOLDER).find_gpu("T4")


@pytest.mark.parametrize("new", ["Tesla T5", "Tesla T1000"])  # of the same length, too
def test_a_changed_file_speaks_for_itself(copied: Path, new: str) -> None:
    path = copied / GPUS
    path.write_text(path.read_text().replace('"Tesla T4"', f'"{new}"'))
    os.utime(path, ns=(0, (copied / NAME).stat().st_mtime_ns + 1))
    assert Matrices(copied).find_gpu(new) is not None
    assert Matrices(copied).find_gpu("T4") is None


def test_a_file_that_is_only_newer_is_still_known(copied: Path) -> None:
    os.utime(copied / GPUS, ns=(0, (copied / NAME).stat().st_mtime_ns + 10**12))
    matrices = Matrices(copied)
    assert matrices.find_gpu("T4") == Matrices(FOLDER).find_gpu("T4")
    assert GPUS not in matrices._files  # it was not parsed


def test_files_that_came_and_went(copied: Path) -> None:
    (copied / "torch" / "2.9.0.json").rename(copied / "torch" / "2.9.7.json")
    matrices = Matrices(copied)
    assert matrices.find_release("torch", "2.9.0") is None
    assert matrices.find_release("torch", "2.9.7") is not None
    versions = matrices.versions("torch")
    assert "2.9.0" not in versions
    assert versions.index("2.9.1") + 1 == versions.index("2.9.7")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "line 1"),
        ('{"files": {"nvidia/gpus', "line 1"),
        ("[]", "not a JSON object"),
        ('{"files": []}', "field files: list, not dict"),
        ('{"files": {"nvidia/gpus.json": 5}}', f"{GPUS}: no object"),
        ('{"files": {"nvidia/gpus.json": {}}}', f"{GPUS}.size: missing"),
    ],
)
def test_a_damaged_one_is_named(copied: Path, text: str, named: str) -> None:
    (copied / NAME).write_text(text)
    with pytest.raises(MatrixError) as caught:
        Matrices(copied).find_gpu("T4")
    assert str(copied / NAME) in caught.value.message
    assert named in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ({"records": "x"}, f"{GPUS}.records: str, not list"),
        ({"records": 10**9}, f"{GPUS}.records: int, not list"),
        ({"records": -1}, f"{GPUS}.records: int, not list"),
        ({"records": {"columns": ["name"]}}, f"{GPUS}.records.rows: missing"),
        ({"records": {"columns": "x", "rows": []}}, f"{GPUS}.records.columns: str"),
        ({"records": {"columns": ["name"], "rows": [5]}}, "no object"),
        ({"records": {"columns": ["name"], "rows": [[]]}}, r"records\[0\].name: miss"),
    ],
)
def test_a_damaged_fact_is_named(
    copied: Path, damage: dict[str, Any], named: str
) -> None:
    data = json.loads((copied / NAME).read_text())
    data["files"][GPUS]["facts"] = damage
    (copied / NAME).write_text(json.dumps(data))
    with pytest.raises(MatrixError, match=named):
        Matrices(copied).find_gpu("T4")


def test_a_damaged_row_is_named(copied: Path) -> None:
    data = json.loads((copied / NAME).read_text())
    table = data["files"][GPUS]["facts"]["records"]
    table["rows"][3][table["columns"].index("name")] = 7
    (copied / NAME).write_text(json.dumps(data))
    with pytest.raises(MatrixError, match=rf"{GPUS}.records\[3\].name: int, not str"):
        Matrices(copied).find_gpu("T4")


def test_packing_again_writes_nothing(copied: Path) -> None:
    before = (copied / NAME).stat()
    write_packed(copied)
    after = (copied / NAME).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_folder_of_few_files_is_packed(copied: Path) -> None:
    for name in ("pairs", "tensorflow", "cudnn"):
        shutil.rmtree(copied / name)
    write_packed(copied)
    matrices = Matrices(copied)
    assert matrices.versions("tensorflow") == ()
    assert matrices.versions("torch") == Matrices(FOLDER).versions("torch")
    with pytest.raises(MatrixError, match=r"pypi\.json"):
        matrices.pairs()
