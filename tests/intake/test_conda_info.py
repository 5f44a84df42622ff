"""conda info: what conda detected of the machine."""

from __future__ import annotations

from fwdoctor.intake.conda_info import parse

SAMPLE = """\
     active environment : base
          conda version : 4.9.2
       virtual packages : __cuda=11.4=0
                          __glibc=2.31=0
                          __linux=5.15.0=0
                          __unix=0=0
               platform : linux-64
"""


def test_virtual_packages_and_platform() -> None:
    facts = parse(SAMPLE)
    assert facts is not None
    assert {name: fact.value for name, fact in facts.values.items()} == {
        "manager": "conda",
        "driver_cuda": "11.4",
        "libc_version": "2.31",
        "kernel": "5.15.0",
        "os": "linux",
        "machine": "x86_64",
    }
    assert facts.values["driver_cuda"].line == 3


def test_a_solver_message_is_no_report() -> None:
    assert parse("nothing provides __cuda needed by tensorflow-base-2.15.0") is None
