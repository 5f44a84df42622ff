"""Every format, read back by its own library, holds exactly the plan's pins."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from fwdoctor import __version__
from fwdoctor.envs import registry
from fwdoctor.envs.registry import FileWish
from fwdoctor.errors import UsageError
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.plan import Plan, PlanEnvironment
from fwdoctor.solve.planner import solve
from fwdoctor.solve.requests import parse_request
from fwdoctor.target import parse_target

TARGETS = (
    "gpu=Tesla K80,driver=470.57.02",
    "gpu=Tesla V100,driver=535.54.03,glibc=2.31",
    "gpu=RTX 4090,driver=580.65.06",
    "gpu=RTX 5090,driver=580.65.06",
    "gpu=GH200,driver=580.65.06,arch=aarch64",
    "gpu=none",
)
WISHES = (("torch",), ("tensorflow",), ("torch", "tensorflow"))
CASES = [
    (kind, target, wish)
    for kind in registry.KINDS
    for target in TARGETS
    for wish in WISHES
]
DATE = "2026-11-21T00:00:00Z"


def plan_for(kind: str, target: str, wish: tuple[str, ...], matrices: Matrices) -> Plan:
    able = registry.managers_of(kind)
    manager = None if len(able) > 2 else able[0]
    request = parse_request(
        matrices,
        frameworks=wish,
        manager=manager,
        companions=("torchvision",) if "torch" in wish else (),
    )
    snapshot = parse_target(target, matrices, created_at=DATE)
    return solve(snapshot, matrices, request)


def files_of(
    kind: str, target: str, wish: tuple[str, ...], matrices: Matrices
) -> list[tuple[Plan, PlanEnvironment, str]]:
    plan = plan_for(kind, target, wish, matrices)
    able = registry.managers_of(kind)
    return [
        (plan, planned, registry.render(kind, plan, planned, FileWish(file_name=kind)))
        for planned in plan.environments
        if planned.manager in able
    ]


def toml(text: str) -> dict[str, Any]:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib comes with Python 3.11")
    read: dict[str, Any] = importlib.import_module("tomllib").loads(text)
    return read


def pip_pins(planned: PlanEnvironment) -> set[Requirement]:
    return {Requirement(pin.requirement) for pin in planned.pins}


def read_environment_yml(text: str, plan: Plan, planned: PlanEnvironment) -> None:
    data = YAML(typ="safe").load(text)
    specs = {f"python={planned.python}", *(pin.match_spec for pin in planned.pins)}
    assert set(data["dependencies"]) == specs
    wanted = [*planned.channels]
    assert [c for c in data["channels"] if c != "nodefaults"] == wanted
    assert ("nodefaults" in data["channels"]) == ("defaults" not in wanted)
    if planned.cuda is not None:
        assert f"CONDA_OVERRIDE_CUDA={plan.target.driver_cuda} " in text


def read_requirements_txt(text: str, plan: Plan, planned: PlanEnvironment) -> None:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    urls = [line.partition(" ")[2] for line in lines if line.startswith("--")]
    found = {Requirement(line) for line in lines if not line.startswith("--")}
    assert found == pip_pins(planned)
    assert tuple(urls) == planned.channels
    for pin in planned.pins:  # nothing that two indexes could both answer
        assert (pin.local_label is not None) == pin.index.startswith("https://")


def read_pyproject_toml(text: str, plan: Plan, planned: PlanEnvironment) -> None:
    data = toml(text)
    project, uv = data["project"], data["tool"]["uv"]
    assert {Requirement(line) for line in project["dependencies"]} == pip_pins(planned)
    assert project["requires-python"] == f"=={planned.python}.*"
    for marker in uv["environments"]:
        Marker(marker)
    indexes = {index["name"]: index for index in uv.get("index", [])}
    assert {index["url"] for index in indexes.values()} == set(planned.channels)
    assert all(index["explicit"] is True for index in indexes.values())
    sources = uv.get("sources", {})
    for pin in planned.pins:
        if pin.index.startswith("https://"):
            assert indexes[sources[pin.name]["index"]]["url"] == pin.index
        else:
            assert pin.name not in sources


def read_pixi_toml(text: str, plan: Plan, planned: PlanEnvironment) -> None:
    data = toml(text)
    dependencies = dict(data["dependencies"])
    assert dependencies.pop("python") == f"{planned.python}.*"
    assert set(dependencies) == {pin.name for pin in planned.pins}
    for pin in planned.pins:
        found = dependencies[pin.name]
        if pin.build:
            assert found == {"version": f"=={pin.version}", "build": pin.build}
        else:
            assert pin.version in found
    (platform,) = data["workspace"]["platforms"]
    if planned.cuda is not None:
        assert platform["cuda"] == str(plan.target.driver_cuda)


def read_dockerfile(text: str, plan: Plan, planned: PlanEnvironment) -> None:
    joined = text.replace("\\\n", " ")
    for pin in planned.pins:
        shown = pin.match_spec if planned.is_conda else pin.requirement
        assert shown in joined
    assert ("NVIDIA_VISIBLE_DEVICES=all" in joined) == (planned.cuda is not None)
    first = next(line for line in text.splitlines() if not line.startswith("#"))
    assert first.startswith("FROM ")


def read_devcontainer_json(text: str, plan: Plan, planned: PlanEnvironment) -> None:
    body = [line for line in text.splitlines() if not line.startswith("//")]
    data = json.loads("\n".join(body))
    for pin in planned.pins:
        shown = pin.match_spec if planned.is_conda else pin.requirement
        assert shown in data["postCreateCommand"]
    wanted = {"gpu": "optional"} if planned.cuda else None
    assert data.get("hostRequirements") == wanted


READERS = {
    "environment.yml": read_environment_yml,
    "requirements.txt": read_requirements_txt,
    "pyproject.toml": read_pyproject_toml,
    "pixi.toml": read_pixi_toml,
    "Dockerfile": read_dockerfile,
    "devcontainer.json": read_devcontainer_json,
}


@pytest.mark.parametrize(("kind", "target", "wish"), CASES)
def test_read_back_it_has_exactly_the_pins(
    kind: str, target: str, wish: tuple[str, ...], matrices: Matrices
) -> None:
    for plan, planned, text in files_of(kind, target, wish, matrices):
        sign = "//" if kind == "devcontainer.json" else "#"
        lines = text.splitlines()
        assert lines[0].startswith(
            f"{sign} Made by fwdoctor {__version__} on 2026-11-21"
        )
        assert any(line.startswith(f"{sign}   fwdoctor env ") for line in lines)
        READERS[kind](text, plan, planned)


def test_every_kind_has_a_reader_here() -> None:
    assert set(READERS) == set(registry.KINDS)


def test_the_same_plan_gives_the_same_bytes(matrices: Matrices) -> None:
    for kind in registry.KINDS:
        case = (kind, TARGETS[2], WISHES[2])
        assert files_of(*case, matrices) == files_of(*case, Matrices())


def test_older_pixi_gets_system_requirements(matrices: Matrices) -> None:
    plan = plan_for("pixi.toml", TARGETS[1], ("torch",), matrices)
    wish = FileWish(file_name="pixi.toml", is_old_pixi=True)
    data = toml(registry.render("pixi.toml", plan, plan.environments[0], wish))
    assert data["workspace"]["platforms"] == ["linux-64"]
    assert data["system-requirements"] == {"cuda": "12.2"}


# Into a pyproject.toml that is there

EXISTING = """\
# my project
[project]
name = "mine"  # do not rename
version = "1.0"
requires-python = ">=3.9"
dependencies = [
    "numpy",  # arrays
    "Torch>=2",
]

[tool.ruff]
line-length = 100  # wide

[[tool.uv.index]]
name = "company"
url = "https://pypi.example.org/simple"
"""


def merged(existing: str, matrices: Matrices) -> tuple[str, PlanEnvironment]:
    plan = plan_for("pyproject.toml", TARGETS[1], ("torch",), matrices)
    planned = plan.environments[0]
    wish = FileWish(file_name="pyproject.toml", existing=existing)
    return registry.render("pyproject.toml", plan, planned, wish), planned


def test_merging_keeps_what_is_not_ours(matrices: Matrices) -> None:
    text, planned = merged(EXISTING, matrices)
    for kept in (
        "# my project",
        "# do not rename",
        "# arrays",
        "line-length = 100  # wide",
    ):
        assert kept in text
    data = toml(text)
    torch = next(pin for pin in planned.pins if pin.name == "torch")
    assert "numpy" in data["project"]["dependencies"]
    assert torch.requirement in data["project"]["dependencies"]
    assert "Torch>=2" not in data["project"]["dependencies"]
    assert data["project"]["requires-python"] == ">=3.9"
    names = [index["name"] for index in data["tool"]["uv"]["index"]]
    assert names == ["company", f"pytorch-{torch.local_label}"]


def test_merging_twice_changes_nothing_more(matrices: Matrices) -> None:
    once, _ = merged(EXISTING, matrices)
    assert merged(once, matrices)[0] == once


def test_merging_into_an_empty_file(matrices: Matrices) -> None:
    text, planned = merged("", matrices)
    data = toml(text)
    found = {Requirement(line) for line in data["project"]["dependencies"]}
    assert found == pip_pins(planned)


@pytest.mark.parametrize(
    "existing",
    [
        "[project\n",
        "project = 3\n",
        '[project]\nrequires-python = ">=3.14"\n',
        '[project]\ndependencies = "numpy"\n',
        "[tool]\nuv = 1\n",
        "tool = {uv = {}}\n",
        '[project]\nname = "x"\ndynamic = ["dependencies"]\n',
        '[tool.poetry.dependencies]\ntorch = "^2"\n',
    ],
)
def test_what_cannot_be_merged_into_is_said(existing: str, matrices: Matrices) -> None:
    with pytest.raises(UsageError):
        merged(existing, matrices)


def test_a_file_just_made_is_merged_into_without_a_change(matrices: Matrices) -> None:
    plan = plan_for("pyproject.toml", TARGETS[1], ("torch",), matrices)
    wish = FileWish(file_name="pyproject.toml")
    new = registry.render("pyproject.toml", plan, plan.environments[0], wish)
    again = FileWish(file_name="pyproject.toml", existing=new)
    text = registry.render("pyproject.toml", plan, plan.environments[0], again)
    assert text == new


def test_a_project_without_name_gets_what_uv_needs(matrices: Matrices) -> None:
    project = toml(merged("[tool.ruff]\n", matrices)[0])["project"]
    assert project["name"]
    assert project["version"]
    named = '[project]\nname = "mine"\ndynamic = ["version"]\n'
    project = toml(merged(named, matrices)[0])["project"]
    assert project["name"] == "mine"
    assert "version" not in project


def test_extras_markers_and_other_platforms_are_kept(matrices: Matrices) -> None:
    wished = [
        "torch[opt-einsum]>=2; sys_platform == 'linux'",
        "torch; sys_platform == 'darwin'",
    ]
    existing = f"[project]\ndependencies = {wished}\n"
    text, planned = merged(existing, matrices)
    pin = next(pin for pin in planned.pins if pin.name == "torch")
    found = toml(text)["project"]["dependencies"]
    ours = f"torch[opt-einsum]=={pin.full_version}; sys_platform == 'linux'"
    assert [Requirement(line) for line in found[:2]] == [
        Requirement(ours),
        Requirement(wished[1]),
    ]
    assert "torch" not in {Requirement(line).name for line in found[2:]}
    assert merged(text, matrices)[0] == text


def test_line_ends_of_windows_stay(matrices: Matrices) -> None:
    text, _ = merged(EXISTING.replace("\n", "\r\n"), matrices)
    assert text.count("\n") == text.count("\r\n")
    plain, _ = merged(EXISTING, matrices)
    assert text.replace("\r\n", "\n") == plain


@pytest.mark.parametrize(
    "existing",
    [
        (
            'project.name = "x"\nproject.dependencies = ["numpy"]\n'
            'tool.uv.sources.lib.path = "../lib"\n'
        ),
        (
            '[tool.uv.sources]\nlib = { path = "../lib" }\n'
            '[[tool.uv.index]]\nname = "a"\nurl = "https://a.example/"\n'
            '[tool.uv]\ndev-dependencies = ["mypy"]\n'
        ),
        '[tool."odd.table"]\n"a b" = { c = [1,\n 2] }\nday = 2020-01-01\n',
    ],
)
def test_odd_layouts_are_kept_or_refused(existing: str, matrices: Matrices) -> None:
    before = toml(existing)
    after = toml(merged(existing, matrices)[0])
    for name, value in before.get("tool", {}).items():
        if name != "uv":
            assert after["tool"][name] == value
    lib = before.get("tool", {}).get("uv", {}).get("sources", {}).get("lib")
    assert after["tool"]["uv"]["sources"].get("lib") == lib


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("environment.yml", "environment.yml"),
        ("envs/environment-gpu.yaml", "environment.yml"),
        ("requirements-gpu.txt", "requirements.txt"),
        ("a/pyproject.toml", "pyproject.toml"),
        ("pixi.toml", "pixi.toml"),
        ("Dockerfile.gpu", "Dockerfile"),
        (".devcontainer/devcontainer.json", "devcontainer.json"),
    ],
)
def test_kinds_are_known_by_name(path: str, kind: str) -> None:
    assert registry.find_kind(path) == kind


def test_a_nameless_file_needs_a_kind() -> None:
    with pytest.raises(UsageError, match="what kind"):
        registry.find_kind("notes.md")
    assert registry.find_kind("notes.md", "requirements.txt") == "requirements.txt"


def test_a_gpu_our_data_do_not_name_is_named_by_capability(matrices: Matrices) -> None:
    snapshot = parse_target("gpu=RTX 4090,driver=580.65.06", matrices, created_at=DATE)
    gpus = tuple(replace(g, name="Prototype X") for g in snapshot.gpus or ())
    odd = replace(snapshot, gpus=gpus)
    plan = solve(odd, matrices, parse_request(matrices, frameworks=("torch",)))
    text = registry.render(
        "requirements.txt",
        plan,
        plan.environments[0],
        FileWish(file_name="requirements.txt"),
    )
    assert "Prototype X" in text
    assert "gpu=8.9,driver=580.65.06" in text
