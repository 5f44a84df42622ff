"""`--assume`: facts of another machine, in the words people have for them."""

from __future__ import annotations

import pytest

from fwdoctor.assume import apply_assumptions
from fwdoctor.errors import UsageError
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Driver, Gpu, PciDevice, Snapshot

HERE = Snapshot(
    driver=Driver(nvml_code=12),
    gpus=None,
    pci=(
        PciDevice(
            address="0000:01:00.0", vendor="nvidia", device_id="2684", kind="gpu"
        ),
    ),
)


def _assumed(*texts: str, snapshot: Snapshot = HERE) -> Snapshot:
    return apply_assumptions(snapshot, texts, Matrices())


@pytest.mark.parametrize("text", ["550", "R550", "r550"])
def test_a_branch_stands_for_its_first_driver_with_its_cuda(text: str) -> None:
    assumed = _assumed(f"driver={text}")
    matrices = Matrices()
    branch = next(b for b in matrices.driver_branches() if b.branch == 550)
    assert branch.cuda is not None
    toolkit = matrices.find_toolkit(branch.cuda)
    assert toolkit is not None
    assert assumed.driver.version == toolkit.min_driver["linux"]
    assert assumed.driver.cuda_driver_version == branch.cuda
    assert assumed.assumptions[0].value == str(assumed.driver.version)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("driver=565", "whole version"),  # no toolkit of its own
        ("driver=999", "whole version"),
        ("driver=", "followed by"),
        ("gpu=", "followed by"),
        ("gpu=,", "names no GPU"),
        ("cuda=12", "12.4"),
        ("glibc=2", "2.31"),
    ],
)
def test_what_cannot_be_assumed_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        _assumed(text)


def test_the_order_of_system_and_driver_does_not_matter() -> None:
    one = _assumed("driver=552.44", "os=wsl")
    other = _assumed("os=wsl", "driver=552.44")
    assert one.driver == other.driver
    assert str(one.driver.cuda_driver_version) == "12.4"


@pytest.mark.parametrize("facts", [("cuda=12.4", "gpu=T4"), ("gpu=T4", "cuda=12.4")])
def test_the_order_of_gpu_and_cuda_does_not_matter(facts: tuple[str, str]) -> None:
    assert str(_assumed(*facts).driver.cuda_driver_version) == "12.4"


def test_a_gpu_alone_does_not_blame_the_driver() -> None:
    report = judge(_assumed("gpu=RTX 4090"), Matrices())
    assert not [f for f in report.findings if f.severity == "error"]
    assert report.snapshot.driver.nvml_code is None


def test_no_gpu_can_be_assumed() -> None:
    full = _assumed("driver=580.65.06", "gpu=RTX 4090")
    report = judge(_assumed("gpu=none", snapshot=full), Matrices())
    assert report.verdict == "nothing-to-check"
    assert report.snapshot.assumptions[-1].was == "NVIDIA GeForce RTX 4090"


def test_an_assumed_gpu_keeps_a_driver_that_is_there() -> None:
    real = Snapshot(
        driver=_assumed("driver=580.65.06").driver, gpus=(Gpu(index=0),), pci=()
    )
    assert _assumed("gpu=H100", snapshot=real).driver == real.driver
