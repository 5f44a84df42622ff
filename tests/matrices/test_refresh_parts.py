"""The pure parts of the refresh: names, requirements, build settings, pairs."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fwdoctor.errors import MatrixError
from fwdoctor.matrices.companions import Companion, companions_of
from fwdoctor.matrices.conda_pairs import infer_conda_pair
from fwdoctor.matrices.fat_binaries import FatBinaryCode, iter_fat_binaries, own_code
from fwdoctor.matrices.index_reader import (
    IndexFile,
    parse_simple_html,
    parse_simple_json,
)
from fwdoctor.matrices.measure_requirements import join_requirements
from fwdoctor.matrices.measure_tensorflow import (
    describe_build,
    is_of_release,
    parse_build_info,
)
from fwdoctor.matrices.measure_torch import read_cuda_version
from fwdoctor.matrices.measurement import (
    cuda_facts,
    describe_files,
    dotted_capability,
    merge_platforms,
    row_name,
    sort_capabilities,
    split_platforms,
)
from fwdoctor.matrices.pairs import Asked, find_clobbers, find_conflicts, infer_pair
from fwdoctor.matrices.record_file import dump_record, read_record, write_text
from fwdoctor.matrices.requirements_of import (
    gpu_extras,
    parse_requirements,
    pins_on,
    spec_of,
    specs_by_name,
    split_extras,
)
from fwdoctor.matrices.wheel_names import parse_wheels

Json = dict[str, Any]

BUILD_INFO_2_21 = """\
import collections

build_info = collections.OrderedDict([('cpu_compiler', 'clang'), \
('cuda_compute_capabilities', ['sm_60', 'sm_89', 'compute_90']), \
('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True), \
('is_rocm_build', False)])
"""
BUILD_INFO_2_3 = "build_info = {'cuda_version': '10.1', 'is_cuda_build': True}\n"
BUILD_INFO_WINDOWS = """\
build_info = collections.OrderedDict([('cuda_version', '64_112'), \
('cudart_dll_name', 'cudart64_112.dll'), ('cudnn_version', '64_8'), \
('is_cuda_build', True)])
"""
BUILD_INFO_1_15 = """\
is_rocm_build = False
is_cuda_build = True

cuda_version_number = '10'
cudnn_version_number = '7'
"""


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (
            "torch-2.9.1-cp312-cp312-manylinux_2_28_x86_64.whl",
            ("linux-x86_64", "3.12", False, "2.28", None, None),
        ),
        (
            "torch-2.9.1-cp313-cp313t-win_amd64.whl",
            ("windows-x86_64", "3.13", True, None, None, None),
        ),
        (
            "torch-2.9.1-cp310-none-macosx_11_0_arm64.whl",
            ("macos-arm64", "3.10", False, None, "11.0", None),
        ),
        (
            "torch-2.10.0-3-cp314-cp314-manylinux_2_28_aarch64.whl",
            ("linux-aarch64", "3.14", False, "2.28", None, "3"),
        ),
        (
            "tensorflow-2.20.0-cp39-cp39-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            ("linux-x86_64", "3.9", False, "2.17", None, None),
        ),
        (
            "torch-1.0.0-cp27-cp27mu-manylinux1_x86_64.whl",
            ("linux-x86_64", "2.7", False, "2.5", None, None),
        ),
    ],
)
def test_wheel_names_tell_platform_python_and_floors(
    filename: str, expected: tuple[object, ...]
) -> None:
    (wheel,) = parse_wheels([IndexFile(filename=filename, url="")])
    assert expected == (
        wheel.platform,
        wheel.python,
        wheel.is_free_threaded,
        wheel.glibc_tag,
        wheel.macos_min,
        wheel.build_tag,
    )


@pytest.mark.parametrize(
    "filename",
    [
        "torch-1.0.tar.gz",
        "nonsense.whl",
        "torch-1.0-py3-none-any.whl",
        "torch-1.0-cp39-cp39-musllinux_1_1_riscv64.whl",
        "torch-1.7.0-cp38-cp38m-win_amd64.whl",  # no Python has this ABI
    ],
)
def test_other_files_are_left_out(filename: str) -> None:
    assert parse_wheels([IndexFile(filename=filename, url="")]) == ()


def test_yanks_and_later_uploads_are_told_apart() -> None:
    names = {
        "torch-2.10.0-cp313-cp313-macosx_11_0_arm64.whl": "2026-01-21",
        "torch-2.10.0-2-cp313-cp313-macosx_11_0_arm64.whl": "2026-02-10",
        "torch-2.10.0-cp313-cp313t-manylinux_2_28_x86_64.whl": "2026-01-22",
    }
    files = [
        IndexFile(filename=name, url="", uploaded=f"{day}T00:00:00Z", yanked="broken")
        for name, day in names.items()
    ]
    facts = describe_files("torch", Version("2.10.0"), parse_wheels(files)).facts
    assert facts["released"] == "2026-01-21"
    assert facts["yanked"] == "broken"
    assert facts["reuploads"] == [
        {"build_tag": "2", "date": "2026-02-10", "what": "new files for macos-arm64"}
    ]
    assert (facts["python"], facts["python_free_threaded"]) == ([], ["3.13"])
    kept = [*files, IndexFile(filename=next(iter(names)), url="", yanked=None)]
    facts = describe_files("torch", Version("2.10.0"), parse_wheels(kept)).facts
    assert facts["yanked"] is None


def test_html_pages_give_times_yanks_and_metadata() -> None:
    page = (
        '<a href="../../p/a%2B1-py3-none-any.whl#sha256=00" data-yanked="bad &amp; old"'
        ' data-upload-time="2025-01-02T03:04:05Z" data-core-metadata="sha256=1">a</a>'
    )
    (item,) = parse_simple_html(page, "https://index/simple/a/")
    assert item == IndexFile(
        filename="a+1-py3-none-any.whl",
        url="https://index/p/a%2B1-py3-none-any.whl",
        uploaded="2025-01-02T03:04:05Z",
        yanked="bad & old",
        has_metadata=True,
    )


def test_json_pages_are_read_alike() -> None:
    page = {
        "files": [
            {
                "filename": "a.whl",
                "url": "/p/a.whl",
                "yanked": True,
                "upload-time": "x",
            },
            {"filename": "b.whl", "url": "https://h/b.whl", "yanked": False},
        ]
    }
    first, second = parse_simple_json(json.dumps(page), "https://index/simple/a/")
    assert (first.url, first.yanked, first.uploaded) == (
        "https://index/p/a.whl",
        "",
        "x",
    )
    assert (second.yanked, second.has_metadata) == (None, False)


def test_requirements_are_split_by_extra_and_platform() -> None:
    requirements = (
        "numpy",
        'nvidia-cudnn-cu12 (==9.1) ; platform_machine == "x86_64"',
        'cuda-bindings<14,>=13; python_version < "3.15"',
        "scipy==1.2; python_version < '3'",
        "scipy==1.4; python_version >= '3'",
        "nvidia_nccl_cu12==2; extra == 'and-cuda'",
        "pytest>=1; extra == 'test'",
        "this is not a requirement",
    )
    metadata = "\n".join(f"Requires-Dist: {text}" for text in requirements)
    base, extras = split_extras(parse_requirements(metadata))
    assert gpu_extras(extras) == {"and-cuda": {"nvidia-nccl-cu12": "==2"}}
    assert spec_of(base, "numpy") == ""
    assert spec_of(base, "h5py") is None
    assert specs_by_name(base)["scipy"] == [
        '==1.2; python_version < "3"',
        '==1.4; python_version >= "3"',
    ]
    nvidia = [
        item for item in base if item.name in ("nvidia-cudnn-cu12", "cuda-bindings")
    ]
    assert pins_on(nvidia, "linux-x86_64", ["3.14", "3.15"]) == {
        "nvidia-cudnn-cu12": "==9.1",
        "cuda-bindings": ">=13,<14",
    }
    assert pins_on(nvidia, "linux-aarch64", ["3.15"]) == {}


def test_what_not_every_python_asks_for_names_its_pythons() -> None:
    asked = {
        "2.7": ["numpy>=1", "mock>=2"],
        "3.9": ["numpy>=1", "h5py<3.15", "tqdm>=4; os_name == 'nt' and extra == 'a'"],
        "3.10": ["numpy>=1", "h5py<3.15", "nvidia-nccl-cu12==2; extra == 'gpu'"],
        "3.14": ["numpy>=1", "h5py~=3.15", "wrapt"],
    }
    joined = join_requirements(
        {python: map(Requirement, texts) for python, texts in asked.items()}
    )
    base, extras = split_extras(joined)
    assert specs_by_name(base) == {
        "h5py": [
            '~=3.15; python_version >= "3.14"',
            '<3.15; python_version == "3.9" or python_version == "3.10"',
        ],
        "mock": '>=2; python_version < "3.9"',
        "numpy": ">=1",
    }
    assert spec_of(base, "wrapt") == '; python_version >= "3.14"'
    assert gpu_extras(extras) == {
        "gpu": {"nvidia-nccl-cu12": '==2; python_version == "3.10"'}
    }
    assert [str(item.marker) for item in extras["a"]] == [
        'python_version == "3.9" and (os_name == "nt" and extra == "a")'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            BUILD_INFO_2_21,
            {
                "variant": "cu125",
                "cuda": "12.5",
                "cuda_full": "12.5.1",
                "cuda_major": 12,
                "cudnn_major": 9,
                "compute_capabilities": ["6.0", "8.9"],
                "ptx": ["9.0"],
            },
        ),
        (BUILD_INFO_2_3, {"variant": "cu101", "cuda": "10.1", "cuda_major": 10}),
        (BUILD_INFO_1_15, {"cuda_major": 10, "cudnn_major": 7}),
        ("is_cuda_build = False\n", {"variant": "cpu", "cuda": None}),
        (
            BUILD_INFO_WINDOWS,
            {"variant": "cu112", "cuda": "11.2", "cuda_major": 11, "cudnn_major": 8},
        ),
        ("build_info = {'is_cuda_build': True}", {}),
        ("build_info = {'is_rocm_build': True}", {"variant": "rocm", "cuda": None}),
    ],
)
def test_build_info_of_every_age(text: str, expected: dict[str, object]) -> None:
    assert describe_build(parse_build_info(text)) == expected


@pytest.mark.parametrize(
    ("published", "release", "belongs"),
    [
        ("2.14.0", "2.14.0", True),
        ("2.14.0.600", "2.14.0", True),
        ("2.14.0.600", "2.14.0rc0", False),
        ("2.14.1", "2.14.0", False),
        ("2.15.0.post1", "2.15.0", False),
    ],
)
def test_rocm_wheels_carry_a_fourth_number(
    published: str, release: str, belongs: bool
) -> None:
    assert is_of_release(Version(published), Version(release)) is belongs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n", "13.2"),
        ("debug = False\ncuda = '10.2'\n", "10.2"),
        ("cuda: Optional[str] = None\n", None),
    ],
)
def test_cuda_in_version_py(text: str, expected: str | None) -> None:
    assert read_cuda_version(text) == expected


def test_cuda_is_two_numbers_and_keeps_the_third_apart() -> None:
    assert cuda_facts("9.0.176") == {
        "cuda": "9.0",
        "variant": "cu90",
        "cuda_full": "9.0.176",
    }
    assert cuda_facts("12.8") == {"cuda": "12.8", "variant": "cu128"}


def test_capabilities_sort_as_numbers() -> None:
    listed = map(dotted_capability, ["120", "90a", "90", "86", "100"])
    assert sort_capabilities(listed) == ["8.6", "9.0", "9.0a", "10.0", "12.0"]


def test_equal_rows_are_joined_and_parted_again() -> None:
    rows = [
        {"package": "torch", "index": "pypi", "cuda": None, "platforms": [name]}
        for name in ("windows-x86_64", "macos-arm64")
    ]
    joined = merge_platforms(rows)
    assert [row["platforms"] for row in joined] == [["windows-x86_64", "macos-arm64"]]
    assert split_platforms(joined) == rows


def test_variant_rows_have_names() -> None:
    row = {"package": "torch", "variant": "cu128", "index": "pypi", "platforms": ["p"]}
    assert row_name(row) == "torch/p"
    assert row_name({**row, "index": "https://elsewhere"}) == "@cu128/p"


def fat_binary(entries: list[tuple[int, int, bytes]]) -> bytes:
    body = b""
    for kind, arch, payload in entries:
        head = struct.pack("<HHIQ", kind, 1, 64, len(payload)).ljust(28, b"\0")
        body += (head + struct.pack("<I", arch)).ljust(64, b"\0") + payload
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_fat_binaries_are_found_however_the_stream_is_cut(size: int) -> None:
    own = fat_binary([(2, 50, b"x" * 90), (1, 50, b"y" * 33)])
    linked = fat_binary([(2, 35, b"z")])
    data = b"\0" * 100 + own + b"\xed\x50\xba" + linked + linked + own[:20]
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = list(iter_fat_binaries(pieces))
    assert [(set(c.machine_code), set(c.ptx)) for c in found] == [
        ({50}, {50}),
        ({35}, set()),
        ({35}, set()),
    ]
    # The linked library is more frequent; PTX tells the framework's own kernels.
    assert own_code(found) == FatBinaryCode(
        machine_code=frozenset({50}), ptx=frozenset({50})
    )


def test_a_magic_number_by_chance_is_passed_over() -> None:
    chance = struct.pack("<IHHQ", 0xBA55ED50, 7, 16, 10) + b"\0" * 40
    assert list(iter_fat_binaries([chance])) == []
    assert own_code([]) is None


def companion(version: str, day: str, spec: str | None) -> Companion:
    asked = None if spec is None else SpecifierSet(spec)
    return Companion(version=Version(version), uploaded=day, spec=asked, filename="")


def test_companions_bound_and_open_ended() -> None:
    known = [
        companion("0.28.0", "2026-07-08", "==2.13.0"),
        companion("0.29.0", "2026-09-02", "==2.14.0"),
        companion("0.29.1", "2026-09-30", ">=2.14.0"),
        companion("0.29.2", "2026-10-28", ">=2.14.0"),
    ]
    expected = {
        ("2.13.0", "2026-07-08"): ["0.28.0"],
        ("2.14.0", "2026-09-02"): ["0.29.0"],
        ("2.14.1", "2026-09-30"): ["0.29.1"],
        ("2.15.0", "2026-10-28"): ["0.29.2"],
        ("2.0.0", "2023-03-15"): [],
    }
    for (version, day), companions in expected.items():
        assert companions_of(Version(version), day, known) == companions


def test_a_series_bound_companion_serves_its_series() -> None:
    known = [
        companion("2.15.0", "2023-11-07", None),
        companion("2.21.0", "2026-03-18", ">=2.21,<2.22"),
    ]
    assert companions_of(Version("2.21.1"), "2026-05-01", known) == ["2.21.0"]
    assert companions_of(Version("2.22.0"), "2026-12-01", known) == []


def asked(framework: str, **specs: str) -> Asked:
    named = {name.replace("_", "-"): spec for name, spec in specs.items()}
    return Asked(framework=framework, version="1", pythons=("3.12",), specs=named)


def test_pins_apart_are_a_conflict_and_two_majors_a_clobber() -> None:
    torch12 = asked(
        "torch", nvidia_nccl_cu12="==2.27.5", nvidia_cudnn_cu12="==9.10.2.21"
    )
    torch13 = asked("torch", nvidia_nccl_cu13="==2.30.7", nvidia_nvtx_cu13="==13.0")
    newer = asked("tensorflow", nvidia_nccl_cu12=">=2.27.7,<3", nvidia_nvtx_cu12=">=12")
    older = asked("tensorflow", nvidia_nccl_cu12=">=2.25.1,<3")
    conflict = infer_pair(torch12, newer, "and-cuda")
    assert conflict is not None
    assert (conflict["outcome"], conflict["colliding"]) == (
        "conflict",
        ["nvidia-nccl-cu12"],
    )
    clobber = infer_pair(torch13, newer, "and-cuda")
    assert clobber is not None
    assert clobber["outcome"] == "clobber"
    assert clobber["colliding"] == ["nvidia-nccl-cu12", "nvidia-nccl-cu13"]
    clean = infer_pair(torch12, older, "and-cuda")
    assert clean is not None
    assert (clean["outcome"], clean["colliding"]) == ("clean", [])


def conda_release(version: str, *builds: Json) -> Json:
    row = {
        "channel": "conda-forge",
        "platforms": ["linux-x86_64"],
        "python": ["3.12"],
    }
    rows = [{"build": f"cuda{b['cuda']}*", **row, **b} for b in builds]
    return {"version": version, "authored": {"conda": rows}}


NEW = {"cudnn": "9", "libabseil": "20250512", "libprotobuf": "6.31.1"}
OLD = {"cudnn": "9", "libabseil": "20240722", "libprotobuf": "5.28.3"}


@pytest.mark.parametrize(
    ("cuda", "pins", "expected"),
    [
        pytest.param("12.9", [NEW], ("clean", []), id="alike"),
        pytest.param("12.9", [OLD, NEW], ("clean", []), id="one-rebuild-alike"),
        pytest.param(
            "12.9", [OLD], ("conflict", ["libabseil", "libprotobuf"]), id="apart"
        ),
        pytest.param("13.0", [NEW], ("conflict", ["cuda-version"]), id="two-majors"),
        pytest.param("12.9", [], ("unknown", []), id="no-pins"),
        pytest.param(
            "12.9", [{"libprotobuf": "6.31.1"}], ("unknown", []), id="half-known"
        ),
        pytest.param(
            "12.9",
            [{"cudnn": "9", "libprotobuf": "6.31.1"}],
            ("clean", []),
            id="libabseil-by-way-of-libprotobuf",
        ),
        pytest.param(
            "12.9",
            [{**NEW, "platforms": ["linux-aarch64"]}],
            ("unknown", []),
            id="pins-of-another-platform",
        ),
    ],
)
def test_conda_builds_are_judged_by_cuda_and_pins(
    cuda: str, pins: list[Json], expected: tuple[str, list[str]]
) -> None:
    torch = conda_release("2.9.1", {"cuda": cuda, "pins": pins})
    tensorflow = conda_release("2.19.1", {"cuda": "12.8", "pins": [NEW]})
    pair = infer_conda_pair(torch, tensorflow, "linux-x86_64")
    assert pair is not None
    assert (pair["outcome"], pair["colliding"]) == expected
    named = [{"torch": f"cuda{cuda}*", "tensorflow": "cuda12.8*"}]
    assert pair["builds"] == (named if expected[0] == "clean" else [])


def test_of_several_conda_builds_the_best_decide() -> None:
    older = {"cuda": "12.0", "pins": [OLD], "python": ["3.9", "3.12"]}
    newer = {"cuda": "12.9", "pins": [NEW], "python": ["3.10", "3.12"]}
    foreign = {"cuda": "12.9", "pins": [NEW], "channel": "defaults"}
    cpu = {"cuda": None, "pins": [NEW]}
    torch = conda_release("2.9.1", older, newer, foreign, cpu)
    tensorflow = conda_release("2.19.1", {**newer, "python": ["3.9", "3.10"]})
    pair = infer_conda_pair(torch, tensorflow, "linux-x86_64")
    assert pair is not None
    assert pair["builds"] == [{"torch": "cuda12.9*", "tensorflow": "cuda12.9*"}]
    assert pair["python"] == ["3.10"]
    assert infer_conda_pair(torch, tensorflow, "linux-aarch64") is None
    assert infer_conda_pair(torch, conda_release("2.20.0"), "linux-x86_64") is None


def test_pairs_without_a_shared_python_are_left_out() -> None:
    old = Asked(framework="torch", version="1", pythons=("3.8",), specs={})
    assert infer_pair(old, asked("tensorflow"), None) is None


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        (">=4.10", ">=3.6.6", True),
        (">=4.10", ">=3.6.6,<4.6.0", False),
        ("==1.13.1", ">=1.13.3", False),
        (">=1.26", "<2.1,>=1.26.0", True),
        ("~=1.19.2", ">=1.19,<1.20", True),
        ("", ">=1", True),
        (">1.0", "<1.1", True),
    ],
)
def test_specifiers_that_can_agree(first: str, second: str, agree: bool) -> None:
    assert (find_conflicts({"a": first}, {"a": second}) == []) is agree


def test_only_packages_that_share_a_folder_clobber() -> None:
    assert find_clobbers({"nvidia-cublas-cu12": ""}, {"nvidia-cublas-cu13": ""}) == []
    assert find_clobbers({"nvidia-cudnn-cu12": ""}, {"nvidia-cudnn-cu12": ""}) == []


def test_records_are_written_sorted_with_short_lists_on_a_line() -> None:
    text = dump_record({"b": [1, 2], "a": {"é": None}, "c": ["x" * 99, "y" * 99]})
    assert text.startswith('{\n  "a": {"é": null},\n  "b": [1, 2],\n  "c": [\n    "x')
    assert text.endswith("\n")
    assert dump_record(json.loads(text)) == text


def test_a_record_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "1.0.json"
    assert read_record(path) is None
    write_text(path, "{}\n")
    write_text(path, '{"a": 1}\n')
    assert read_record(path) == {"a": 1}
    assert [item.name for item in path.parent.iterdir()] == ["1.0.json"]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "1.0.json"
    path.write_text(text)
    with pytest.raises(MatrixError, match=r"1\.0\.json"):
        read_record(path)
