"""Shared fixtures: the shipped matrices, and real frameworks where they are wanted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fwdoctor.matrices.load import Matrices
from tests.real import environments

TESTS = Path(__file__).parent
# What the environment of the tests brings, such as uv, is found as if it were active.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# They lay out Linux machines, or start the fake GPU, which is built for Linux.
NEED_LINUX = (
    *("probes", "smoke", "testing", "cli/test_check.py", "cli/test_rivals.py"),
    *("test_docs.py", "test_machines.py", "test_rescue.py", "test_scenarios.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform == "linux":
        return
    places = [TESTS / name for name in NEED_LINUX]
    for item in items:
        if any(item.path.is_relative_to(place) for place in places):
            item.add_marker(pytest.mark.skip(reason="of Linux machines"))


@pytest.fixture(scope="session")
def matrices() -> Matrices:
    """The shipped compatibility data."""
    return Matrices()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected texts; review the diff",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def real_environments() -> None:
    """Makes the environments that may be made, once."""
    environments.prepare()


@pytest.fixture(autouse=True)
def _needs_real_environments(request: pytest.FixtureRequest) -> None:
    """Tests marked `real` find a folder named in FWDOCTOR_REAL_ENVS, or skip."""
    if request.node.get_closest_marker("real") is None:
        return
    request.getfixturevalue("real_environments")
    if not os.environ.get(environments.FOLDER):
        pytest.skip(environments.HOW)
