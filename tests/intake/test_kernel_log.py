"""Kernel logs and module versions."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.kernel_log import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


MISMATCH = """\
NVRM: API mismatch: the client has the version 535.54.03, but
NVRM: this kernel module has the version 535.86.05.  Please
"""


def test_xid_lines() -> None:
    facts = parse("[1.2] NVRM: Xid (PCI:0000:01:00): 79, pid=12, name=python\n")
    assert facts is not None
    assert [(event.code, event.pci_address) for event in facts.xids] == [
        (79, "0000:01:00.0")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            MISMATCH,
            {"libcuda": "535.54.03", "kernel_module": "535.86.05"},
        ),
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13\n",
            {"kernel_module": "470.57.02"},
        ),
        (
            "ii  nvidia-driver-535  535.129.03-0ubuntu0.22.04.1  amd64  metapackage\n",
            {"driver": "535.129.03"},
        ),
    ],
    ids=["mismatch", "proc", "dpkg"],
)
def test_versions(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected
