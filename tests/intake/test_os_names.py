"""Operating systems as written by programs and people."""

from __future__ import annotations

import pytest

from fwdoctor.intake.os_names import parse_os


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Ubuntu 18.04.2 LTS (x86_64)",
            {"os": "linux", "distribution": "Ubuntu 18.04.2 LTS", "machine": "x86_64"},
        ),
        ("Linux Ubuntu 16.04", {"os": "linux", "distribution": "Ubuntu 16.04"}),
        (
            "Microsoft Windows 11 Pro",
            {"os": "windows", "distribution": "Microsoft Windows 11 Pro"},
        ),
        (
            "Windows 10.0.22621 / WSL2 Ubuntu 18.04.6, kernel 5.10.102",
            {
                "os": "linux",
                "is_wsl": "true",
                "distribution": "Ubuntu 18.04.6",
                "kernel": "5.10.102",
            },
        ),
        (
            "macOS 12.7.6 (arm64)",
            {"os": "macos", "distribution": "macOS 12.7.6", "machine": "arm64"},
        ),
        (
            "JetPack 5.1.2 / L4T R35.4.1 (aarch64)",
            {
                "os": "linux",
                "is_tegra": "true",
                "tegra_release": "35.4.1",
                "machine": "aarch64",
            },
        ),
        (
            "Linux-5.8.0-50-generic-x86_64-with-glibc2.31",
            {
                "os": "linux",
                "machine": "x86_64",
                "kernel": "5.8.0-50-generic",
                "libc_version": "2.31",
            },
        ),
        (
            "Linux-5.15.90.1-microsoft-standard-WSL2-x86_64-with-glibc2.35",
            {
                "os": "linux",
                "is_wsl": "true",
                "machine": "x86_64",
                "kernel": "5.15.90.1-microsoft-standard-WSL2",
                "libc_version": "2.35",
            },
        ),
        (
            "Debian GNU/Linux 9.11 (stretch)",
            {"os": "linux", "distribution": "Debian GNU/Linux 9.11"},
        ),
        ("Pop!_OS 20.04", {"os": "linux", "distribution": "Pop!_OS 20.04"}),
        ("win10", {"os": "windows", "distribution": "win10"}),
        ("N/A", {}),
    ],
)
def test_what_a_name_says(text: str, expected: dict[str, str]) -> None:
    assert parse_os(text) == expected
