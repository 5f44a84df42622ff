"""The gallery envs/: current, complete, and resolved where it comes from PyPI."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from fwdoctor.cli import resolving
from fwdoctor.matrices.load import Matrices

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "generate_envs.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_envs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["generate_envs"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


gallery = script()


def test_the_gallery_is_current(matrices: Matrices) -> None:
    stale = gallery.stale(matrices)
    assert not stale, "run: python scripts/generate_envs.py"


def test_a_changed_file_is_noticed(
    matrices: Matrices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    assert "README.md" in gallery.stale(matrices)


def test_at_least_twelve_machines_each_with_an_environment_for_all() -> None:
    assert len(gallery.MACHINES) >= 12
    for machine in gallery.MACHINES:
        for wish in gallery.WISHES:
            assert list((gallery.ROOT / machine.folder / wish).iterdir())


WHEELS = [
    pytest.param(machine, wish, id=f"{machine.folder}-{name}")
    for machine in gallery.MACHINES
    for name, wish in gallery.WISHES.items()
]


@pytest.mark.network
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not on PATH")
@pytest.mark.parametrize(("machine", "wish"), WHEELS)
def test_uv_resolves_what_comes_from_pypi(
    machine: object, wish: tuple[str, ...], matrices: Matrices
) -> None:
    plan = gallery.plan_for(machine, wish, "pip", matrices)
    if plan.outcome != "complete":
        pytest.skip("no such environment of wheels")
    for planned in plan.environments:
        if planned.channels:
            pytest.skip("needs PyTorch's own index")
        said = resolving.verify(planned, plan.target.platform, None)
        assert "as planned" in said
