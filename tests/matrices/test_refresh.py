"""The refresh command against a small package index served on this machine."""

from __future__ import annotations

import http.server
import io
import json
import os
import struct
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.matrices import refresh
from fwdoctor.matrices.index_reader import (
    IndexReadError,
    MissingPageError,
    fetch,
    find_index_url,
    read_project,
)
from fwdoctor.matrices.pairs import refresh_pairs
from fwdoctor.matrices.wheel_reader import RangeFile, RemoteWheel, read_metadata

METADATA = """\
Metadata-Version: 2.1
Name: torch
Version: {version}
Requires-Dist: filelock
Requires-Dist: sympy>=1.13.3
Requires-Dist: nvidia-cudnn-cu12==9.10.2.21; platform_system == "Linux"
Requires-Dist: triton==3.5.1; platform_system == "Linux"
Requires-Dist: optree>=0.13; extra == "optree"
"""
VERSION_PY = "from typing import Optional\n\ncuda: Optional[str] = {cuda}\n"
PAGE_ROW = '<a href="../../files/{name}" data-upload-time="{day}T10:00:00Z">{name}</a>'


def fat_binary(*entries: tuple[int, int]) -> bytes:
    """One CUDA fat binary with empty entries of (kind, architecture)."""
    body = b"".join(
        struct.pack("<HHIQ", kind, 1, 64, 0).ljust(28, b"\0")
        + struct.pack("<I", arch).ljust(36, b"\0")
        for kind, arch in entries
    )
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def torch_wheel(version: str, *, cuda: str | None) -> bytes:
    """A wheel with the members the refresh opens, and nothing else."""
    members = {
        "torch/version.py": VERSION_PY.format(cuda=repr(cuda)).encode(),
        f"torch-{version}.dist-info/METADATA": METADATA.format(
            version=version
        ).encode(),
    }
    if cuda:
        members |= {
            "torch/lib/libtorch_python.so": b"\0GLIBC_2.28\0numpy._core\0"
            b"sm_70 sm_75 sm_120\0",
            "torch/lib/libc10.so": b"\0GLIBC_2.9\0" + bytes(3_000_000),
            "torch/lib/libtorch_cuda.so": bytes(70_000)
            + 3 * fat_binary((2, 70), (1, 120)),
        }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


class Index:
    """An index in memory: simple pages and files with byte ranges."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.pages: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.failures: list[int] = []
        self.has_ranges = True
        self.url = ""

    def add(self, project: str, name: str, data: bytes, *, day: str) -> None:
        self.files[f"/files/{name}"] = data
        row = PAGE_ROW.format(name=name, day=day)
        self.pages.setdefault(f"/simple/{project}/", []).append(row)

    def add_torch(self, version: str, *, day: str) -> None:
        tag = f"torch-{version}-cp312-cp312"
        linux = torch_wheel(version, cuda="12.8")
        self.add("torch", f"{tag}-manylinux_2_28_x86_64.whl", linux, day=day)
        other = torch_wheel(version, cuda=None)
        self.add("torch", f"{tag}-win_amd64.whl", other, day=day)
        self.add("torch", f"{tag}-macosx_11_0_arm64.whl", other, day=day)

    def answer(
        self, path: str, wanted: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((path, wanted))
        if self.failures:
            return self.failures.pop(), {}, b"busy"
        if path in self.pages:
            body = "<html>" + "\n".join(self.pages[path]) + "</html>"
            return 200, {"Content-Type": "text/html"}, body.encode()
        if path not in self.files:
            return 404, {}, b""
        data = self.files[path]
        if wanted is None or not self.has_ranges:
            return 200, {}, data
        first, last = map(int, wanted.removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(data)}"}, part


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    served = Index()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = served.answer(self.path, self.headers["Range"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr("fwdoctor.matrices.index_reader.time.sleep", lambda _: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"{served.url}/simple/")
        served.add_torch("2.9.1", day="2025-11-12")
        for name in ("torchvision", "torchaudio"):
            served.add(
                name, f"{name}-9.0-py3-none-any.whl", _companion(name), day="2025-11-12"
            )
        yield served
        server.shutdown()
        thread.join()


def _companion(name: str) -> bytes:
    stream = io.BytesIO()
    text = f"Name: {name}\nVersion: 9.0\nRequires-Dist: torch==2.9.1\n"
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}-9.0.dist-info/METADATA", text)
    return stream.getvalue()


def run(folder: Path, *arguments: str) -> int:
    return refresh.main(["torch", *arguments, "--matrices", str(folder)])


def read(folder: Path, version: str = "2.9.1") -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / f"torch/{version}.json").read_text())
    return record


def test_a_release_is_measured_from_its_wheels(index: Index, tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    record = read(tmp_path)
    assert record["released"] == "2025-11-12"
    assert record["python"] == ["3.12"]
    assert record["glibc_min"] == "2.28"  # 2.9 is older, though it sorts higher as text
    assert record["macos_min"] == "11.0"
    assert record["requires"] == {"sympy": ">=1.13.3"}
    assert record["triton"]["version"] == "3.5.1"
    assert record["companions"] == {"torchvision": ["9.0"], "torchaudio": ["9.0"]}
    assert record["numpy"]["numpy2"] == {"linux": True}
    default, cpu = record["variants"]
    assert default["variant"] == "cu128"
    assert default["cudnn"] == "9.10.2.21"
    assert default["compute_capabilities"] == ["7.0", "7.5", "12.0"]
    assert default["ptx"] == ["12.0"]
    assert default["nvidia_pins"] == {"nvidia-cudnn-cu12": "==9.10.2.21"}
    assert cpu["platforms"] == ["windows-x86_64", "macos-arm64"]
    assert cpu["cuda"] is None


def test_a_second_refresh_changes_no_byte(index: Index, tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / "torch/2.9.1.json").read_bytes()
    refresh_day = json.loads(before)["sources"][0]["retrieved"]
    text = before.decode().replace(refresh_day, "2020-02-02")
    (tmp_path / "torch/2.9.1.json").write_text(text)
    run(tmp_path, "2.9.1")
    assert (tmp_path / "torch/2.9.1.json").read_text() == text


def test_recorded_releases_are_skipped_and_a_new_one_is_found(
    index: Index, tmp_path: Path
) -> None:
    run(tmp_path)
    index.requests.clear()
    run(tmp_path)
    assert [path for path, _ in index.requests] == ["/simple/torch/"]
    index.add_torch("2.10.0", day="2026-01-21")
    run(tmp_path)
    assert read(tmp_path, "2.10.0")["released"] == "2026-01-21"
    assert "companions" in read(tmp_path, "2.10.0")


def test_authored_facts_stay_and_fill_gaps(index: Index, tmp_path: Path) -> None:
    run(tmp_path)
    record = read(tmp_path)
    record["authored"] = {
        "variants": [{"package": "torch", "variant": "cu126", "index": "elsewhere"}],
        "variant_facts": [
            {
                "package": "torch",
                "platforms": ["linux-x86_64", "windows-x86_64"],
                "facts": {"cudnn": "1.2.3", "cuda_full": "12.8.1"},
            }
        ],
        "sources": [],
    }
    (tmp_path / "torch/2.9.1.json").write_text(json.dumps(record))
    run(tmp_path, "2.9.1")
    after = read(tmp_path)
    assert after["authored"] == record["authored"]
    by_platform = {row["platforms"][0]: row for row in after["variants"]}
    assert by_platform["linux-x86_64"]["cudnn"] == "9.10.2.21"  # what was measured wins
    assert by_platform["linux-x86_64"]["cuda_full"] == "12.8.1"
    assert by_platform["windows-x86_64"]["cudnn"] == "1.2.3"
    assert "cudnn" not in by_platform["macos-arm64"]


def test_ptx_is_kept_when_it_is_not_read_again(index: Index, tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / "torch/2.9.1.json").read_bytes()
    index.requests.clear()
    run(tmp_path, "2.9.1", "--no-fat-binaries")
    assert (tmp_path / "torch/2.9.1.json").read_bytes() == before
    fields = [name for item in read(tmp_path)["sources"] for name in item["fields"]]
    assert "variants[torch/linux-x86_64].ptx" in fields


def test_a_version_that_is_not_published_is_a_usage_error(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "9.9.9") == 2
    assert "torch 9.9.9 is not on the index" in capsys.readouterr().err
    assert run(tmp_path, "nonsense") == 2
    assert not (tmp_path / "torch").exists()


def test_one_unreadable_release_does_not_stop_the_others(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "torch-2.10.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    index.add("torch", name, _companion("torchvision"), day="2026-01-21")
    assert run(tmp_path) == 3
    assert "torch/version.py" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "torch").iterdir()] == ["2.9.1.json"]


def test_a_busy_server_is_asked_again_and_a_missing_page_is_not(index: Index) -> None:
    index.failures = [503, 429]
    assert fetch(f"{index.url}/simple/torch/")[0].startswith(b"<html>")
    assert len(index.requests) == 3
    index.requests.clear()
    with pytest.raises(MissingPageError, match="absent"):
        fetch(f"{index.url}/simple/absent/")
    assert len(index.requests) == 1


def test_members_are_read_by_ranges(index: Index) -> None:
    data = index.files["/files/torch-2.9.1-cp312-cp312-manylinux_2_28_x86_64.whl"]
    name = "torch-2.9.1-cp312-cp312-manylinux_2_28_x86_64.whl"
    wheel = RemoteWheel(f"{index.url}/files/{name}", block_bytes=512)
    assert "cuda" in wheel.read_text("torch/version.py")
    assert wheel.bytes_read < len(data)
    assert wheel.find_strings("torch/lib/libtorch_python.so", r"sm_(\d+)") == {
        "70",
        "75",
        "120",
    }
    assert all(wanted for path, wanted in index.requests if path.startswith("/files"))


def test_a_range_file_reads_like_a_file(index: Index) -> None:
    data = bytes(range(256)) * 9
    index.files["/files/blob"] = data
    stream = io.BufferedReader(RangeFile(f"{index.url}/files/blob", block_bytes=100))
    assert stream.read() == data
    stream.seek(-5, io.SEEK_END)
    assert stream.read(99) == data[-5:]
    stream.seek(250)
    assert stream.read(120) == data[250:370]


def test_a_server_without_ranges_is_refused_before_it_sends_a_wheel(
    index: Index,
) -> None:
    index.has_ranges = False
    with pytest.raises(IndexReadError, match="byte ranges"):
        RangeFile(f"{index.url}/files/torch-2.9.1-cp312-cp312-win_amd64.whl")


def test_a_file_that_is_no_wheel_is_named(index: Index) -> None:
    index.files["/files/broken.whl"] = b"not a zip"
    with pytest.raises(IndexReadError, match=r"broken\.whl"):
        RemoteWheel(f"{index.url}/files/broken.whl")


def test_offered_metadata_is_preferred(index: Index) -> None:
    index.files["/files/a.whl.metadata"] = b"Name: a\n"
    assert read_metadata(f"{index.url}/files/a.whl", has_sidecar=True) == "Name: a\n"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"UV_DEFAULT_INDEX": "https://a/simple/"}, "https://a/simple"),
        ({"UV_INDEX_URL": "https://b/simple"}, "https://b/simple"),
        ({"PIP_INDEX_URL": "https://c"}, "https://c"),
    ],
)
def test_the_index_is_the_configured_one(
    environ: dict[str, str], expected: str
) -> None:
    assert find_index_url(environ) == expected


TENSORFLOW_METADATA = """\
Name: tensorflow
Version: 2.12.0
Requires-Dist: numpy<1.24,>=1.22
Requires-Dist: keras<2.13,>=2.12.0
Requires-Dist: tensorflow-intel==2.12.0; platform_system == "Windows"
Requires-Dist: nvidia-cudnn-cu11==8.6; extra == "and-cuda"
"""
BUILD_INFO = (
    "build_info = {'cuda_version': '11.8', 'cudnn_version': '8', 'is_cuda_build': True,"
    " 'cuda_compute_capabilities': ['sm_70', 'compute_80']}"
)


def tensorflow_wheel(metadata: str = TENSORFLOW_METADATA, /, **members: bytes) -> bytes:
    named = {name.replace("__", "/"): data for name, data in members.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("tensorflow-2.12.0.dist-info/METADATA", metadata)
        for name, data in named.items():
            archive.writestr(name, data)
    return stream.getvalue()


def add_tensorflow(index: Index) -> None:
    folder = "tensorflow/python/platform/build_info.py"
    gpu = tensorflow_wheel(
        **{
            folder: BUILD_INFO.encode(),
            "tensorflow/libtensorflow_framework.so.2": b"\0GLIBC_2.17\0",
            "tensorflow/python/client/_pywrap_tf_session.so": b"numpy.core._multiarray",
        }
    )
    intel = tensorflow_wheel(
        **{
            folder: b"build_info = {'is_cuda_build': False}",
            "tensorflow/python/client/_pywrap_tf_session.pyd": b"numpy._core",
        }
    )
    day = "2023-03-22"
    tag = "2.12.0-cp311-cp311"
    linux = f"tensorflow-{tag}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    index.add("tensorflow", linux, gpu, day=day)
    stub = tensorflow_wheel()
    index.add("tensorflow", f"tensorflow-{tag}-win_amd64.whl", stub, day=day)
    name = f"tensorflow_intel-{tag}-win_amd64.whl"
    index.add("tensorflow-intel", name, intel, day=day)
    keras = "tf_keras-2.12.0-py3-none-any.whl"
    index.add("tf-keras", keras, _companion("tf-keras"), day=day)


def test_a_tensorflow_release_with_its_siblings(index: Index, tmp_path: Path) -> None:
    add_tensorflow(index)
    assert refresh.main(["tensorflow", "--matrices", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "tensorflow/2.12.0.json").read_text())
    assert record["glibc_min"] == "2.17"
    assert record["numpy"] == {
        "spec": ">=1.22,<1.24",
        "numpy2": {"linux": False, "windows": True},
    }
    assert record["extras"] == {"and-cuda": {"nvidia-cudnn-cu11": "==8.6"}}
    assert record["companions"]["keras"] == [">=2.12.0,<2.13"]
    gpu, stub, intel = record["variants"]
    assert (gpu["variant"], gpu["cuda"], gpu["cudnn_major"]) == ("cu118", "11.8", 8)
    assert (gpu["compute_capabilities"], gpu["ptx"]) == (["7.0"], ["8.0"])
    assert stub["stub_for"] == "tensorflow-intel==2.12.0"
    assert (intel["package"], intel["variant"]) == ("tensorflow-intel", "cpu")


def test_wheels_of_one_release_may_ask_for_different_things(
    index: Index, tmp_path: Path
) -> None:
    add_tensorflow(index)
    older = TENSORFLOW_METADATA.replace("numpy<1.24,>=1.22", "numpy<1.24,>=1.20")
    name = "tensorflow-2.12.0-cp310-cp310-manylinux_2_17_x86_64.whl"
    index.add("tensorflow", name, tensorflow_wheel(older), day="2023-03-22")
    assert refresh.main(["tensorflow", "--matrices", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "tensorflow/2.12.0.json").read_text())
    assert record["numpy"]["spec"] == record["requires"]["numpy"]
    assert record["requires"]["numpy"] == [
        '>=1.22,<1.24; python_version >= "3.11"',
        '>=1.20,<1.24; python_version < "3.11"',
    ]
    assert record["requires"]["keras"] == ">=2.12.0,<2.13"
    (source,) = [
        item for item in record["sources"] if "one wheel a Python" in item["source"]
    ]
    assert "numpy.spec" in source["fields"]


def test_an_empty_sibling_stands_for_tensorflow(index: Index, tmp_path: Path) -> None:
    add_tensorflow(index)
    asked = 'Requires-Dist: tensorflow==2.12.0; platform_system == "Darwin"\n'
    name = "tensorflow_macos-2.12.0-cp311-cp311-macosx_12_0_arm64.whl"
    empty = tensorflow_wheel(f"Name: tensorflow-macos\n{asked}")
    index.add("tensorflow-macos", name, empty, day="2023-03-22")
    assert refresh.main(["tensorflow", "--matrices", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "tensorflow/2.12.0.json").read_text())
    assert record["variants"][-1]["package"] == "tensorflow-macos"
    assert record["variants"][-1]["stub_for"] == "tensorflow==2.12.0"


def test_upload_times_come_from_the_json_metadata_where_the_page_has_none(
    index: Index,
) -> None:
    index.pages["/simple/a/"] = ['<a href="../../files/a-1.tar.gz">a</a>']
    uploads = {
        "filename": "a-1.tar.gz",
        "upload_time_iso_8601": "2024-05-06T07:08:09Z",
        "yanked": True,
        "yanked_reason": "broken",
    }
    index.files["/pypi/a/json"] = json.dumps({"releases": {"1": [uploads]}}).encode()
    (item,) = read_project(f"{index.url}/simple", "a")
    assert (item.uploaded, item.yanked) == ("2024-05-06T07:08:09Z", "broken")
    del index.files["/pypi/a/json"]
    (item,) = read_project(f"{index.url}/simple", "a")
    assert (item.uploaded, item.yanked) == (None, None)


FAKE_UV = """\
#!/bin/sh
asked=$(cat)
case "$asked" in
*"tensorflow[and-cuda]==2.21.0"*) echo "nvidia-nccl-cu12 cannot agree" >&2; exit 1 ;;
*"[and-cuda]"*) echo nvidia-nccl-cu12==2.30; echo nvidia-nccl-cu13==2.30 ;;
esac
echo torch==2.11.0
echo numpy==2.4.6
"""


def write_release(folder: Path, framework: str, version: str, **facts: Any) -> None:
    record = {
        "framework": framework,
        "version": version,
        "prerelease": False,
        "released": "2026-03-01",
        "python": ["3.12"],
        "requires": {},
        "extras": {},
        "variants": [],
        **facts,
    }
    path = folder / framework / f"{version}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for uv")
def test_pairs_are_inferred_then_resolved_and_not_resolved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "package": "torch",
        "platforms": ["linux-x86_64"],
        "nvidia_pins": {"nvidia-nccl-cu12": "==2.27.5"},
    }
    write_release(tmp_path, "torch", "2.11.0", variants=[row])
    for version, spec in (("2.21.0", ">=2.27.7"), ("2.20.0", ">=2.25")):
        extras = {"and-cuda": {"nvidia-nccl-cu12": spec}}
        write_release(tmp_path, "tensorflow", version, extras=extras)
    said: list[str] = []
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    refresh_pairs(tmp_path, today="2026-11-21", say=said.append)
    path = tmp_path / "pairs/pypi.json"
    found = {
        (pair["tensorflow"], pair["extra"]): pair["outcome"]
        for pair in json.loads(path.read_text())["records"]
    }
    assert found == {
        ("2.20.0", None): "clean",
        ("2.20.0", "and-cuda"): "clean",
        ("2.21.0", None): "clean",
        ("2.21.0", "and-cuda"): "conflict",
    }
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(FAKE_UV)
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}{os.pathsep}/bin{os.pathsep}/usr/bin")
    refresh_pairs(tmp_path, today="2026-11-22", say=said.append)
    pairs = {
        (pair["tensorflow"], pair["extra"]): pair
        for pair in json.loads(path.read_text())["records"]
    }
    assert {pair["confidence"] for pair in pairs.values()} == {"measured"}
    assert pairs["2.20.0", "and-cuda"]["outcome"] == "clobber"
    assert pairs["2.20.0", None]["versions"] == {"numpy": "2.4.6"}
    assert pairs["2.21.0", "and-cuda"]["colliding"] == ["nvidia-nccl-cu12"]
    said.clear()
    before = path.read_bytes()
    refresh_pairs(tmp_path, today="2026-11-23", say=said.append)
    assert (path.read_bytes(), said) == (before, [])


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "version"),
    [("torch", "2.15.0"), ("torch", "1.8.1"), ("tensorflow", "2.20.0")],
)
def test_a_shipped_record_is_what_measuring_gives(
    framework: str, version: str, tmp_path: Path
) -> None:
    shipped = refresh.MATRICES / framework / f"{version}.json"
    copy = tmp_path / framework / f"{version}.json"
    copy.parent.mkdir()
    copy.write_bytes(shipped.read_bytes())
    arguments = [framework, version, "--no-fat-binaries", "--matrices", str(tmp_path)]
    assert refresh.main(arguments) == 0
    assert copy.read_text() == shipped.read_text()
