"""Commands of fixes: for the environment that is meant, with what it is made by."""

from __future__ import annotations

from typing import Literal

import pytest

from fwdoctor import fixes
from fwdoctor.model.snapshot import Environment, Host, Snapshot

Manager = Literal["uv", "pip", "conda", "mamba", "pixi"]


def _environment(manager: Manager, *, is_active: bool = False) -> Environment:
    return Environment(
        prefix="/srv/env",
        python="/srv/env/bin/python",
        manager=manager,
        is_active=is_active,
    )


@pytest.mark.parametrize(
    ("manager", "is_active", "expected"),
    [
        ("conda", False, "conda remove --prefix /srv/env numpy"),
        ("mamba", False, "mamba remove --prefix /srv/env numpy"),
        ("conda", True, "conda remove numpy"),
        ("pixi", False, "pixi remove numpy"),
        ("uv", False, "uv pip uninstall --python /srv/env/bin/python numpy"),
        ("pip", False, "/srv/env/bin/python -m pip uninstall -y numpy"),
    ],
)
def test_what_is_removed_is_removed_there(
    manager: Manager, is_active: bool, expected: str
) -> None:
    environment = _environment(manager, is_active=is_active)
    assert fixes.uninstall_command(environment, ["numpy"]) == expected


@pytest.mark.parametrize(
    ("folder", "program"),
    [
        ("C:/Users/ann/env", "C:\\Users\\ann\\env\\Scripts\\python.exe"),
        ("D:/my env", '& "D:\\my env\\Scripts\\python.exe"'),
    ],
)
def test_windows_paths_are_written_for_its_shells(folder: str, program: str) -> None:
    python = f"{folder}/Scripts/python.exe"
    environment = Environment(prefix=folder, python=python, manager="pip")
    command = fixes.install_command(environment, ["torch==2.9.1"])
    assert command == f'{program} -m pip install "torch==2.9.1"'
    verify = fixes.check_command(environment)
    assert verify == f"fwdoctor check --python {fixes.shell_word(folder)}"
    assert "/" not in verify


@pytest.mark.parametrize(
    ("channel", "options"),
    [
        ("conda-forge", "-c conda-forge"),
        ("defaults", "-c defaults"),
        ("pytorch", "-c pytorch -c nvidia"),
    ],
)
def test_a_conda_build_comes_from_its_channel(channel: str, options: str) -> None:
    command = fixes.install_command(
        _environment("conda"), ["pytorch=2.5.1"], channel=channel
    )
    assert command == f'conda install --prefix /srv/env {options} "pytorch=2.5.1"'


@pytest.mark.parametrize(
    ("distribution", "is_open", "expected"),
    [
        ("ubuntu", True, "sudo apt install nvidia-driver-580-open"),
        ("ubuntu", False, "sudo apt install nvidia-driver-580"),
        ("arch", True, "sudo pacman -Syu nvidia-open"),
        # The distribution's own package no longer drives GPUs before Turing.
        ("arch", False, None),
        ("opensuse", False, None),
    ],
)
def test_a_driver_is_only_named_where_it_drives_the_gpu(
    distribution: str, is_open: bool, expected: str | None
) -> None:
    snapshot = Snapshot(host=Host(os="linux", distribution_id=distribution))
    commands = fixes.driver_install(snapshot, 580, is_open=is_open)
    assert (commands[0] if commands else None) == expected
