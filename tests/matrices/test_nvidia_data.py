"""Every row of the NVIDIA tables: schema, sources, order, and how the tables agree."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.load import Matrices
from fwdoctor.matrices.table_file import dump_table, main, read_table
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

MATRICES = Path(__file__).resolve().parents[2] / "matrices"
TABLES = {
    "toolkits": "cuda/toolkits.json",
    "cudnn": "cudnn/releases.json",
    "architectures": "nvidia/architectures.json",
    "codes": "nvidia/codes.json",
    "drivers": "nvidia/drivers.json",
    "forward_compat": "nvidia/forward_compat.json",
    "gpus": "nvidia/gpus.json",
}
KEYS = {
    "toolkits": "version",
    "cudnn": "version",
    "architectures": "compute_capability",
    "codes": "name",
    "drivers": "branch",
    "forward_compat": "package",
    "gpus": "name",
}
SIZE_LIMIT = 330_000
GPU_COUNT = 300

Row = dict[str, Any]


@cache
def table(name: str) -> Row:
    """The JSON object of a table."""
    return read_table(MATRICES / TABLES[name])


def rows(name: str) -> list[Row]:
    """The records of a table."""
    found: list[Row] = table(name)["records"]
    return found


def every(*names: str) -> pytest.MarkDecorator:
    """Parametrise a test over every row of these tables."""
    cases = [
        pytest.param(name, row, id=f"{name}-{row[KEYS[name]]}-{i}")
        for name in names
        for i, row in enumerate(rows(name))
    ]
    return pytest.mark.parametrize(("name", "row"), cases)


def numbers(text: str) -> tuple[int, ...]:
    """A dotted version as something that sorts."""
    return tuple(int(part) for part in text.split("."))


@cache
def matrices() -> Matrices:
    """The shipped data through the loader."""
    return Matrices(MATRICES)


# Form and sources


@pytest.mark.parametrize("name", TABLES)
def test_table_is_valid_by_its_schema(name: str) -> None:
    schema = json.loads((MATRICES / "schema" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(table(name), schema)


@pytest.mark.parametrize("name", TABLES)
def test_table_is_written_deterministically(name: str) -> None:
    text = (MATRICES / TABLES[name]).read_text(encoding="utf-8")
    assert text == dump_table(json.loads(text))


def test_all_tables_together_stay_small() -> None:
    sizes = [(MATRICES / path).stat().st_size for path in TABLES.values()]
    assert sum(sizes) < SIZE_LIMIT


@every(*TABLES)
def test_every_field_has_a_source(name: str, row: Row) -> None:
    facts = facts_of(name, row)
    covered = {field for fact in facts for field in fact["fields"]}
    assert set(row) - {"facts", "fact_set", "platform", KEYS[name]} - covered == (
        {"family"} if name == "codes" else set()
    )
    assert {fact["source"] for fact in facts} <= set(table(name)["sources"])
    if "facts" in row:
        assert covered <= set(row)


def facts_of(name: str, row: Row) -> list[Row]:
    """The facts of a row: its own, or those of the set it names."""
    own: list[Row] | None = row.get("facts")
    if own is not None:
        return own
    shared: list[Row] = table(name)["fact_sets"][row.get("fact_set") or row["family"]]
    return shared


@pytest.mark.parametrize("name", TABLES)
def test_every_source_is_used(name: str) -> None:
    used = {fact["source"] for row in rows(name) for fact in facts_of(name, row)}
    assert used == set(table(name)["sources"])


# Toolkits


def test_toolkits_are_sorted_and_unique() -> None:
    versions = [numbers(row["version"]) for row in rows("toolkits")]
    assert versions == sorted(set(versions))
    isa = [numbers(row["ptx_isa"]) for row in rows("toolkits")]
    assert isa == sorted(isa)


@every("toolkits")
def test_toolkit_names_the_driver_of_its_first_final_release(
    name: str, row: Row
) -> None:
    releases = row["releases"]
    versions = [numbers(release["version"]) for release in releases]
    assert versions == sorted(set(versions))
    assert all(v[:2] == numbers(row["version"]) for v in versions)
    final = [r for r in releases if "note" not in r or "and its" in r["note"]]
    assert row.get("min_driver") == final[0].get("min_driver")


@every("toolkits")
def test_least_driver_of_a_toolkit_speaks_its_cuda(name: str, row: Row) -> None:
    cuda = CudaVersion.parse(row["version"])
    for release in row["releases"]:
        for os_name, text in release.get("min_driver", {}).items():
            driver = DriverVersion.parse(text)
            branch = matrices().find_driver_branch(driver, os_name=os_name)
            assert branch is not None
            assert branch.cuda == cuda


@every("toolkits")
def test_minor_version_floor_is_not_above_the_own_driver(name: str, row: Row) -> None:
    floor = row.get("minor_version_floor", {})
    for os_name, text in row.get("min_driver", {}).items():
        if os_name in floor and not (row["version"] == "12.0" and os_name == "windows"):
            assert numbers(floor[os_name]) <= numbers(text)


def test_a_major_has_one_floor_from_its_second_minor_on() -> None:
    floors = defaultdict(set)
    for row in rows("toolkits"):
        major, minor = numbers(row["version"])
        if minor and "minor_version_floor" in row:
            floors[major].add(json.dumps(row["minor_version_floor"], sort_keys=True))
    assert set(floors) == {11, 12, 13}
    assert all(len(found) == 1 for found in floors.values())


@every("toolkits")
def test_toolkit_targets_are_known_and_sorted(name: str, row: Row) -> None:
    sass = [ComputeCapability.parse(text) for text in row["sass"]]
    assert sass == sorted(sass)
    assert all(matrices().find_architecture(cc) for cc in sass)
    assert set(row["ptx"]) <= set(row["sass"])


def test_newest_gcc_never_falls_from_toolkit_to_toolkit() -> None:
    newest = [row["max_gcc"] for row in rows("toolkits")]
    assert newest == sorted(newest)


# Compute capabilities


@every("architectures")
def test_first_and_last_toolkit_agree_with_the_targets(name: str, row: Row) -> None:
    cc = row["compute_capability"]
    versions = [row["version"] for row in rows("toolkits")]
    having = [r["version"] for r in rows("toolkits") if cc in r["sass"]]
    assert having == versions[versions.index(having[0]) :][: len(having)]
    last = row["last_cuda"]
    assert having[-1] == (last if last is not None else versions[-1])
    first = row.get("first_cuda")
    if first in versions:
        assert having[0] == first
    elif first is not None:
        assert numbers(first) < numbers(versions[0])


def test_architectures_are_sorted_and_unique() -> None:
    capabilities = [numbers(row["compute_capability"]) for row in rows("architectures")]
    assert capabilities == sorted(set(capabilities))


@every("architectures")
def test_architecture_is_consistent(name: str, row: Row) -> None:
    cc = ComputeCapability.parse(row["compute_capability"])
    assert row["sm"] == cc.sm
    branches = {row["branch"] for row in rows("drivers")}
    for key in ("first_driver_branch", "last_driver_branch"):
        assert row.get(key) is None or row[key] in branches
    assert not row["tegra"] or "last_driver_branch" not in row
    for other in row.get("rejects_cubins_of", ()):
        refused = ComputeCapability.parse(other)
        assert row["tegra"]
        assert (refused.major, refused.minor) < (cc.major, cc.minor)
        assert refused.major == cc.major


# Driver branches


def test_driver_branches_are_sorted_and_unique() -> None:
    branches = [row["branch"] for row in rows("drivers")]
    assert branches == sorted(set(branches))
    windows = [b for row in rows("drivers") for b in row.get("windows_branches", ())]
    assert len(windows) == len(set(windows))


def test_a_newer_branch_never_loses_a_cuda_version() -> None:
    cuda = [
        numbers(row["cuda"])
        for row in rows("drivers")
        if "cuda" in row and row["platform"] == "linux"
    ]
    assert cuda == sorted(cuda)


@every("drivers")
def test_known_drivers_belong_to_their_branch(name: str, row: Row) -> None:
    known = row.get("known", [])
    assert all(DriverVersion.parse(text).branch == row["branch"] for text in known)
    assert known == sorted(set(known), key=numbers)


@every("drivers")
def test_branch_lists_the_architectures_it_still_drives(name: str, row: Row) -> None:
    if "architectures" not in row:
        return
    for record in rows("architectures"):
        if record["tegra"] or "last_driver_branch" not in record:
            continue
        listed = record["architecture"] in row["architectures"]
        last, first = record["last_driver_branch"], record.get("first_driver_branch")
        if last is not None and row["branch"] > last:
            assert not listed
        elif first is not None and row["branch"] >= first:
            assert listed


@pytest.mark.parametrize(
    ("driver", "os_name", "cuda"),
    [
        ("550.54.14", "linux", "12.4"),
        ("552.22", "windows", "12.4"),
        ("566.03", "windows", "12.7"),
        ("576.02", "windows", "12.9"),
        ("581.80", "windows", "13.0"),
        ("535.98", "windows", "12.2"),
        ("417.35", "windows", "10.0"),
        ("616.56", "windows", "13.4"),
        ("617.14", "windows", "13.4"),
        ("540.4.0", "linux", "12.6"),
        ("470.256.02", "linux", "11.4"),
    ],
)
def test_driver_speaks_the_cuda_its_nvidia_smi_prints(
    driver: str, os_name: str, cuda: str
) -> None:
    branch = matrices().find_driver_branch(DriverVersion.parse(driver), os_name=os_name)
    assert branch is not None
    assert str(branch.cuda) == cuda


# cuDNN


def test_cudnn_lines_are_sorted_and_unique() -> None:
    versions = [numbers(row["version"]) for row in rows("cudnn")]
    assert versions == sorted(set(versions))


@every("cudnn")
def test_cudnn_line_is_consistent(name: str, row: Row) -> None:
    line = f"{row['version']}."
    assert row["first"].startswith(line)
    wheels = row.get("wheels", [])
    assert all(wheel.startswith(line) for wheel in wheels)
    assert wheels == sorted(set(wheels), key=numbers)
    assert not wheels or wheels[0].startswith(f"{row['first']}.")
    majors = {numbers(toolkit["version"])[0] for toolkit in rows("toolkits")}
    assert set(row["cuda_majors"]) <= majors
    assert set(row.get("min_driver", {})) <= {str(m) for m in row["cuda_majors"]}
    for text in row.get("compute_capabilities", ()):
        assert matrices().find_architecture(ComputeCapability.parse(text))


@pytest.mark.parametrize(
    ("line", "capability", "served"),
    [
        ("7.2", "7.5", False),
        ("7.4", "7.5", True),
        ("8.7", "3.5", True),
        ("8.8", "3.5", False),
        ("8.8", "5.0", True),
        ("9.11", "11.0", False),
        ("9.12", "11.0", True),
        ("9.20", "8.7", False),
        ("9.21", "8.7", True),
        ("9.26", "8.7", False),
        ("9.28", "11.0", True),
    ],
)
def test_cudnn_holds_code_as_its_wheels_show(
    line: str, capability: str, served: bool
) -> None:
    (row,) = (row for row in rows("cudnn") if row["version"] == line)
    assert (capability in row["compute_capabilities"]) is served


# GPUs


def test_there_are_many_gpus_in_order() -> None:
    keys = [(numbers(g["compute_capability"]), g["name"].lower()) for g in rows("gpus")]
    assert len(keys) >= GPU_COUNT
    assert keys == sorted(keys)


def test_gpu_names_and_aliases_are_unique() -> None:
    names = [gpu["name"].lower() for gpu in rows("gpus")]
    aliases = [
        alias.lower() for gpu in rows("gpus") for alias in gpu.get("aliases", ())
    ]
    assert len({*names, *aliases}) == len(names) + len(aliases)


def test_a_turing_board_is_not_told_to_need_a_driver_that_listed_it_late() -> None:
    turing = [g for g in rows("gpus") if g["compute_capability"] == "7.5"]
    late = {gpu["name"] for gpu in turing if "first_driver" in gpu}
    assert late == {"NVIDIA GeForce GTX 1630", "NVIDIA T400E"}


def test_gpus_that_read_alike_have_one_compute_capability() -> None:
    for gpu in rows("gpus"):
        for name in (gpu["name"], *gpu.get("aliases", ())):
            found = matrices().find_gpu(name)
            assert found is not None
            assert str(found.compute_capability) == gpu["compute_capability"]


def test_device_ids_lead_to_one_compute_capability() -> None:
    capabilities = defaultdict(set)
    for gpu in rows("gpus"):
        for device_id in gpu.get("pci_device_ids", ()):
            capabilities[device_id].add(gpu["compute_capability"])
    assert [key for key, found in capabilities.items() if len(found) > 1] == []


@every("gpus")
def test_gpu_is_consistent(name: str, row: Row) -> None:
    cc = ComputeCapability.parse(row["compute_capability"])
    architecture = matrices().find_architecture(cc)
    assert architecture is not None
    assert architecture.is_tegra == (row["segment"] == "jetson")
    assert row.get("pci_device_ids", []) == sorted(row.get("pci_device_ids", []))
    if "first_driver" in row:
        branch = DriverVersion.parse(row["first_driver"]).branch
        assert branch >= (architecture.first_driver_branch or 0)


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("GeForce GT 710", "3.5"),
        ("Tesla K80", "3.7"),
        ("GeForce GTX 1060 with Max-Q Design", "6.1"),
        ("NVIDIA TITAN Xp COLLECTORS EDITION", "6.1"),
        ("GRID V100DX-32C", "7.0"),
        ("GeForce GTX 750 Ti", "5.0"),
        ("GeForce GTX TITAN X", "5.2"),
        ("TITAN X (Pascal)", "6.1"),
        ("Tesla P100-PCIE-16GB", "6.0"),
        ("Tesla V100-SXM2-16GB", "7.0"),
        ("GeForce MX450", "7.5"),
        ("GeForce GTX 1660 Ti", "7.5"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("NVIDIA A30", "8.0"),
        ("NVIDIA A800-SXM4-80GB", "8.0"),
        ("NVIDIA A2", "8.6"),
        ("NVIDIA RTX A1000", "8.6"),
        ("NVIDIA RTX A400", "8.6"),
        ("GeForce MX570", "8.6"),
        ("GeForce RTX 3050 Laptop GPU", "8.6"),
        ("NVIDIA Jetson AGX Orin", "8.7"),
        ("GeForce RTX 3050 A Laptop GPU", "8.9"),
        ("RTX 4090", "8.9"),
        ("NVIDIA H100 80GB HBM3", "9.0"),
        ("NVIDIA B200", "10.0"),
        ("NVIDIA GB300", "10.3"),
        ("NVIDIA Jetson AGX Thor", "11.0"),
        ("GeForce RTX 5090", "12.0"),
        ("NVIDIA GB10", "12.1"),
    ],
)
def test_gpus_that_are_easily_confused(name: str, capability: str) -> None:
    gpu = matrices().find_gpu(name)
    assert gpu is not None
    assert str(gpu.compute_capability) == capability


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA A100-SXM4-40GB"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb+me", "NVIDIA H100 80GB HBM3"),
        ("GRID T4-16Q", "Tesla T4"),
        ("GRID A100D-1-10C", "NVIDIA A100-SXM4-40GB"),
        ("GRID V100D-16Q", "Tesla V100-SXM2-16GB"),
        ("NVIDIA H100XM-80C", "NVIDIA H100"),
        ("NVIDIA L40S-48Q", "NVIDIA L40S"),
        ("NVIDIA RTX6000-Ada-48Q", "NVIDIA RTX 6000 Ada Generation"),
        ("NVIDIA GeForce RTX 4060 Ti 16GB", "NVIDIA GeForce RTX 4060 Ti"),
        ("GeForce RTX 3060 Lite Hash Rate", "NVIDIA GeForce RTX 3060"),
    ],
)
def test_a_part_of_a_gpu_is_that_gpu(name: str, known: str) -> None:
    found = matrices().find_gpu(name)
    assert found is not None
    assert found.name == known


@pytest.mark.parametrize("name", ["GRID Z9-4Q", "MIG 1g.5gb", "16GB", ""])
def test_a_part_of_nothing_known_is_unknown(name: str) -> None:
    assert matrices().find_gpu(name) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("4090", "NVIDIA GeForce RTX 4090"),
        ("1080 Ti", "NVIDIA GeForce GTX 1080 Ti"),
        ("2080ti", "NVIDIA GeForce RTX 2080 Ti"),
        ("Tesla T4", "Tesla T4"),
        ("4000", None),  # several workstation cards
        ("9999", None),
    ],
)
def test_a_person_may_say_the_number_alone(text: str, name: str | None) -> None:
    found = matrices().find_typed_gpu(text)
    assert (found.name if found else None) == name
    assert not text[0].isdigit() or matrices().find_gpu(text) is None


# Codes and forward compatibility

# CUresult in cuda.h of CUDA 13.5
CUDA_DRIVER_CODES = (
    "0-8 34 36 46-47 100-102 200-202 205-227 300-304 400-402 500 600 700-705 708-721 "
    "800-812 900-919 999"
)
# cudaError in driver_types.h of CUDA 13.5
CUDA_RUNTIME_CODES = (
    "0-10 12-13 16-28 31-32 34-37 43-46 49 52-53 65-69 98 100-103 127 200-201 205-227 "
    "300-304 400-402 500 600 700-705 708-721 800-812 900-915 917-919 999"
)
# nverror.h of the open kernel modules 595.45.04, reserved numbers left out, and what
# NVIDIA's Xid catalog has in use besides
XID_CODES = "8 11 13-14 16 19-23 25 27-29 31-48 54 56-90 92-110 119-176"


def test_codes_are_sorted_and_unique() -> None:
    keys = [(row["family"], row["code"]) for row in rows("codes")]
    assert len(keys) == len(set(keys))
    for family in {family for family, _ in keys}:
        codes = [code for found, code in keys if found == family]
        assert codes == sorted(codes)


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        ("nvml", "0-30 999"),
        ("cuda-driver", CUDA_DRIVER_CODES),
        ("cuda-runtime", CUDA_RUNTIME_CODES),
        ("xid", XID_CODES),
        ("nvidia-smi", "9 12 14-15 255"),
    ],
)
def test_no_code_of_the_headers_is_missing(family: str, wanted: str) -> None:
    for span in wanted.split():
        first, _, last = span.partition("-")
        for code in range(int(first), int(last or first) + 1):
            assert matrices().find_code(family, code) is not None, code


@every("forward_compat")
def test_forward_compatibility_leads_from_older_branches(name: str, row: Row) -> None:
    major, minor = row["cuda"].split(".")
    assert row["package"] == f"cuda-compat-{major}-{minor}"
    branches = {record["branch"]: record for record in rows("drivers")}
    assert branches[row["driver_branch"]]["cuda"] == row["cuda"]
    assert all(base < row["driver_branch"] for base in row["base_branches"])
    assert all(base > row["driver_branch"] for base in row["incompatible_branches"])
    assert set(row["base_branches"]) <= set(branches)


# The writer


def test_main_rewrites_a_table_in_order(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('{"sources": {}, "records": [{"b": 1, "a": [2]}]}')
    main([str(path)])
    assert path.read_text() == (
        '{\n  "records": [\n    {"a": [2], "b": 1}\n  ],\n  "sources": {}\n}\n'
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "table.json"), ("[]", "field records"), ('{"records": 1}', "field records")],
)
def test_damaged_table_names_file_and_field(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(MatrixError, match=message):
        read_table(path)


def test_missing_table_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match=r"none\.json"):
        read_table(tmp_path / "none.json")
