"""Recorded machines: every rule and every report format runs on each of them.

`tests/machines/<name>/snapshot.json` comes from `fwdoctor snapshot`; `schema-1` is kept
as it is for ever, a snapshot of schema version 1 in which every field is set.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.cli.snapshot_file import read_snapshot
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.codec import encode
from fwdoctor.model.finding import Report
from fwdoctor.model.snapshot import SCHEMA_VERSION
from fwdoctor.report.registry import FORMATS, RenderOptions, render

MACHINES = Path(__file__).parent / "machines"
NAMES = sorted(path.parent.name for path in MACHINES.glob("*/snapshot.json"))
LIMIT_BYTES = 120_000
# Name → the first alarm on this machine; None where nothing is wrong.
FIRST = {
    "h200-580-clean-pair": None,
    "no-gpu-torch-cpu": None,
    "nothing-readable": None,
    "picture": "FW111",
    "rtx4090-550-clobbered": "FW111",
    "rtx4090-550-tensorflow-2.21": "FW201",
    "schema-1": "FW111",
}
# Paths of the machine that recorded, of the fake machine, and names of persons.
_PRIVATE = re.compile(r"/(?:home|Users|root|tmp|work)/|fwdoctor-machine")


def path_of(name: str) -> Path:
    return MACHINES / name / "snapshot.json"


def judged(name: str, matrices: Matrices) -> Report:
    return judge(read_snapshot(str(path_of(name))), matrices)


def test_every_machine_is_expected() -> None:
    assert sorted(FIRST) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_runs(name: str, matrices: Matrices) -> None:
    report = judged(name, matrices)
    crashed = [o for o in report.outcomes if o.outcome == "crashed"]
    assert not crashed
    alarms = [f.code for f in report.findings if f.severity != "info"]
    assert next(iter(alarms), None) == FIRST[name]


def test_one_fix_for_all_that_a_clobbered_pair_suffers(matrices: Matrices) -> None:
    """Driver, files and wheel are three causes; other releases mend them all."""
    report = judged("rtx4090-550-clobbered", matrices)
    alarms = [f for f in report.findings if f.severity != "info"]
    assert [f.code for f in alarms] == ["FW111", "FW801", "FW201", "FW202"]
    assert [f.role for f in alarms] == ["cause", "separate", "separate", "consequence"]
    assert len({f.fix[0] for f in alarms[:3]}) == 1
    text = render(report, "terminal", RenderOptions())
    assert text.count("keep both here") == 1
    assert text.count("the first fix of FW111 mends this too") == 2


@pytest.mark.parametrize("format_name", ["terminal", "markdown", "html"])
def test_a_finding_with_another_cause_keeps_its_own_fix(
    format_name: str, matrices: Matrices
) -> None:
    machine = read_snapshot(str(path_of("rtx4090-550-clobbered")))
    assert machine.driver.libcuda is not None
    libcuda = replace(
        machine.driver.libcuda,
        init_code=100,
        device_count=0,
        unmasked_init_code=0,
        unmasked_device_count=1,
    )
    driver = replace(machine.driver, libcuda=libcuda)
    env_vars = {"CUDA_VISIBLE_DEVICES": "7"}
    report = judge(replace(machine, driver=driver, env_vars=env_vars), matrices)
    (own,) = (f for f in report.findings if f.code == "FW123")
    text = render(report, format_name, RenderOptions())
    assert own.message in text.replace("&#x27;", "'").replace("\\_", "_")
    assert all(command in text for fix in own.fix for command in fix.commands)
    assert "the first fix of FW111 mends this too" in text


@pytest.mark.parametrize("format_name", sorted(FORMATS))
@pytest.mark.parametrize("name", NAMES)
def test_every_format_renders(name: str, format_name: str, matrices: Matrices) -> None:
    report = judged(name, matrices)
    for verbosity in (-1, 0, 1):
        text = render(report, format_name, RenderOptions(verbosity=verbosity))
        assert text.endswith("\n")
        assert text.strip() or verbosity < 0


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_is_what_was_written(name: str) -> None:
    """Every value of the file survives; fields that came later are added."""
    given = json.loads(path_of(name).read_text(encoding="utf-8"))
    if given["schema_version"] == SCHEMA_VERSION:
        kept = encode(read_snapshot(str(path_of(name))))
        assert lost(given, kept) == []


def lost(given: Any, kept: Any, where: str = "snapshot") -> list[str]:
    """Places of `given` that `kept` does not have with the same value."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [
            place
            for key, value in given.items()
            for place in lost(value, kept.get(key), f"{where}.{key}")
        ]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [
            place
            for i, (one, other) in enumerate(zip(given, kept, strict=True))
            for place in lost(one, other, f"{where}[{i}]")
        ]
    return [] if given == kept else [where]


@pytest.mark.parametrize("name", NAMES)
def test_small_and_without_names(name: str) -> None:
    text = path_of(name).read_text(encoding="utf-8")
    assert len(text) < LIMIT_BYTES
    assert not _PRIVATE.search(text)


def test_schema_1_still_says_what_it_said() -> None:
    snapshot = read_snapshot(str(path_of("schema-1")))
    target = snapshot.target
    assert target is not None
    assert target.torch is not None
    assert target.torch.deep is not None
    assert snapshot.gpus is not None
    assert str(snapshot.driver.version) == "550.144.03"
    assert str(snapshot.gpus[0].compute_capability) == "8.9"
    assert (target.manager, target.python_version) == ("uv", "3.12.4")
    assert str(target.torch.cuda) == "13.2"
    assert target.torch.deep.signal == "SIGABRT"
    assert snapshot.messages[0].captures == {"found": "12040"}
    assert snapshot.assumptions[0].was == "470.82.01"
    assert snapshot.smoke[0].stage == "tensor"
