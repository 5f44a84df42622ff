"""Reinstalling what is there, through the door it came in by."""

from __future__ import annotations

import pytest

from fwdoctor.model.snapshot import Environment, Framework, Package
from fwdoctor.rules.torch_install import install_like, reinstall_torch

CONDA = Environment(
    prefix="/opt/env", python="/opt/env/bin/python", kind="conda", manager="mamba"
)
VENV = Environment(prefix="/opt/env", manager="uv", is_active=True)


@pytest.mark.parametrize(
    ("environment", "torch", "command"),
    [
        (
            VENV,
            Framework(version="2.9.1", package="torch", source="pypi"),
            'uv pip install --reinstall "torch==2.9.1"',
        ),
        (
            VENV,
            Framework(
                version="2.9.1",
                package="torch",
                source="pytorch-index",
                local_label="cu126",
            ),
            (
                'uv pip install --reinstall "torch==2.9.1"'
                " --index-url https://download.pytorch.org/whl/cu126"
            ),
        ),
        (
            CONDA,
            Framework(version="2.9.1", package="torch", source="conda-forge"),
            (
                'mamba install --prefix /opt/env -c conda-forge "pytorch=2.9.1"'
                " --force-reinstall"
            ),
        ),
        (
            CONDA,
            Framework(version="2.9.1", package="torch", source="pypi"),
            '/opt/env/bin/python -m pip install --force-reinstall "torch==2.9.1"',
        ),
    ],
    ids=["venv", "index", "conda", "pip in conda"],
)
def test_reinstall_torch(
    environment: Environment, torch: Framework, command: str
) -> None:
    assert reinstall_torch(environment, torch) == command


def test_conda_packages_are_changed_by_conda() -> None:
    package = Package(name="keras", version="3.0.0", channel="conda-forge")
    command = install_like(CONDA, package, "keras==2.15.0")
    assert command == ('mamba install --prefix /opt/env -c conda-forge "keras=2.15.0"')


def test_wheels_in_conda_are_changed_by_pip() -> None:
    package = Package(name="keras", version="3.0.0", installer="pip")
    command = install_like(CONDA, package, "keras==2.15.0", force=True)
    assert command == (
        '/opt/env/bin/python -m pip install --force-reinstall --no-deps "keras==2.15.0"'
    )
