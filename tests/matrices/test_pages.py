"""docs/matrix.md and docs/matrix.html say what the data say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fwdoctor.matrices import pages
from fwdoctor.matrices.load import FRAMEWORKS, Matrices
from fwdoctor.matrices.pages import Section

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    Section(
        title="GPU names",
        columns=("GPU", "note"),
        rows=(("A|B <C>", "1"), ("D", "")),
    ),
)


class Cells(HTMLParser):
    """The text of every cell, and the tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "input"}:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1] += data


@pytest.mark.parametrize("name", ["matrix.md", "matrix.html"])
def test_page_is_current(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert text == pages.make_pages(Matrices(ROOT / "matrices"))[name], (
        "run `python -m fwdoctor.matrices.pages`"
    )


@pytest.fixture
def matrices(tmp_path: Path) -> Matrices:
    """The NVIDIA tables with the newest release of each framework."""
    for name in ("cuda", "cudnn", "nvidia", "pairs"):
        shutil.copytree(ROOT / "matrices" / name, tmp_path / name)
    for name in FRAMEWORKS:
        newest = Matrices(ROOT / "matrices").versions(name)[-1]
        (tmp_path / name).mkdir()
        shutil.copy(ROOT / "matrices" / name / f"{newest}.json", tmp_path / name)
    return Matrices(tmp_path)


def test_markdown_rows_have_as_many_cells_as_columns() -> None:
    text = pages.markdown_page(TINY, "2026-11-21")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows == ["| GPU | note |", "| --- | --- |", "| A\\|B <C> | 1 |", "| D |  |"]
    assert "(#gpu-names)" in text


def test_html_escapes_and_closes_what_it_opens() -> None:
    parser = Cells()
    parser.feed(pages.html_page(TINY, "2026-11-21"))
    assert parser.cells == ["GPU", "note", "A|B <C>", "1", "D", ""]
    assert parser.open == []


def test_gpus_are_found_by_their_series(matrices: Matrices) -> None:
    sections = {s.title: s for s in pages.find_sections(matrices)}
    names = [row[0].removeprefix("NVIDIA ").lower() for row in sections["GPUs"].rows]
    assert names == sorted(names)


def test_every_table_is_full_and_even(matrices: Matrices) -> None:
    for section in pages.find_sections(matrices):
        assert section.rows, section.title
        assert {len(row) for row in section.rows} == {len(section.columns)}
        assert not any("[" in cell for row in section.rows for cell in row)


def test_builds_stand_with_the_drivers_they_need(matrices: Matrices) -> None:
    sections = {s.title: s for s in pages.find_sections(matrices)}
    builds = sections["PyTorch builds"]
    driver, platforms = (
        builds.columns.index(name) for name in ("driver Linux", "platforms")
    )
    gpu_builds = [row for row in builds.rows if row[builds.columns.index("CUDA")]]
    assert gpu_builds
    for row in gpu_builds:
        assert bool(row[driver]) == ("linux" in row[platforms])


def test_each_pair_of_releases_has_one_row(matrices: Matrices) -> None:
    sections = {s.title: s for s in pages.find_sections(matrices)}
    pairs = sections["PyTorch with TensorFlow"]
    rows = {row[:2]: dict(zip(pairs.columns, row, strict=True)) for row in pairs.rows}
    assert len(rows) == len(pairs.rows)
    row = rows["2.10.0", "2.21.0"]
    assert row["PyPI, and-cuda"] == "conflict: nvidia-nccl-cu12"
    assert row["PyPI without and-cuda"] == "clean"
    index = row["PyTorch's index, and-cuda"]
    assert "cu126, cu128 conflict: nvidia-nccl-cu12; cu130 clobber: nvidia" in index
    assert rows["2.10.0", "2.19.1"]["conda-forge"] == "clean"


def test_main_writes_both_pages(
    matrices: Matrices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "Matrices", lambda: matrices)
    folder = tmp_path / "docs"
    folder.mkdir()
    pages.main(folder)
    made = pages.make_pages(matrices)
    assert set(made) == {"matrix.md", "matrix.html"}
    for name, text in made.items():
        assert (folder / name).read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = subprocess.run(
        [sys.executable, "-m", "fwdoctor.matrices.pages", str(tmp_path / "file")],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {tmp_path / 'file'}")
    assert "Traceback" not in ended.stderr
