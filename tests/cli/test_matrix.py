"""`fwdoctor matrix` on the shipped data, on old data and on damaged ones."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fwdoctor import compat
from fwdoctor.cli import data_age, make_app
from fwdoctor.matrices import load
from fwdoctor.matrices.load import Matrices
from fwdoctor.matrices.overview import (
    MAX_AGE_DAYS,
    TOPICS,
    age_note,
    data_date,
    overview,
)
from fwdoctor.matrices.query_pairs import FILES
from fwdoctor.matrices.table_rows import TABLES
from fwdoctor.versions import CudaVersion

MATRICES = Path(__file__).resolve().parents[2] / "matrices"


def run(*words: str) -> Result:
    """`fwdoctor matrix …` in this process."""
    return CliRunner().invoke(make_app(), ["matrix", *words])


def answer(*words: str) -> Any:
    """The JSON of a look-up that succeeds."""
    result = run(*words, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data that a test may damage."""
    folder = tmp_path / "matrices"
    for name in ("cuda", "cudnn", "nvidia", "pairs"):
        shutil.copytree(MATRICES / name, folder / name)
    newest = Matrices(MATRICES).versions("torch")[-1]
    (folder / "torch").mkdir()
    shutil.copy(MATRICES / "torch" / f"{newest}.json", folder / "torch")
    monkeypatch.setattr(load, "find_matrices_folder", lambda: folder)
    return folder


def test_overview_counts_every_table() -> None:
    found = answer()
    counts = {row["topic"]: row["records"] for row in found["tables"]}
    assert set(counts) == set(TOPICS)
    assert counts["gpu"] >= 250
    assert counts["torch"] == len(list((MATRICES / "torch").glob("*.json")))
    assert found["retrieved"] is not None
    assert str(counts["gpu"]) in run().stdout


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_release_has_the_promised_fields(framework: str) -> None:
    newest = Matrices(MATRICES).versions(framework)[-1]
    found = answer(framework, newest)
    assert found["version"] == newest
    promised = "version released python variants companions triton numpy glibc_min"
    assert {*promised.split(), "conda", "sources"} <= set(found)
    fields = "variant cuda cudnn platforms python index compute_capabilities ptx"
    for variant in found["variants"]:
        assert {*fields.split(), "min_driver", "nvidia_pins"} <= set(variant)
    assert all({"source", "fields", "confidence"} <= set(s) for s in found["sources"])


def test_gpu_build_of_tensorflow_names_the_pins_of_its_extra() -> None:
    found = answer("tensorflow", "2.18.0")
    gpu, *others = found["variants"]
    assert gpu["nvidia_pins"]["nvidia-cudnn-cu12"] == "==9.3.0.75"
    assert gpu["nvidia_pins_extra"] == "and-cuda"
    assert not any(build["nvidia_pins"] for build in others)
    (oldest, *_) = answer("tensorflow", "2.13.1")["variants"]
    assert oldest["nvidia_pins"] == {}
    assert "nvidia_pins_extra" not in oldest


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_every_release_has_the_promised_fields(framework: str) -> None:
    fields = "variant cuda cudnn platforms python index compute_capabilities ptx"
    for release in answer(framework):
        builds = release["variants"] + release["conda"]
        assert builds, release["version"]
        for build in builds:
            assert {*fields.split(), "min_driver", "nvidia_pins"} <= set(build)
            assert bool(build["min_driver"]) == bool(build["cuda"])
        for source in release["sources"]:
            assert {"source", "fields", "confidence", "retrieved"} <= set(source)


def test_every_gpu_and_driver_has_the_promised_fields() -> None:
    fields = "name compute_capability architecture first_driver last_driver_branch"
    for gpu in answer("gpu"):
        assert {*fields.split(), "first_cuda", "last_cuda"} <= set(gpu)
        assert gpu["architecture"], gpu["name"]
    for driver in answer("driver"):
        promised = {"version", "branch", "cuda", "kind", "end_of_life", "architectures"}
        assert promised <= set(driver)
        assert driver["sources"], driver["branch"]


def test_release_drivers_are_those_of_the_toolkit() -> None:
    newest = Matrices(MATRICES).versions("torch")[-1]
    gpu_builds = [v for v in answer("torch", newest)["variants"] if v["cuda"]]
    assert gpu_builds
    for build in gpu_builds:
        assert build["min_driver"] == answer("cuda", build["cuda"])["least_driver"]


@pytest.mark.parametrize("row", answer("cuda"), ids=lambda row: str(row["version"]))
def test_least_driver_is_the_one_verdicts_use(row: dict[str, Any]) -> None:
    cuda, matrices = CudaVersion.parse(row["version"]), Matrices(MATRICES)
    linux = compat.least_driver(cuda, matrices, os_name="linux")
    windows = compat.least_driver(cuda, matrices, os_name="windows")
    found = {"linux": linux, "windows": windows}
    assert row["least_driver"] == {k: str(v) for k, v in found.items() if v is not None}


def test_releases_are_listed_newest_first() -> None:
    versions = [row["version"] for row in answer("torch")]
    assert versions == list(reversed(Matrices(MATRICES).versions("torch")))
    assert versions[0] in run("torch").stdout


def test_local_version_label_is_ignored() -> None:
    newest = Matrices(MATRICES).versions("torch")[-1]
    assert answer("torch", f"{newest}+cu130")["version"] == newest


def test_gpu_has_the_promised_fields() -> None:
    found = answer("gpu", "RTX", "4090")
    assert found["name"] == "NVIDIA GeForce RTX 4090"
    assert found["compute_capability"] == "8.9"
    assert found["architecture"] == "ada"
    assert found["first_cuda"] == "11.8"
    assert found["last_cuda"] is None
    assert found["last_driver_branch"] is None
    assert "first_driver" in found
    assert any("name" in source["fields"] for source in found["sources"])


def test_old_gpu_names_its_last_driver_and_toolkit() -> None:
    found = answer("gpu", "GTX 1080")
    assert (found["last_driver_branch"], found["last_cuda"]) == (580, "12.9")


@pytest.mark.parametrize(
    ("version", "branch", "cuda", "os_name"),
    [
        ("550.54.14", 550, "12.4", "linux"),
        ("552.22", 550, "12.4", "windows"),
        ("R580", 580, "13.0", "linux"),
        ("430.26", 430, "10.2", "linux"),
        ("430.50", 430, "10.1", "linux"),
        ("540.4.0", 540, "12.6", "jetson"),
    ],
)
def test_driver_leads_to_its_branch(
    version: str, branch: int, cuda: str, os_name: str
) -> None:
    found = answer("driver", version)
    assert found["version"] == version
    assert (found["branch"], found["cuda"], found["os"]) == (branch, cuda, os_name)
    assert {"kind", "end_of_life", "architectures"} <= set(found)


def test_toolkit_and_cudnn_ignore_further_numbers() -> None:
    assert answer("cuda", "12.8.1")["min_driver"]["linux"] == "570.26"
    assert answer("cudnn", "9.10.2.21")["version"] == "9.10"


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (("torch", "v2.5.1"), "version", "2.5.1"),
        (("torch", "2.5"), "version", "2.5.1"),
        (("torch", "2.5.1.0"), "version", "2.5.1"),
        (("pytorch", "torch==2.5.1+cu124"), "version", "2.5.1"),
        (("tf", "2.15"), "version", "2.15.1"),
        (("tensorflow", "2.15.0"), "version", "2.15.0"),
        (("cuda", "cuda-12.8"), "version", "12.8"),
        (("cuda", "V12.4.131"), "version", "12.4"),
        (("cuda", "cu128"), "version", "12.8"),
        (("cudnn", "8902"), "version", "8.9"),
        (("cudnn", "90100"), "version", "9.1"),
        (("cudnn", "8.9.7.29-1+cuda12.2"), "version", "8.9"),
        (("driver", "561.09"), "os", "windows"),
        (("driver", "32.0.15.6109"), "version", "561.09"),
        (("driver", "32.0.15.5014"), "os", "windows"),
        (("drivers", "560.35.03-1ubuntu1"), "version", "560.35.03"),
        (("gpu", "A100 80G"), "compute_capability", "8.0"),
        (("gpu", "rtx4090"), "name", "NVIDIA GeForce RTX 4090"),
        (("gpu", "RTX 4090 Laptop"), "name", "NVIDIA GeForce RTX 4090 Laptop GPU"),
        (("gpu", "4090 mobile"), "name", "NVIDIA GeForce RTX 4090 Laptop GPU"),
        (("gpus", "NVIDIA® GeForce RTX™ 4090"), "name", "NVIDIA GeForce RTX 4090"),
        (("gpu", "10de:2684"), "name", "NVIDIA GeForce RTX 4090"),
        (("gpu", "H100 PCIe"), "compute_capability", "9.0"),
        (("gpu", "gb10"), "compute_capability", "12.1"),
    ],
)
def test_names_are_understood_as_they_are_met(
    words: tuple[str, ...], field: str, value: str
) -> None:
    assert answer(*words)[field] == value


@pytest.mark.parametrize("topic", ["torch", "tensorflow", "cuda", "cudnn"])
def test_the_newest_final_is_the_latest(topic: str) -> None:
    newest = next(row for row in answer(topic) if not row.get("prerelease"))
    assert answer(topic, "latest")["version"] == newest["version"]


def test_another_version_than_the_one_written_is_told() -> None:
    assert "'2.5' is read as torch 2.5.1" in run("torch", "2.5").stderr
    assert "'8902' is read as cudnn 8.9" in run("cudnn", "8902", "-f", "json").stderr
    for words in (("torch", "v2.5.1+cu124"), ("cudnn", "8.9.7"), ("gpu", "rtx4090")):
        assert run(*words).stderr == ""


@pytest.mark.parametrize("topic", TOPICS)
def test_an_endless_name_is_a_usage_error(topic: str) -> None:
    result = run(topic, "5" * 5000)
    assert result.exit_code == 2
    assert "5000 characters" in result.stderr


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_a_usage_error(topic: str, name: str) -> None:
    result = run(topic, name)
    assert result.exit_code == 2
    assert "empty" in result.stderr


def test_pairs_have_the_promised_fields() -> None:
    promised = "torch tensorflow origin extra python outcome colliding confidence"
    found = answer("pairs", "torch", "2.9.1")
    assert {pair["torch"] for pair in found} == {"2.9.1"}
    assert {pair["origin"] for pair in found} >= {"pypi", "conda-forge"}
    assert all({*promised.split(), "sources"} <= set(pair) for pair in found)
    assert {pair["torch"] for pair in answer("pairs")} > {"2.9.1"}


def test_pairs_are_read_at_a_glance() -> None:
    rows = [" ".join(line.split()) for line in run("pairs").stdout.splitlines()]
    assert "2.9.1 conda-forge 2.19.1 conflict 2.16.1 – 2.18.0" in rows
    shown = run("pairs", "2.9.1", "2.21.0").stdout
    assert "nvidia cu12: nccl" in shown
    assert "uv pip compile" in run("pairs", "2.9.1", "2.21.0", "-v").stdout


def test_a_release_names_its_partners() -> None:
    assert {p["tensorflow"] for p in answer("torch", "2.9.1")["pairs"]} > {"2.20.0"}
    assert "2.19.1 (conda-forge)" in run("torch", "2.9.1").stdout
    assert "(pypi, and-cuda)" in run("tensorflow", "2.20.0").stdout
    assert "with tensorflow" not in run("torch", "1.0.0").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("torch",),
        ("tensorflow",),
        ("cuda",),
        ("cudnn",),
        ("driver",),
        ("gpu",),
        ("tensorflow", "2.16.1"),
        ("torch", "2.13.0"),
        ("cuda", "13.4"),
        ("cudnn", "8.6"),
        ("driver", "R535"),
        ("gpu", "Jetson AGX Orin"),
    ],
)
def test_tables_are_readable_text(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "None" not in result.stdout
    assert "[" not in result.stdout
    assert "\x1b" not in result.stdout
    assert words[-1].removeprefix("R") in result.stdout or len(words) == 1


def test_verbose_shows_the_sources() -> None:
    assert "open-gpu-kernel-modules" in run("gpu", "RTX 4090", "-v").stdout


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    assert run("gpu", "T4", "--format", "json", "--output", str(path)).exit_code == 0
    assert json.loads(path.read_text())["name"] == "Tesla T4"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("torch", "0.0.1"), "the newest in our data"),
        (("torch", "2.5.1rc1"), "did you mean 2.5.0, 2.5.1?"),
        (("torch", "2"), "did you mean 2.15.0"),
        (("tensorflow", "2.16.0"), "did you mean 2.15.1, 2.16.1?"),
        (("cuda", "12"), "did you mean 12.9, 12.8"),
        (("gpu", "Jetson Orin"), "NVIDIA Jetson AGX Orin"),
        (("gpu", "10de:0000"), "fwdoctor matrix"),
        (("gpu", "sm_89"), "NVIDIA L4"),
        (("gpu", "DGX H100"), "NVIDIA H100"),
        (("gpu", "Quadro P2000 Mobile"), "Quadro P2000"),
        (("gpu", "M3 Max"), "fwdoctor matrix"),
        (("2.5.1",), "fwdoctor matrix torch"),
        (("pairs", "2.1.1"), "did you mean torch 2.1.2"),
        (("pairs", "9.9"), "pairs are known of torch"),
        (("cuda", "12.7"), "12.8"),
        (("cuda", "nonsense"), "the newest in our data"),
        (("cudnn", "9.99"), "9."),
        (("driver", "999.1"), "end with R"),
        (("driver", "newest"), "nvidia-smi"),
        (("gpu", "RTX 4095"), "RTX 4090"),
        (("gpu", "4000"), "4000"),
        (("gpu", "Radeon"), "fwdoctor matrix"),
        (("rocm",), "is not one of"),
        (("torch", "../cuda/toolkits"), "the newest in our data"),
    ],
)
def test_unknown_name_is_a_usage_error(words: tuple[str, ...], hint: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert "Traceback" not in result.output


def test_unknown_format_is_a_usage_error() -> None:
    assert run("--format", "sarif").exit_code == 2


def test_old_data_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    date = data_date(Matrices(MATRICES))
    assert date is not None
    just_right = date + dt.timedelta(days=MAX_AGE_DAYS)
    monkeypatch.setattr(data_age, "today", lambda: just_right)
    assert "days old" not in run().output
    monkeypatch.setattr(data_age, "today", lambda: just_right + dt.timedelta(days=1))
    assert f"{MAX_AGE_DAYS + 1} days old" in run().stdout
    result = run("gpu", "T4", "--format", "json")
    assert json.loads(result.stdout)["name"] == "Tesla T4"
    assert "days old" in run("gpu", "T4").stderr


def test_check_says_so_only_when_asked_for_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(data_age, "today", lambda: dt.date(2040, 1, 1))
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_text('{"schema_version": 1}')
    words = ["check", "--snapshot", str(snapshot)]
    assert "days old" not in CliRunner().invoke(make_app(), words).output
    result = CliRunner().invoke(make_app(), [*words, "-v"])
    assert "warning: the compatibility data are" in result.stderr
    assert "days old" not in result.stdout


def test_data_of_no_age_are_not_old(tmp_path: Path) -> None:
    for name in (*TABLES.values(), *FILES.values()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"records": [], "sources": []}')
    empty = Matrices(tmp_path)
    assert age_note(empty, dt.date(2030, 1, 1)) is None
    assert overview(empty, dt.date(2030, 1, 1))["age_days"] is None


NEWEST = Matrices(MATRICES).versions("torch")[-1]
RELEASE = ("torch", NEWEST)
FILE = f"torch/{NEWEST}.json"
DAMAGE: list[tuple[tuple[str, ...], str, tuple[str | int, ...], object]] = [
    (("cuda", "12.8"), "cuda/toolkits.json", ("records", 3, "releases"), ["12.8"]),
    (("cuda",), "cuda/toolkits.json", ("records", 3, "min_driver"), {"linux": 5}),
    (("cudnn",), "cudnn/releases.json", ("records", 3, "notes"), 1.5),
    (("cudnn",), "cudnn/releases.json", ("records", 3, "cuda_majors"), None),
    (("cudnn", "8.9"), "cudnn/releases.json", ("records", 30, "min_driver"), "525"),
    (("driver", "430.26"), "nvidia/drivers.json", ("records", 12, "cuda_before"), "x"),
    (("driver",), "nvidia/drivers.json", ("records", 3, "known"), 550),
    ((), "nvidia/drivers.json", ("sources",), 5),
    (("driver",), "nvidia/forward_compat.json", ("records", 3, "base_branches"), "x"),
    (("driver",), "nvidia/forward_compat.json", ("records", 3, "package"), None),
    (RELEASE, FILE, ("companions", "torchvision"), [5]),
    (RELEASE, FILE, ("extras",), {"and-cuda": "x"}),
    (RELEASE, FILE, ("triton",), "3.5.1"),
    (RELEASE, FILE, ("version",), "9.9.9"),
    (RELEASE, FILE, ("sources", 0, "confidence"), None),
    ((), FILE, ("sources", 0, "retrieved"), "2026-02-30"),
]


@pytest.mark.parametrize(
    ("words", "name", "damage", "field"),
    [
        (("gpu", "T4"), "nvidia/gpus.json", lambda t: t[: len(t) // 2], "line"),
        (("gpu",), "nvidia/gpus.json", lambda t: "[1, 2]", "not a JSON object"),
        (("gpu",), "nvidia/gpus.json", lambda t: '{"records": [{}]}', "name"),
        (
            ("driver",),
            "nvidia/drivers.json",
            lambda t: t.replace('"branch": 340', '"branch": "x"'),
            "branch",
        ),
        (
            ("cuda",),
            "cuda/toolkits.json",
            lambda t: t.replace('"sass": [', '"sass": [7, ', 1),
            "sass",
        ),
        (("cudnn",), "cudnn/releases.json", lambda t: '{"records": 5}', "records"),
        (
            ("gpu", "T4"),
            "nvidia/gpus.json",
            lambda t: _without(t, "sources"),
            "sources",
        ),
        (("gpu",), "nvidia/gpus.json", lambda t: _without(t, "fact_sets"), "fact_sets"),
        *(
            (words, name, lambda t, k=key, v=value: _with(t, k, v), str(key[-1]))
            for words, name, key, value in DAMAGE
        ),
        (("gpu",), "nvidia/gpus.json", lambda t: "[" * 100_000, "recursion"),
        (("pairs",), "pairs/pypi.json", lambda t: t[:500], "line"),
        (("pairs",), "pairs/conda-forge.json", lambda t: '{"records": [7]}', "records"),
        (
            ("pairs", "2.9.1"),
            "pairs/pytorch-index.json",
            lambda t: t.replace('"outcome": "clean"', '"outcome": []'),
            "outcome",
        ),
        ((), "cuda/toolkits.json", lambda t: t.replace('"2026-', '"last-'), "sources"),
    ],
)
def test_damaged_data_name_file_and_field(
    copied: Path, words: tuple[str, ...], name: str, damage: Any, field: str
) -> None:
    path = copied / name
    path.write_text(damage(path.read_text()))
    result = run(*words)
    assert result.exit_code == 3
    assert Path(name).name in result.stderr
    assert field in result.stderr
    assert "Traceback" not in result.output


def test_damage_elsewhere_does_not_withhold_an_answer(copied: Path) -> None:
    (copied / FILE).write_text("{")
    assert run("gpu", "T4").exit_code == 0
    assert run().exit_code == 3


def test_a_folder_that_is_a_file_is_named(copied: Path) -> None:
    shutil.rmtree(copied / "torch")
    (copied / "torch").write_text("")
    result = run("torch")
    assert result.exit_code == 3
    assert f"{copied / 'torch'}: Not a directory" in result.stderr


def _with(text: str, path: tuple[str | int, ...], value: object) -> str:
    data = json.loads(text)
    *outer, last = path
    inner = data
    for key in outer:
        inner = inner[key]
    inner[last] = value
    return json.dumps(data)


def _without(text: str, key: str) -> str:
    return json.dumps({k: v for k, v in json.loads(text).items() if k != key})


def test_missing_file_is_named(copied: Path) -> None:
    (copied / "nvidia/gpus.json").unlink()
    result = run("gpu", "T4")
    assert result.exit_code == 3
    assert "gpus.json" in result.stderr
