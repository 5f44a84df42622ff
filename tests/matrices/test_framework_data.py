"""Every record of torch/, tensorflow/ and pairs/: schema, invariants, known facts."""

from __future__ import annotations

import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from packaging.version import Version

from fwdoctor.matrices.conda_pairs import infer_conda_pairs
from fwdoctor.matrices.load import Matrices, find_matrices_folder
from fwdoctor.matrices.measurement import row_name, sort_capabilities, split_platforms
from fwdoctor.matrices.pairs import find_clobbers
from fwdoctor.matrices.record_file import apply_authored, dump_record
from fwdoctor.matrices.wheel_names import python_key

Json = dict[str, Any]

FOLDER = find_matrices_folder()
PATHS = sorted(
    path for name in ("torch", "tensorflow") for path in (FOLDER / name).glob("*.json")
)
NOT_MEASURED = {"authored", "framework", "sources", "variants", "version"}
AVERAGE_SIZE_LIMIT_BYTES = 9_000  # people read them

# First release with each default CUDA of the PyPI Linux wheels, measured apart from
# this project's code.
DEFAULT_CUDA = {
    "1.0.0": "9.0",
    "1.2.0": "10.0",
    "1.3.0": "10.1",
    "1.5.0": "10.2",
    "1.13.0": "11.7",
    "2.1.0": "12.1",
    "2.5.0": "12.4",
    "2.7.0": "12.6",
    "2.8.0": "12.8",
    "2.11.0": "13.0",
    "2.15.0": "13.2",
}


@cache
def record(path: Path) -> Json:
    data: Json = json.loads(path.read_text("utf-8"))
    return data


@cache
def schema(name: str) -> Draft202012Validator:
    path = FOLDER / "schema" / f"{name}.schema.json"
    return Draft202012Validator(json.loads(path.read_text("utf-8")))


def releases(framework: str) -> list[Json]:
    found = [record(path) for path in PATHS if path.parent.name == framework]
    return sorted(found, key=lambda item: Version(item["version"]))


def rows(data: Json) -> list[Json]:
    return [*data["variants"], *data.get("authored", {}).get("variants", ())]


def conda_rows(data: Json) -> list[Json]:
    found: list[Json] = data.get("authored", {}).get("conda", [])
    return found


def sourced_fields(data: Json) -> list[str]:
    sources = [*data["sources"], *data.get("authored", {}).get("sources", ())]
    return [field for item in sources for field in item["fields"]]


def is_sourced(field: str, patterns: list[str]) -> bool:
    """`[` is literal in our field names, so only `*` may be special."""
    for pattern in patterns:
        expression = re.escape(pattern).replace(r"\*", "[^.]*")
        if re.match(expression + r"(?:\..*)?$", field):
            return True
    return False


paths = pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}"
)


@paths
def test_a_record_fits_its_schema_and_is_as_the_writer_writes_it(path: Path) -> None:
    data = record(path)
    errors = [
        f"{error.json_path}: {error.message}"
        for error in schema("framework_release").iter_errors(data)
    ]
    assert not errors
    assert (data["framework"], data["version"]) == (path.parent.name, path.stem)
    assert path.read_text("utf-8") == dump_record(data)
    assert apply_authored(data) == data


@paths
def test_every_fact_has_a_source(path: Path) -> None:
    data = record(path)
    patterns = sourced_fields(data)
    measured = {key for key, value in data.items() if value not in ([], {}, None)}
    missing = [
        key
        for key in sorted(measured - NOT_MEASURED)
        if not is_sourced(key, patterns)
        and not any(field.startswith(f"{key}.") for field in patterns)
    ]
    missing += [
        row_name(row)
        for row in split_platforms(rows(data))
        if not is_sourced(f"variants[{row_name(row)}]", patterns)
    ]
    missing += [
        row["channel"]
        for row in conda_rows(data)
        if not any(field.startswith(f"conda[{row['channel']}") for field in patterns)
    ]
    assert not missing


@paths
def test_lists_are_sorted_and_variants_agree_with_their_cuda(path: Path) -> None:
    data = record(path)
    for row in [*rows(data), *conda_rows(data), data]:
        pythons = row.get("python", [])
        assert pythons == sorted(pythons, key=python_key)
        for key in ("compute_capabilities", "ptx"):
            assert row.get(key, []) == sort_capabilities(row.get(key, []))
    for row in rows(data):
        if row.get("cuda"):
            assert row["variant"] == "cu" + row["cuda"].replace(".", "")
            assert row["cuda"].split(".")[0] == str(
                row.get("cuda_major", row["cuda"].split(".")[0])
            )
        elif "cuda" in row:
            assert row["variant"].startswith(("cpu", "xpu", "rocm"))
            assert not {"compute_capabilities", "ptx", "cudnn"} & set(row)
    names = [row_name(row) for row in split_platforms(rows(data))]
    assert len(set(names)) == len(names)


@paths
def test_references_to_the_nvidia_tables_resolve(
    path: Path, matrices: Matrices
) -> None:
    toolkits = {str(item.version) for item in matrices.toolkits()}
    known = {str(item.compute_capability) for item in matrices.architectures()}
    for row in [*rows(record(path)), *conda_rows(record(path))]:
        assert not row.get("cuda") or row["cuda"] in toolkits
        named = [*row.get("compute_capabilities", ()), *row.get("ptx", ())]
        assert {text.rstrip("af") for text in named} <= known


@cache
def targets() -> dict[str, tuple[set[str], set[str]]]:
    """What each toolkit can compile for: machine code and PTX."""
    data = json.loads((FOLDER / "cuda/toolkits.json").read_text("utf-8"))
    return {
        row["version"]: (set(row["sass"]), set(row["ptx"])) for row in data["records"]
    }


@paths
def test_code_is_what_the_toolkit_can_compile_for(path: Path) -> None:
    for row in [*rows(record(path)), *conda_rows(record(path))]:
        if row.get("cuda"):
            sass, ptx = targets()[row["cuda"]]
            assert set(row.get("compute_capabilities", ())) <= sass
            assert set(row.get("ptx", ())) <= ptx


@paths
def test_cuda_builds_for_windows_say_what_code_they_hold(path: Path) -> None:
    for row in rows(record(path)):
        if row.get("cuda") and row["platforms"] == ["windows-x86_64"]:
            if (path.stem, row["variant"]) != ("1.2.0", "cu92"):  # no script of the day
                assert row["compute_capabilities"], row["variant"]
                assert "ptx" in row


@paths
def test_pytorchs_cpu_index_has_the_platforms_of_pypi(path: Path) -> None:
    data = record(path)
    if data["framework"] == "torch" and Version(data["version"]) >= Version("2.3"):
        on_cpu_index = {
            platform
            for row in data["authored"]["variants"]
            if row["index"].endswith("/cpu")
            for platform in row["platforms"]
        }
        measured = {item for row in data["variants"] for item in row["platforms"]}
        assert measured <= on_cpu_index


@paths
def test_dates_follow_the_release(path: Path) -> None:
    data = record(path)
    assert all(item["date"] >= data["released"] for item in data["reuploads"])
    assert data["prerelease"] is Version(data["version"]).is_prerelease


def test_no_final_release_is_missing() -> None:
    torch = [item["version"] for item in releases("torch")]
    tensorflow = [item["version"] for item in releases("tensorflow")]
    assert (torch[0], tensorflow[0]) == ("1.0.0", "1.13.1")
    assert len([text for text in torch if not Version(text).is_prerelease]) >= 52
    assert len([text for text in tensorflow if not Version(text).is_prerelease]) >= 79
    assert {"2.15.0", "2.14.1"} <= set(torch)
    assert {"2.21.0", "2.22.0rc0", "2.15.0.post1"} <= set(tensorflow)


def test_the_default_cuda_of_pytorch_through_time() -> None:
    expected = None
    for data in releases("torch"):
        expected = DEFAULT_CUDA.get(data["version"], expected)
        (default,) = [
            row
            for row in data["variants"]
            if "linux-x86_64" in row["platforms"] and row["index"] == "pypi"
        ]
        assert default["cuda"] == expected, data["version"]
        windows = [
            row["variant"]
            for row in data["variants"]
            if {"windows-x86_64", "macos-arm64", "macos-x86_64"} & set(row["platforms"])
        ]
        assert set(windows) <= {"cpu"}


def test_companions_grow_with_their_framework() -> None:
    for name in ("torchvision", "torchaudio"):
        newest = Version("0")
        owners: dict[str, str] = {}
        for data in releases("torch"):
            authored = data.get("authored", {}).get("companions", {})
            listed = [*data["companions"].get(name, ()), *authored.get(name, ())]
            for text in listed:
                assert Version(text) >= newest, (data["version"], name, text)
                newest = Version(text)
                owners.setdefault(text, data["version"])
        assert owners


@pytest.mark.parametrize(
    ("version", "torchvision"),
    [("1.0.0", ["0.2.1"]), ("1.0.1", ["0.2.2"]), ("1.1.0", ["0.3.0"])],
)
def test_the_first_releases_have_a_torchvision(
    matrices: Matrices, version: str, torchvision: list[str]
) -> None:
    release = matrices.find_release("torch", version)
    assert release is not None
    assert list(release.companions["torchvision"]) == torchvision


# What torch.cuda.get_arch_list() printed there, in public reports.
@pytest.mark.parametrize(
    ("version", "variant", "platform", "machine_code", "ptx"),
    [
        ("2.7.1", "cu128", "linux-x86_64", "75 80 86 90 100 120", "120"),
        ("2.7.1", "cu128", "windows-x86_64", "50 60 61 70 75 80 86 90 100 120", ""),
        ("2.8.0", "cu126", "windows-x86_64", "61 70 75 80 86 90", ""),
        ("2.8.0", "cu128", "windows-x86_64", "61 70 75 80 86 90 100 120", ""),
        ("2.9.0", "cu130", "linux-aarch64", "80 90 100 110 120", "120"),
        ("2.10.0", "cu128", "windows-x86_64", "70 75 80 86 90 100 120", ""),
        ("2.10.0", "cu129", "linux-x86_64", "70 75 80 86 90 100 120", "120"),
        ("2.11.0", "cu126", "linux-x86_64", "50 60 70 75 80 86 90", ""),
        ("2.11.0", "cu128", "linux-x86_64", "75 80 86 90 100 120", ""),
        ("2.13.0", "cu130", "linux-aarch64", "80 90 100 110 120", ""),
    ],
)
def test_code_of_builds_outside_pypi_is_what_users_saw(
    version: str, variant: str, platform: str, machine_code: str, ptx: str
) -> None:
    (row,) = [
        item
        for item in record(FOLDER / "torch" / f"{version}.json")["authored"]["variants"]
        if item["variant"] == variant and platform in item["platforms"]
    ]
    assert row["compute_capabilities"] == dotted(machine_code)
    assert row["ptx"] == dotted(ptx)


def dotted(text: str) -> list[str]:
    return [f"{item[:-1]}.{item[-1]}" for item in text.split()]


def test_siblings_of_tensorflow_end_where_their_last_wheels_do() -> None:
    data = json.loads((FOLDER / "tensorflow-siblings.json").read_text("utf-8"))
    siblings = {row["package"]: row for row in data["records"]}
    assert set(data["shared_folders"]["tensorflow"]) <= {*siblings, "tensorflow"}
    for name, row in siblings.items():
        owners = [
            data["version"]
            for data in releases("tensorflow")
            if any(variant["package"] == name for variant in data["variants"])
        ]
        if owners and row["state"] == "ended":
            assert Version(owners[-1]) == Version(row["last"]), name


def test_gpu_wheels_of_tensorflow_by_platform() -> None:
    for data in releases("tensorflow"):
        version = Version(data["version"])
        gpu = {
            platform
            for row in split_platforms(data["variants"])
            if row.get("cuda") or row.get("cuda_major")
            for platform in row["platforms"]
        }
        assert gpu <= {"linux-x86_64", "windows-x86_64"}
        assert ("windows-x86_64" in gpu) is _had_windows_gpu_wheels(data, version)


def _had_windows_gpu_wheels(data: Json, version: Version) -> bool:
    return version < Version("2.11") and any(
        "windows-x86_64" in row["platforms"]
        and (row.get("variant") or "cuda") not in ("cpu", "rocm")
        for row in data["variants"]
    )


def test_everything_is_read_by_the_loader(matrices: Matrices) -> None:
    for framework in ("torch", "tensorflow"):
        loaded = matrices.releases(framework)
        assert [item.version for item in loaded] == [
            item["version"] for item in releases(framework)
        ]
        for item in loaded:
            assert item.python
            assert item.variants


def test_the_records_stay_small() -> None:
    size = sum(path.stat().st_size for path in PATHS)
    assert size / len(PATHS) < AVERAGE_SIZE_LIMIT_BYTES


def pairs(name: str = "pypi") -> list[Json]:
    data = json.loads((FOLDER / "pairs" / f"{name}.json").read_text("utf-8"))
    errors = [error.message for error in schema("pairs").iter_errors(data)]
    assert not errors
    found: list[Json] = data["records"]
    return found


@pytest.mark.parametrize("name", ["pypi", "pytorch-index"])
def test_pairs_name_known_releases_once_and_in_order(name: str) -> None:
    known = {
        name: {r["version"]: r for r in releases(name)}
        for name in ("torch", "tensorflow")
    }
    keys = []
    for pair in pairs(name):
        torch = known["torch"][pair["torch"]]
        tensorflow = known["tensorflow"][pair["tensorflow"]]
        shared = set(torch["python"]) & set(tensorflow["python"])
        assert pair["python"] == sorted(shared, key=python_key)
        assert ("variant" in pair) is (name == "pytorch-index")
        assert pair["extra"] is None or pair["extra"] in tensorflow["extras"]
        assert bool(pair["colliding"]) is (pair["outcome"] != "clean")
        keys.append(pair_key(pair))
    assert keys == sorted(set(keys))


def pair_key(pair: Json) -> tuple[Version, Version, str, str, str]:
    return (
        Version(pair["torch"]),
        Version(pair["tensorflow"]),
        pair["extra"] or "",
        pair.get("variant", ""),
        pair["platform"],
    )


def cuda_builds(data: Json, platform: str) -> dict[str, Json]:
    return {
        row["build"]: row
        for row in conda_rows(data)
        if row["channel"] == "conda-forge" and row["cuda"]
        if platform in row["platforms"]
    }


def test_pairs_of_conda_forge_name_builds_of_one_cuda_major_with_known_pins() -> None:
    found = pairs("conda-forge")
    for pair in found:
        of_both = {
            name: cuda_builds(
                record(FOLDER / name / f"{pair[name]}.json"), pair["platform"]
            )
            for name in ("torch", "tensorflow")
        }
        for named in pair["builds"]:
            one, other = (of_both[name][named[name]] for name in of_both)
            assert one["cuda"].split(".")[0] == other["cuda"].split(".")[0]
            assert one["pins"]
            assert other["pins"]
            assert set(one["python"]) & set(other["python"]) <= set(pair["python"])
        assert pair["channel"] == "conda-forge"
        assert bool(pair["builds"]) is (pair["outcome"] == "clean")
        assert bool(pair["colliding"]) is (pair["outcome"] == "conflict")
    keys = [pair_key(pair) for pair in found]
    assert keys == sorted(set(keys))


def test_pairs_of_conda_forge_are_as_inferred_today(tmp_path: Path) -> None:
    for name in ("torch", "tensorflow", "pairs"):
        shutil.copytree(FOLDER / name, tmp_path / name)
    day = max(pair["retrieved"] for pair in pairs("conda-forge"))
    infer_conda_pairs(tmp_path, today=day)
    name = "pairs/conda-forge.json"
    assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


# The first is what conda's solver said to the maintainers of the recipe:
# https://github.com/conda-forge/pytorch-cpu-feedstock/pull/309
@pytest.mark.parametrize(
    ("torch", "tensorflow", "colliding"),
    [
        ("2.5.1", "2.17.0", ["libprotobuf"]),
        ("2.5.1", "2.18.0", []),
        ("2.10.0", "2.19.1", []),
        ("2.13.0", "2.19.1", ["libabseil", "libprotobuf"]),
    ],
)
def test_pairs_of_conda_forge_by_hand(
    torch: str, tensorflow: str, colliding: list[str]
) -> None:
    (pair,) = [
        item
        for item in pairs("conda-forge")
        if (item["torch"], item["tensorflow"]) == (torch, tensorflow)
    ]
    assert pair["colliding"] == colliding


def test_resolved_pairs_carry_the_clobber_they_claim() -> None:
    resolved = [pair for pair in pairs() if "versions" in pair]
    assert resolved
    for pair in resolved:
        versions = pair["versions"]
        clobbers = find_clobbers(versions, versions)
        assert clobbers == (pair["colliding"] if pair["outcome"] == "clobber" else [])


@pytest.mark.parametrize(
    ("torch", "tensorflow", "outcome"),
    [
        ("2.15.0", "2.21.0", "clobber"),
        ("2.11.0", "2.18.1", "clobber"),
        ("2.10.0", "2.21.0", "conflict"),
        ("2.10.0", "2.20.0", "clean"),
        ("2.7.1", "2.20.0", "clean"),
        ("2.6.0", "2.20.0", "conflict"),
        ("2.9.1", "2.19.1", "conflict"),
    ],
)
def test_pairs_resolved_by_hand(torch: str, tensorflow: str, outcome: str) -> None:
    (pair,) = [
        item
        for item in pairs()
        if (item["torch"], item["tensorflow"], item["extra"])
        == (torch, tensorflow, "and-cuda")
    ]
    assert pair["outcome"] == outcome


@pytest.mark.parametrize(
    ("variant", "torch", "outcome"),
    [
        ("cu126", "2.14.1", "clean"),
        ("cu126", "2.10.0", "conflict"),
        ("cu130", "2.12.0", "clobber"),
    ],
)
def test_builds_of_pytorchs_index_beside_the_newest_tensorflow(
    variant: str, torch: str, outcome: str
) -> None:
    (pair,) = [
        item
        for item in pairs("pytorch-index")
        if (item["torch"], item["tensorflow"], item["variant"])
        == (torch, "2.21.0", variant)
    ]
    assert pair["outcome"] == outcome
    assert pair["confidence"] == "inferred"
