"""The real conda-lock locks our environment.yml, against a channel made here.

Skipped where conda-lock or py-rattler are not installed (dependency group `lock`).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fwdoctor.cli import resolving
from fwdoctor.cli.conda_stand_in import main as stand_in
from fwdoctor.envs import locks, registry
from fwdoctor.envs.registry import FileWish
from fwdoctor.errors import UsageError
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.plan import Plan, PlanEnvironment
from fwdoctor.solve.planner import solve
from fwdoctor.solve.requests import parse_request
from fwdoctor.target import parse_target
from tests.envs.local_channel import build_channel
from tests.solve import grid

CASES = (
    ("gpu=Tesla V100,driver=535.54.03,glibc=2.31", ("torch", "tensorflow")),
    ("gpu=RTX 4090,driver=550.54.14", ("torch",)),
    ("gpu=RTX 5090,driver=580.65.06,glibc=2.39", ("torch", "tensorflow")),
    ("gpu=A100,driver=450.80.02", ("tensorflow",)),
    ("gpu=none", ("torch",)),
)
needs_lock = pytest.mark.skipif(
    sys.platform == "win32"
    or find_spec("rattler") is None
    or find_spec("conda_lock") is None,
    reason="conda-lock and py-rattler are not installed, or Windows",
)


def plan_of(target: str, wish: tuple[str, ...], matrices: Matrices) -> Plan:
    request = parse_request(
        matrices,
        frameworks=wish,
        manager="conda",
        companions=("torchvision",) if "torch" in wish else (),
    )
    snapshot = parse_target(target, matrices, created_at="2026-11-21T00:00:00Z")
    return solve(snapshot, matrices, request)


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory, matrices: Matrices) -> str:
    plans = [plan_of(target, wish, matrices) for target, wish in CASES]
    environments = [env for plan in plans for env in plan.environments]
    return build_channel(tmp_path_factory.mktemp("channel") / "local", environments)


def localised(plan: Plan, url: str) -> PlanEnvironment:
    (planned,) = plan.environments
    return replace(planned, channels=(url,))


@needs_lock
@pytest.mark.slow
@pytest.mark.parametrize(("target", "wish"), CASES)
def test_every_environment_yml_is_locked(
    target: str,
    wish: tuple[str, ...],
    channel: str,
    matrices: Matrices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CONDA_EXE", raising=False)
    plan = plan_of(target, wish, matrices)
    planned = localised(plan, channel)
    wished = FileWish(file_name="environment.yml")
    text = registry.render("environment.yml", plan, planned, wished)
    locked = YAML(typ="safe").load(
        resolving.conda_lock(text, planned, plan.target.platform, None)
    )
    rows: dict[str, dict[str, Any]] = {row["name"]: row for row in locked["package"]}
    resolved = {name: str(row["version"]) for name, row in rows.items()}
    assert list(locks.differences(planned, resolved)) == []
    for pin in planned.pins:
        if pin.role == "framework":
            kind = "cuda" if planned.cuda else "cpu_"
            assert kind in rows[pin.name]["url"]
    if planned.find_pin("cudnn"):
        assert resolved["cudnn"].startswith("9.10.")


@needs_lock
@pytest.mark.slow
def test_verify_resolves_with_the_stand_in(
    channel: str, matrices: Matrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    plan = plan_of(*CASES[1], matrices)
    said = resolving.verify(localised(plan, channel), plan.target.platform, None)
    assert "pins as planned" in said


@needs_lock
@pytest.mark.slow
def test_a_driver_too_old_for_the_lock_is_said_by_the_solver(
    channel: str, matrices: Matrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("CONDA_EXE", raising=False)
    plan = plan_of(*CASES[1], matrices)
    planned = replace(localised(plan, channel), virtual_packages={"__cuda": "11.4"})
    with pytest.raises(resolving.ResolveError, match="cuda-version"):
        resolving.verify(planned, plan.target.platform, None)


# Without any of it


def test_without_conda_or_rattler_it_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if find_spec("rattler") is not None:
        assert resolving.find_conda(None, str(tmp_path)).startswith(str(tmp_path))
        return
    with pytest.raises(UsageError, match="py-rattler"):
        resolving.find_conda(None, str(tmp_path))


def test_a_given_conda_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such program"):
        resolving.find_conda("/nowhere/conda", str(tmp_path))


def test_the_driver_goes_into_the_virtual_packages(matrices: Matrices) -> None:
    plan = plan_of("gpu=Tesla V100,driver=535.54.03,glibc=2.31", ("torch",), matrices)
    text = locks.virtual_packages_yaml(plan.environments[0], plan.target.platform)
    data = YAML(typ="safe").load(text)["subdirs"]["linux-64"]["packages"]
    assert data["__cuda"] == "12.2"
    assert data["__glibc"] == "2.31"


def test_without_a_gpu_there_is_no_cuda(matrices: Matrices) -> None:
    plan = plan_of("gpu=none", ("torch",), matrices)
    text = locks.virtual_packages_yaml(plan.environments[0], plan.target.platform)
    assert "__cuda" not in text
    overrides = locks.conda_overrides(plan.environments[0], plan.target.platform)
    assert overrides["CONDA_OVERRIDE_CUDA"] == ""


def test_two_cuda_majors_in_a_resolution_are_found(matrices: Matrices) -> None:
    plan = plan_of("gpu=none", ("torch",), matrices)
    planned = replace(plan.environments[0], pins=())
    resolved = {"nvidia-cudnn-cu12": "9.10", "nvidia-cudnn-cu13": "9.20", "torch": "2"}
    (found,) = locks.differences(planned, resolved)
    assert "nvidia-cudnn-cu12 and nvidia-cudnn-cu13" in found


def test_the_stand_in_only_solves(capsys: pytest.CaptureFixture[str]) -> None:
    assert stand_in(["--version"]) == 0
    assert capsys.readouterr().out.startswith("conda ")
    assert stand_in(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pkgs_dirs"] == []
    assert stand_in(["remove", "python"]) == 1
    assert "only solves" in json.loads(capsys.readouterr().out)["message"]


@needs_lock
@pytest.mark.slow
def test_every_conda_environment_of_the_grid_is_locked(
    matrices: Matrices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONDA_EXE", raising=False)
    pairs = grid.environments(matrices, manager="conda")
    url = build_channel(tmp_path / "local", [planned for planned, _ in pairs])
    for planned, plan in pairs:
        here = replace(planned, channels=(url,))
        wished = FileWish(file_name="environment.yml")
        text = registry.render("environment.yml", plan, here, wished)
        lock = resolving.conda_lock(text, here, plan.target.platform, None)
        rows = YAML(typ="safe").load(lock)["package"]
        resolved = {row["name"]: str(row["version"]) for row in rows}
        assert list(locks.differences(here, resolved)) == [], plan.headline
    assert len(pairs) > 10
