"""Whole pastes to snapshots: what each field says and where sources disagree."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwdoctor.intake.catalogue import Catalogue, load_catalogue
from fwdoctor.intake.reading import read_report
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Snapshot

MESSAGES = Path(__file__).parents[2] / "matrices" / "messages"
MATRICES = Matrices()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MESSAGES)


def read(text: str, catalogue: Catalogue) -> Snapshot:
    return read_report(text, catalogue=catalogue, matrices=MATRICES)


def test_collect_env_outranks_a_package_list(catalogue: Catalogue) -> None:
    snapshot = read(
        "PyTorch version: 1.3.0\n"
        "CUDA used to build PyTorch: 10.1.243\n"
        "Is CUDA available: No\n"
        "OS: Debian GNU/Linux 9.11 (stretch)\n"
        "GPU 0: Tesla T4\n"
        "Nvidia driver version: 410.104\n"
        "[pip3] torch==1.2.0\n",
        catalogue,
    )
    target = snapshot.target
    assert target is not None
    assert target.torch is not None
    assert target.torch.version == "1.3.0"
    assert target.torch.kind == "cuda"
    assert str(target.torch.cuda) == "10.1"
    assert target.torch.gpu_available is False
    assert str(snapshot.driver.version) == "410.104"
    assert snapshot.host.distribution_id == "debian"
    assert snapshot.gpus is not None
    assert str(snapshot.gpus[0].compute_capability) == "7.5"


def test_nothing_known_gives_an_empty_pasted_snapshot(catalogue: Catalogue) -> None:
    snapshot = read("My cat sat on the keyboard.\n", catalogue)
    assert snapshot.origin == "pasted"
    assert snapshot.gpus is None
    assert snapshot.target is not None
    assert snapshot.target.kind == "pasted"
    assert snapshot.target.torch is None
    assert snapshot.target.tensorflow is None
