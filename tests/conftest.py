"""Shared fixtures: the shipped matrices, and small machines to vary."""

from __future__ import annotations

import pytest

from fwdoctor.matrices.load import Matrices


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
