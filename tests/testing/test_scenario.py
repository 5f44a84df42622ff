"""Scenario files: all shipped ones are right, a wrong one says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwdoctor.testing.keys import ALL_KEYS, function_names
from fwdoctor.testing.scenario import (
    SCENARIO_DIRECTORY,
    ScenarioError,
    load_scenario,
    parse_scenario,
    scenario_names,
    scenario_of,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("name", scenario_names())
def test_shipped_scenario_is_valid_and_says_what_it_stands_for(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.about.endswith((".", "».", "»"))
    assert scenario.get("driver")


def test_there_are_many_scenarios() -> None:
    assert len(scenario_names()) >= 30
    assert scenario_names() == tuple(sorted(scenario_names()))


def test_path_and_name_load_the_same() -> None:
    path = SCENARIO_DIRECTORY / "healthy-h100.scenario"
    assert load_scenario(path) == load_scenario("healthy-h100")
    assert load_scenario(str(path)) == load_scenario("healthy-h100")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "driver=550.54.14\ngpu.0.nme=x",
            "x.scenario:2: unknown key `gpu.0.nme`",
            "name",
        ),
        ("# comment\n\nfoo", "x.scenario:3: no `=` in 'foo'", None),
        ("cuda=12.4", "x.scenario:1: `cuda` must be a whole number", None),
        ("driver=abc", "x.scenario:1: `driver` must be a version", None),
        ("cuda=1\ncuda=2", "x.scenario:2: key `cuda` is given twice", None),
        (
            "hang=nvmlInt",
            "x.scenario:1: the fake has no function `nvmlInt`",
            "nvmlInit",
        ),
        ("return.nvmlDeviceGetNam=3", "no function `nvmlDeviceGetNam`", "GetName"),
        ("gpu.0.cc=9", "`gpu.0.cc` must be a number such as 9.0", None),
        ("gpu.1.name=x", "`gpu.1.name` belongs to no GPU: gpu.0.name is absent", None),
        ("file.container=lxc", "must be one of docker, podman", None),
        ("after_calls=20", "`after_calls` must be CALLS:CODE", None),
        ("gpu.0.pci=01:00", "`gpu.0.pci` must be a PCI address", None),
    ],
)
def test_wrong_line_is_an_error_with_its_place(
    text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "x.scenario")
    assert message in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


def test_unknown_name_suggests_a_close_one() -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("healthy-h10")
    assert caught.value.hint == "did you mean `healthy-h100`?"


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.scenario"
    path.write_bytes(b"\xff\xfe\x00driver")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(path)


def test_changes_replace_and_remove_keys() -> None:
    changed = load_scenario("cuinit-999").changed({"cu_init": None, "cuda": 13000})
    assert changed.get("cu_init") is None
    assert changed.number("cuda") == 13000
    assert changed.about == load_scenario("cuinit-999").about
    with pytest.raises(ScenarioError):
        changed.changed({"no_such_key": 1})


def test_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(ScenarioError, match="one line"):
        scenario_of({"gpu.0.name": "a\nhang=cuInit"})


def test_text_written_for_the_libraries_reads_back() -> None:
    scenario = load_scenario("mig-with-instances")
    again = parse_scenario(scenario.to_text(), "mig-with-instances.scenario")
    assert again.values == scenario.values


def test_every_key_is_explained_in_the_documentation() -> None:
    text = (REPOSITORY / "docs/testing.md").read_text(encoding="utf-8")
    missing = [
        key.name
        for key in ALL_KEYS
        if f"`{key.name.replace('{gpu}.', 'gpu.N.').replace('{mig}.', 'gpu.N.mig.M.')}`"
        not in text
    ]
    assert not missing


def test_functions_are_read_from_the_sources() -> None:
    names = function_names()
    assert {"nvmlInitWithFlags", "nvmlDeviceGetBrand", "cuInit"} <= names
    assert len(names) > 75
