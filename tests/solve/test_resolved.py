"""The grid's distinct environments, resolved for real."""

from __future__ import annotations

import shutil

import pytest

from fwdoctor.cli import resolving
from fwdoctor.matrices.load import Matrices
from tests.solve import grid


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not on PATH")
def test_uv_resolves_every_environment_that_comes_from_pypi(matrices: Matrices) -> None:
    tried = 0
    for planned, plan in grid.environments(matrices):
        if planned.is_conda or planned.channels:
            continue  # PyTorch's own index may be out of reach
        said = resolving.verify(planned, plan.target.platform, None)
        assert "as planned" in said, (plan.headline, said)
        tried += 1
    assert tried > 20
