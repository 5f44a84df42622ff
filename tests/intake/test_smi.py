"""nvidia-smi outputs found in a longer text."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.smi import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


TABLE = """\
This is what I see:
+-----------------------------------------------------------------------------+
| NVIDIA-SMI 470.57.02    Driver Version: 470.57.02    CUDA Version: 11.4     |
|-------------------------------+----------------------+----------------------+
|   0  Tesla T4            Off  | 00000000:00:1E.0 Off |                    0 |
| N/A   32C    P0    26W /  70W |      0MiB / 15109MiB |      0%      Default |
+-----------------------------------------------------------------------------+
"""


def test_table() -> None:
    facts = parse(TABLE)
    assert facts is not None
    assert said(facts) == {
        "driver": "470.57.02",
        "smi_version": "470.57.02",
        "driver_cuda": "11.4",
    }
    assert facts.values["driver"].line == 3
    assert facts.gpus is not None
    assert facts.gpus[0].name == "Tesla T4"
    assert facts.gpus[0].memory_bytes == 15109 * 1024**2


def test_new_words_of_the_table() -> None:
    facts = parse(
        "| NVIDIA-SMI 610.43.02  KMD Version: 610.43.02  CUDA UMD Version: 13.3 |"
    )
    assert said(facts)["driver_cuda"] == "13.3"


def test_csv_and_list() -> None:
    facts = parse("name, driver_version, compute_cap\nTesla T4, 470.57.02, 7.5\n")
    assert facts is not None
    assert facts.gpus is not None
    assert str(facts.gpus[0].compute_capability) == "7.5"
    listed = parse("GPU 0: NVIDIA A100 (UUID: GPU-5d2f7a34-1111-2222-3333-44444444)\n")
    assert listed is not None
    assert listed.gpus is not None
    assert listed.gpus[0].name == "NVIDIA A100"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch", "18"),
        ("failed to initialize NVML: Insufficient Permissions", "4"),
        ("Failed to initialize NVML: Unknown Error", "999"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the driver.", "9"),
    ],
)
def test_errors(text: str, code: str) -> None:
    assert said(parse(text))["nvml_code"] == code


def test_no_devices_is_an_error_of_its_own() -> None:
    facts = parse("$ nvidia-smi\nNo devices were found\n")
    assert said(facts) == {"smi_error": "No devices were found"}
