"""Two builds in one environment: what the recorded pairs of conda-forge decide."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.load import Matrices
from fwdoctor.solve.both import Agreement, agree, known_pairs
from fwdoctor.solve.candidates import Candidate, Machine

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = Machine(is_conda=True)


@pytest.fixture(scope="module")
def matrices() -> Matrices:
    return Matrices()


def conda_build(matrices: Matrices, framework: str, spec: str) -> Candidate:
    """The conda-forge build that `2.9.1=cuda129*` names, for Linux."""
    version, build = spec.split("=")
    release = matrices.find_release(framework, version)
    assert release is not None
    variant = next(
        variant
        for variant in release.conda
        if (variant.index, variant.build) == ("conda-forge", build)
        and MACHINE.platform in variant.platforms
    )
    return Candidate(release=release, variant=variant)


def judge(
    matrices: Matrices, torch: str, tensorflow: str, machine: Machine = MACHINE
) -> Agreement:
    return agree(
        conda_build(matrices, "torch", torch),
        conda_build(matrices, "tensorflow", tensorflow),
        known_pairs(matrices),
        machine,
    )


@pytest.mark.parametrize(
    ("torch", "tensorflow", "ok", "why"),
    [
        pytest.param(
            "2.10.0=cuda129*", "2.19.1=cuda128*", True, "same libraries", id="clean"
        ),
        pytest.param(
            "2.13.0=cuda129*", "2.19.1=cuda128*", False, "libprotobuf", id="pins-apart"
        ),
        pytest.param(
            "2.5.1=cuda120*", "2.18.0=cuda126*", False, "libraries", id="other-build"
        ),
        pytest.param(
            "2.10.0=cuda130*", "2.19.1=cuda128*", False, "CUDA 13.0", id="two-majors"
        ),
        pytest.param(
            "2.1.0=cuda120*", "2.15.0=cuda120*", True, "one copy", id="not-recorded"
        ),
    ],
)
def test_recorded_pairs_of_conda_forge_decide(
    torch: str, tensorflow: str, ok: bool, why: str, matrices: Matrices
) -> None:
    found = judge(matrices, torch, tensorflow)
    assert found.ok is ok
    assert why in found.how


def test_a_pair_of_another_platform_decides_nothing(matrices: Matrices) -> None:
    arm = Machine(is_conda=True, platform="linux-aarch64")
    found = judge(matrices, "2.13.0=cuda129*", "2.19.1=cuda128*", arm)
    assert found.ok
    assert "not resolved" in found.how


def test_a_damaged_file_of_pairs_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "matrices"
    shutil.copytree(Matrices().folder, folder)
    path = folder / "pairs" / "conda-forge.json"
    data = json.loads(path.read_text("utf-8"))
    data["records"][0]["builds"] = [{"torch": 12}]
    path.write_text(json.dumps(data))
    with pytest.raises(
        MatrixError, match=r"conda-forge\.json: field records\[0\]\.builds\[0\]"
    ):
        known_pairs(Matrices(folder))
