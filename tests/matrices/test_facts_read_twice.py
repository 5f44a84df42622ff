"""Facts that were read a second time from the wheels, without this project's code."""

from __future__ import annotations

import pytest

from fwdoctor.matrices.load import Matrices
from fwdoctor.model.matrix import Release


def release(matrices: Matrices, framework: str, version: str) -> Release:
    found = matrices.find_release(framework, version)
    assert found is not None
    return found


# The newest GLIBC_ in `.gnu.version_r` of every library but the few largest.
@pytest.mark.parametrize(
    ("framework", "glibc", "versions"),
    [
        ("torch", "2.17", "1.0.0 1.4.0 1.7.1 1.10.2 1.13.1 2.0.1 2.2.2 2.4.1 2.6.0"),
        ("torch", "2.28", "2.7.0 2.9.1 2.12.1 2.15.0"),
        ("tensorflow", "2.23", "1.13.1 1.14.0"),
        ("tensorflow", "2.12", "1.15.0 2.1.0 2.3.0 2.5.0 2.8.0"),
        ("tensorflow", "2.17", "2.9.0 2.12.0 2.15.1 2.17.0 2.18.0 2.19.1 2.20.0"),
        ("tensorflow", "2.27", "2.21.0 2.22.0rc0"),
    ],
)
def test_glibc_floors(
    matrices: Matrices, framework: str, glibc: str, versions: str
) -> None:
    for version in versions.split():
        assert release(matrices, framework, version).glibc_min == glibc, version


# Which of NumPy's two module names the wheel of each Python holds.
@pytest.mark.parametrize(
    ("version", "ready"),
    [
        ("2.2.2", set()),
        ("2.3.0", {"linux", "macos"}),
        ("2.4.0", {"linux", "macos"}),
        ("2.4.1", {"linux", "macos", "windows"}),
    ],
)
def test_numpy_2_came_to_windows_later(
    matrices: Matrices, version: str, ready: set[str]
) -> None:
    numpy2 = release(matrices, "torch", version).numpy2
    assert {system for system, is_ready in numpy2.items() if is_ready} == ready


def test_wheels_of_tensorflow_ask_by_python(matrices: Matrices) -> None:
    newest = release(matrices, "tensorflow", "2.22.0rc0").requires["h5py"]
    assert list(newest) == [
        '~=3.15.1; python_version >= "3.14"',
        '>=3.11.0,<3.15.0; python_version < "3.14"',
    ]


def test_no_python_takes_the_abi_cp38m(matrices: Matrices) -> None:
    (windows,) = [
        row
        for row in release(matrices, "torch", "1.7.0").variants
        if row.index == "pypi" and "windows-x86_64" in row.platforms
    ]
    assert windows.python == ("3.6", "3.7")


@pytest.mark.parametrize(("version", "later"), [("1.13.2", "3.3"), ("2.0.0", "3.5")])
def test_wheels_of_tensorflow_ask_for_mock_with_python_2(
    matrices: Matrices, version: str, later: str
) -> None:
    mock = release(matrices, "tensorflow", version).requires["mock"]
    assert mock == f'>=2.0.0; python_version < "{later}"'
