"""Several machines in one text are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwdoctor.intake.catalogue import load_catalogue
from fwdoctor.intake.parts import split
from fwdoctor.intake.reading import read_report
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Snapshot

MATRICES = Matrices()
CATALOGUE = load_catalogue(Path(__file__).parents[2] / "matrices" / "messages")

COMMENTERS = """\
alice commented on Jan 3, 2023
PyTorch version: 1.13.0+cu117
CUDA used to build PyTorch: 11.7
Is CUDA available: False
GPU 0: Tesla T4
Nvidia driver version: 450.80.02

bob commented on Jan 5, 2023
The same with torch 2.0.1+cu118, driver 535.54.03 and a RTX 4090.
RuntimeError: CUDA error: device-side assert triggered
"""
WORKING = """\
### Working environment

PyTorch version: 1.13.0+cu117
Is CUDA available: True

### Failing environment

PyTorch version: 2.1.0+cu121
Is CUDA available: False
"""
HOST = """\
On the host (Ubuntu 22.04):

| NVIDIA-SMI 535.54.03    Driver Version: 535.54.03    CUDA Version: 12.2     |
|   0  NVIDIA A100-SXM4-40GB  On  | 00000000:01:00.0 Off |                   On |
$ pip list
torch 1.8.0

In the container:

PyTorch version: 2.1.0+cu121
Is CUDA available: False
OS: Ubuntu 20.04.6 LTS (x86_64)
"""


def read(text: str) -> Snapshot:
    return read_report(text, catalogue=CATALOGUE, matrices=MATRICES)


def torch_versions(snapshot: Snapshot) -> list[str | None]:
    return [env.torch.version for env in snapshot.environments if env.torch]


def test_a_second_commenter_is_another_machine() -> None:
    snapshot = read(COMMENTERS)
    assert str(snapshot.driver.version) == "450.80.02"
    assert [gpu.name for gpu in snapshot.gpus or ()] == ["Tesla T4"]
    assert torch_versions(snapshot) == ["1.13.0", "2.0.1"]
    assert not snapshot.environments[1].is_target


def test_the_failing_environment_is_the_one_to_judge() -> None:
    snapshot = read(WORKING)
    assert torch_versions(snapshot) == ["2.1.0", "1.13.0"]
    assert snapshot.target is not None
    assert snapshot.target.torch is not None
    assert snapshot.target.torch.gpu_available is False


def test_a_container_has_the_driver_of_its_host_and_packages_of_its_own() -> None:
    snapshot = read(HOST)
    assert str(snapshot.driver.version) == "535.54.03"
    assert snapshot.host.distribution == "Ubuntu 20.04.6 LTS"
    assert [gpu.name for gpu in snapshot.gpus or ()] == ["NVIDIA A100-SXM4-40GB"]
    assert torch_versions(snapshot)[0] == "2.1.0"
    assert snapshot.target is not None
    assert not any(p.version == "1.8.0" for p in snapshot.target.packages or ())


def test_messages_of_a_machine_kept_apart_are_not_heard() -> None:
    text = COMMENTERS.replace("GPU 0:", "CUDA error: out of memory\nGPU 0:")
    lines = {message.line for message in read(text).messages}
    assert lines
    assert all(line < 8 for line in lines)


def test_lines_count_from_the_beginning_of_the_text() -> None:
    snapshot = read(WORKING)
    assert {
        probe.reason for probe in snapshot.probes if probe.name == "collect_env"
    } == {"line 8"}


@pytest.mark.parametrize(
    "text",
    [
        "Host: my computer\nIt does not work in the container.\n",
        "### Working environment\n\nonly one heading\n",
        "I commented on x\n",
        "",
    ],
)
def test_a_text_about_one_machine_stays_whole(text: str) -> None:
    assert [part.text for part in split(text)] == [text]


def test_the_parts_are_the_text() -> None:
    for text in (COMMENTERS, WORKING, HOST):
        parts = split(text)
        assert len(parts) > 1
        assert "".join(part.text for part in parts) == text
        for part in parts:
            before = text[: text.index(part.text)]
            assert part.line == before.count("\n") + 1
