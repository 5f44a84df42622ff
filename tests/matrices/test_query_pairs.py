"""Pairs of releases as answers: every origin, by one version or by two."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.errors import MatrixError, UsageError
from fwdoctor.matrices.load import Matrices, find_matrices_folder
from fwdoctor.matrices.query import find_release
from fwdoctor.matrices.query_pairs import FILES, find_pairs, list_pairs

MATRICES = Matrices(find_matrices_folder())
PROMISED = {
    *("torch", "tensorflow", "origin", "index", "variant", "extra", "platform"),
    *("python", "outcome", "colliding", "confidence", "sources"),
}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The files of pairs, to be damaged."""
    shutil.copytree(MATRICES.folder / "pairs", tmp_path / "pairs")
    return tmp_path


def named(pairs: list[dict[str, Any]], framework: str) -> list[str]:
    """The releases of a framework in these pairs, each once, in their order."""
    return list(dict.fromkeys(pair[framework] for pair in pairs))


def test_every_record_of_every_file_is_an_answer() -> None:
    pairs = list_pairs(MATRICES)
    assert len(pairs) == sum(
        len(MATRICES.raw(name)["records"]) for name in FILES.values()
    )
    assert {pair["origin"] for pair in pairs} == set(FILES)
    for pair in pairs:
        assert set(pair) >= PROMISED
        assert pair["sources"], pair
        assert all(source["retrieved"] for source in pair["sources"])


def test_newest_come_first() -> None:
    torch = named(list_pairs(MATRICES), "torch")
    known = MATRICES.versions("torch")
    assert torch == sorted(torch, key=known.index, reverse=True)
    of_one = named(find_pairs(MATRICES, "torch 2.9.1"), "tensorflow")
    known = MATRICES.versions("tensorflow")
    assert of_one == sorted(of_one, key=known.index, reverse=True)


def test_a_pair_says_what_its_record_says() -> None:
    (found,) = (
        pair
        for pair in find_pairs(MATRICES, "torch 2.9.1 tensorflow 2.21.0")
        if (pair["origin"], pair["extra"]) == ("pypi", "and-cuda")
    )
    assert found["outcome"] == "conflict"
    assert found["colliding"] == ["nvidia-nccl-cu12"]
    assert found["confidence"] == "measured"
    assert found["index"] == "pypi"
    assert [source["confidence"] for source in found["sources"]] == ["measured"]


def test_builds_of_the_index_and_of_conda_are_told() -> None:
    found = find_pairs(MATRICES, "2.10.0")
    index = {p["index"]: p["variant"] for p in found if p["origin"] == "pytorch-index"}
    assert index["https://download.pytorch.org/whl/cu128"] == "cu128"
    conda = [p for p in found if p["origin"] == "conda-forge" and p["builds"]]
    assert conda[0]["builds"][0] == {"torch": "cuda129*", "tensorflow": "cuda128*"}
    assert {s["confidence"] for s in conda[0]["sources"]} == {"inferred", "documented"}


@pytest.mark.parametrize(
    "text",
    [
        "torch 2.9.1 tensorflow 2.20.0",
        "tensorflow 2.20.0 torch 2.9.1",
        "2.9.1 2.20.0",
        "2.9.1, 2.20.0",
        "torch==2.9.1 tensorflow[and-cuda]==2.20.0",
        "PyTorch v2.9.1+cu128 TF 2.20",
        "tf 2.20 2.9.1",
    ],
)
def test_two_releases_are_named_in_many_ways(text: str) -> None:
    found = find_pairs(MATRICES, text)
    assert found
    assert {(p["torch"], p["tensorflow"]) for p in found} == {("2.9.1", "2.20.0")}


def test_a_version_that_both_have_finds_both() -> None:
    found = find_pairs(MATRICES, "2.15")
    assert {p["torch"] for p in found if p["tensorflow"] != "2.15.1"} == {"2.15.0"}
    assert {p["tensorflow"] for p in found if p["torch"] != "2.15.0"} == {"2.15.1"}
    assert {p["torch"] for p in find_pairs(MATRICES, "latest torch 2.15")} == {"2.15.0"}


def test_a_framework_alone_is_every_pair() -> None:
    assert find_pairs(MATRICES, "torch") == list_pairs(MATRICES)


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("9.9.9", ["torch 2.1.2 to", "tensorflow 2.15.0.post1 to"]),
        ("torch 2.1.1", ["did you mean torch 2.1.2?"]),
        ("tensorflow 2.16.0", ["tensorflow 2.15.1, tensorflow 2.16.1?"]),
        ("2.9.1 1.15.0", ["tensorflow 2.15.0.post1"]),
        ("nonsense", ["pairs are known of torch"]),
    ],
)
def test_an_unknown_release_says_what_is_known(text: str, hints: list[str]) -> None:
    with pytest.raises(UsageError, match="not in our data") as caught:
        find_pairs(MATRICES, text)
    assert all(hint in (caught.value.hint or "") for hint in hints)


def test_releases_that_share_no_python_say_so(copied: Path) -> None:
    for name in FILES.values():
        data = json.loads((copied / name).read_text())
        data["records"] = [
            row
            for row in data["records"]
            if (row["torch"], row["tensorflow"]) != ("2.9.1", "2.20.0")
        ]
        (copied / name).write_text(json.dumps(data))
    with pytest.raises(UsageError) as caught:
        find_pairs(Matrices(copied), "2.9.1 2.20.0")
    assert "torch 2.9.1 shares a Python version with tensorflow 2.21.0, 2.19.1" in (
        caught.value.hint or ""
    )


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_release_has_its_pairs_and_their_sources(framework: str) -> None:
    version = {"torch": "2.9.1", "tensorflow": "2.20.0"}[framework]
    found = find_release(MATRICES, framework, version)
    assert {pair[framework] for pair in found["pairs"]} == {version}
    assert not any("sources" in pair for pair in found["pairs"])
    assert any(source["fields"] == ["pairs"] for source in found["sources"])
    assert find_release(MATRICES, "torch", "1.0.0")["pairs"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("torch", None),
        ("tensorflow", "new"),
        ("outcome", 5),
        ("python", "3.12"),
        ("colliding", [5]),
        ("confidence", None),
        ("index", 5),
        ("versions", []),
        ("builds", [5]),
        ("retrieved", 5),
    ],
)
@pytest.mark.parametrize("origin", FILES)
def test_a_damaged_pair_names_file_and_field(
    copied: Path, origin: str, field: str, value: object
) -> None:
    path = copied / FILES[origin]
    data = json.loads(path.read_text())
    data["records"][2][field] = value
    path.write_text(json.dumps(data))
    with pytest.raises(MatrixError, match=rf"records\[2\].{field}") as caught:
        list_pairs(Matrices(copied))
    assert str(path) in caught.value.message


def test_a_missing_file_of_pairs_is_named(copied: Path) -> None:
    (copied / FILES["conda-forge"]).unlink()
    with pytest.raises(MatrixError, match=r"conda-forge\.json"):
        list_pairs(Matrices(copied))
