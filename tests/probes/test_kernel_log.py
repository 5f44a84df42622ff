"""Xid lines in kernel logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes import kernel_log
from fwdoctor.probes.kernel_log import KernelLogProbe
from fwdoctor.probes.runner import ProbeError
from fwdoctor.probes.source import live_source

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource

LOG = "/var/log/kern.log"
PREFIX = "Dec  6 17:49:03 node kernel: [ 8659.726062] "
LOST = "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.\n"
BOOT = "Dec  7 08:00:00 node kernel: [    0.000000] Linux version 6.8.0 (b)\n"
BOOT_ISO = "2026-10-01T08:00:00.1+00:00 node kernel: Linux version 6.8.0 (b)\n"


@pytest.mark.parametrize(
    ("line", "code", "address", "text"),
    [
        (LOST, 79, "0000:01:00.0", "GPU has fallen off the bus."),
        (
            "NVRM: Xid (0000:03:00): 31, Ch 00000010, engmask 00000101\n",
            31,
            "0000:03:00.0",
            "Ch 00000010, engmask 00000101",
        ),
        (
            "NVRM: Xid (PCI:0000:3B:00 GPU-I:05): 94, pid=7, Contained: SM\n",
            94,
            "0000:3b:00.0",
            "pid=7, Contained: SM",
        ),
        ("NVRM: Xid (PCI:0001:00:00.0): 48\n", 48, "0001:00:00.0", ""),
        ("NVRM: Xid (unknown): 13, x\n", 13, None, "x"),
    ],
)
def test_spellings(line: str, code: int, address: str | None, text: str) -> None:
    (event,) = kernel_log.parse_xids(PREFIX + line)
    assert (event.code, event.pci_address, event.text) == (code, address, text)


@pytest.mark.parametrize("boot", [BOOT, BOOT_ISO])
def test_events_before_the_last_boot_are_gone(boot: str) -> None:
    assert kernel_log.parse_xids(PREFIX + LOST + boot) == ()
    assert len(kernel_log.parse_xids(boot + PREFIX + LOST)) == 1


def test_the_last_events_are_kept() -> None:
    lines = [f"NVRM: Xid (PCI:0000:01:00): {code}, x\n" for code in range(1, 51)]
    codes = [event.code for event in kernel_log.parse_xids("".join(lines))]
    assert codes == list(range(51 - kernel_log.MAX_EVENTS, 51))


def test_the_second_file_is_read_when_the_first_is_absent(
    make_source: MakeSource,
) -> None:
    source = make_source({"/var/log/messages": PREFIX + LOST})
    assert [event.code for event in KernelLogProbe().start(source)()] == [79]


def test_only_the_end_of_a_long_log_is_read(make_source: MakeSource) -> None:
    padding = "x" * 99 + "\n"
    source = make_source({LOG: LOST + padding * 11_000 + PREFIX + LOST})
    assert len(KernelLogProbe().start(source)()) == 1
    assert len(kernel_log.read_tail(source, LOG)) == kernel_log.TAIL_BYTES


def test_no_log(make_source: MakeSource) -> None:
    with pytest.raises(ProbeError) as caught:
        KernelLogProbe().start(make_source())()
    assert caught.value.status == "absent"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything"
)
def test_a_log_we_may_not_read(make_source: MakeSource) -> None:
    source = make_source({LOG: LOST})
    os.chmod(source.root + LOG, 0)
    with pytest.raises(ProbeError) as caught:
        KernelLogProbe().start(source)()
    assert caught.value.status == "denied"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe")
def test_a_pipe_in_place_of_a_log_does_not_block(make_source: MakeSource) -> None:
    source = make_source({"/var/log/other": ""})
    os.mkfifo(source.root + LOG)
    with pytest.raises(ProbeError) as caught:
        KernelLogProbe().start(source)()
    assert caught.value.status == "absent"


def test_windows_has_no_kernel_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_NONBLOCK", raising=False)
    monkeypatch.setattr(kernel_log, "LOG_FILES", ())
    with pytest.raises(ProbeError) as caught:
        KernelLogProbe().start(live_source(env={}))()
    assert caught.value.status == "absent"


@given(text=st.text())
def test_any_text(text: str) -> None:
    kernel_log.parse_xids(text)
    kernel_log.parse_xids(f"NVRM: Xid ({text}): 79, {text}")
