"""Lines that name installed packages."""

from __future__ import annotations

import pytest

from fwdoctor.intake.packages import (
    find_wheel,
    parse_conda_line,
    parse_freeze_line,
    parse_table_line,
    wheel_version,
)


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        ("torch==2.0.1+cu117", "torch", "2.0.1+cu117"),
        ("torch===1.3.0", "torch", "1.3.0"),
        ("jax[cuda11_pip]==0.4.13", "jax", "0.4.13"),
        ("Torch_Geometric == 2.4.0", "torch-geometric", "2.4.0"),
    ],
)
def test_freeze_lines(line: str, name: str, version: str) -> None:
    package = parse_freeze_line(line)
    assert package is not None
    assert (package.name, package.version) == (name, version)


@pytest.mark.parametrize("line", ["torch", "torch>=2", "torch @ git+https://x/y", ""])
def test_lines_without_a_version(line: str) -> None:
    assert parse_freeze_line(line) is None


def test_table_lines() -> None:
    package = parse_table_line("torch      2.0.1    /home/x")
    assert package is not None
    assert package.version == "2.0.1"
    assert parse_table_line("torch is 2.0.1") is None


@pytest.mark.parametrize(
    ("line", "version", "build", "channel", "installer"),
    [
        (
            "pytorch 1.9.0 py3.8_cpu_0 pytorch",
            "1.9.0",
            "py3.8_cpu_0",
            "pytorch",
            "conda",
        ),
        ("pytorch=1.9.0=py3.8_cpu_0", "1.9.0", "py3.8_cpu_0", None, "conda"),
        ("pytorch 1.9.0 pytorch", "1.9.0", None, "pytorch", "conda"),
        ("torch 2.0.1 pypi_0 pypi", "2.0.1", None, None, "pip"),
        ("torch 1.2.0 <pip>", "1.2.0", None, None, "pip"),
        ("mkl 2020.2 256 https://x/pkgs/main", "2020.2", "256", "defaults", "conda"),
    ],
)
def test_conda_lines(
    line: str,
    version: str,
    build: str | None,
    channel: str | None,
    installer: str,
) -> None:
    package = parse_conda_line(line)
    assert package is not None
    assert (package.version, package.build_string) == (version, build)
    assert (package.channel, package.installer) == (channel, installer)


def test_wheel_names() -> None:
    wheel = find_wheel("x/torch-2.1.0%2Bcu118-cp310-cp310-linux_x86_64.whl")
    assert wheel is not None
    assert wheel_version(wheel) == "2.1.0+cu118"
    assert wheel["python"] == "cp310"
    assert find_wheel("torch-2.1.0.tar.gz") is None
