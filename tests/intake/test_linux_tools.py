"""What a Linux machine's own tools print."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.linux_tools import parse

LSPCI = """\
00:02.0 VGA compatible controller: Intel Corporation UHD Graphics 630 (rev 02)
\tKernel driver in use: i915
01:00.0 VGA compatible controller: NVIDIA Corporation GA106 [GeForce RTX 3060] (rev a1)
\tSubsystem: Gigabyte Technology Co., Ltd Device 4080
\tKernel driver in use: nouveau
"""


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


def test_the_bus() -> None:
    facts = parse(LSPCI)
    assert facts is not None
    assert [(d.vendor, d.kernel_driver) for d in facts.pci] == [
        *(("intel", "i915"), ("nvidia", "nouveau"))
    ]
    assert facts.pci[1].address == "0000:01:00.0"
    assert facts.gpus is not None
    assert facts.gpus[0].name == "GeForce RTX 3060"


def test_a_bus_without_nvidia_says_nothing() -> None:
    assert parse(LSPCI.split("01:00.0", maxsplit=1)[0]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "$ lsmod | grep nvidia\nnvidia_uvm 1 0\nnvidia 353198 1 nvidia_uvm\n",
            {"modules": "nvidia_uvm nvidia"},
        ),
        ("$ lsmod | grep nvidia\n$ uptime\n", {"modules": "none"}),
        (
            "$ uname -r\n6.2.0-36-generic\n",
            {"os": "linux", "kernel": "6.2.0-36-generic"},
        ),
        (
            "Linux node 5.15.0-58-generic #64-Ubuntu SMP x86_64 GNU/Linux\n",
            {"os": "linux", "kernel": "5.15.0-58-generic"},
        ),
        (
            'PRETTY_NAME="Ubuntu 22.04.3 LTS"\n',
            {"os": "linux", "distribution": "Ubuntu 22.04.3 LTS"},
        ),
        ("$ mokutil --sb-state\nSecureBoot enabled\n", {"secure_boot": "enabled"}),
        (
            "ls: cannot access '/dev/nvidia*': No such file or directory\n",
            {"missing_node": "/dev/nvidia0"},
        ),
        ("A controller of the kernel\n", {}),
    ],
)
def test_lines(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected
