"""The pytest plugin: `fake_gpu` makes machines with a fake GPU.

pytest loads this module in every project that has fwdoctor installed, so it imports
nothing of fwdoctor until a test asks for the fixture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.testing.machine import FakeMachine


class FakeGpuFactory(Protocol):
    """Makes a fake machine: a scenario by name, path or keys, then keyword changes."""

    def __call__(
        self,
        scenario: str | Path | Mapping[str, object],
        changes: Mapping[str, object] | None = None,
    ) -> FakeMachine:
        """Lay the machine out in a temporary folder of the test."""
        ...


@pytest.fixture
def fake_gpu(tmp_path_factory: pytest.TempPathFactory) -> FakeGpuFactory:
    """A function that makes machines with a fake GPU; skips without a C compiler."""
    from fwdoctor.testing.build import NoCompilerError
    from fwdoctor.testing.machine import build_machine
    from fwdoctor.testing.scenario import load_scenario, scenario_of

    def make(
        scenario: str | Path | Mapping[str, object],
        changes: Mapping[str, object] | None = None,
    ) -> FakeMachine:
        if isinstance(scenario, str | Path):
            chosen = load_scenario(scenario)
        else:
            chosen = scenario_of(scenario)
        directory = tmp_path_factory.mktemp(chosen.name)
        try:
            return build_machine(directory, chosen, changes or {})
        except NoCompilerError as error:
            pytest.skip(error.message)

    return make
