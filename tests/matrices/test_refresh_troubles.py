"""The refresh where the index, the disk or the person is in its way."""

from __future__ import annotations

import http.server
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fwdoctor.errors import MatrixError, UsageError
from fwdoctor.matrices import refresh
from fwdoctor.matrices.index_reader import IndexReadError, fetch, read_project
from fwdoctor.matrices.load import Matrices, find_matrices_folder
from fwdoctor.matrices.pack import dump_packed
from fwdoctor.matrices.record_file import read_record, write_text
from fwdoctor.matrices.wheel_reader import RemoteWheel

SHIPPED = find_matrices_folder()
TOMORROW = "torch-9.0.0-cp399-cp399-manylinux_2_40_x86_64.whl"
PROJECTS = ("torch", "torchvision", "torchaudio")
Reply = tuple[int, dict[str, str], bytes]


def zipped(members: dict[str, bytes]) -> bytes:
    """A wheel of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def torch_wheel(version: str, cuda: str) -> bytes:
    """What the refresh opens of a torch wheel."""
    return zipped(
        {
            "torch/version.py": f"cuda = {cuda!r}\n".encode(),
            f"torch-{version}.dist-info/METADATA": b"Name: torch\n",
            "torch/lib/libtorch_python.so": b"\0GLIBC_2.40\0sm_90 sm_990\0"
            + os.urandom(9000),
        }
    )


class Index:
    """An index with two releases of torch; `spoil` changes what it sends."""

    def __init__(self) -> None:
        self.url = ""
        self.delay_s = 0.0
        self.logins: list[str | None] = []
        self.spoil: Callable[[str, Reply], Reply] = lambda _path, reply: reply
        self.files = {
            TOMORROW: torch_wheel("9.0.0", "99.1"),
            "torch-8.0.0-cp312-cp312-manylinux_2_28_x86_64.whl": torch_wheel(
                "8.0.0", "12.8"
            ),
            **{
                f"{name}-9.0.0-py3-none-any.whl": zipped(
                    {f"{name}-9.0.0.dist-info/METADATA": b"Requires-Dist: torch==9.0.0"}
                )
                for name in PROJECTS[1:]
            },
        }

    def answer(self, path: str, wanted: str | None) -> Reply:
        """What is sent for a path and a Range header."""
        time.sleep(self.delay_s)
        name = path.rstrip("/").rpartition("/")[2]
        if name in PROJECTS:
            found = [file for file in self.files if file.startswith(f"{name}-")]
            rows = (
                f'<a href="/files/{file}" data-upload-time="2026-11-20T01:02:03Z">f</a>'
                for file in found
            )
            return self.spoil(path, (200, {"Content-Type": "text/html"}, _body(rows)))
        if name not in self.files:
            return 404, {}, b""
        data = self.files[name]
        first, last = map(int, (wanted or "=0-0").partition("=")[2].split("-"))
        size = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        return self.spoil(path, (206, size, data[first : last + 1]))


def _body(rows: Iterator[str]) -> bytes:
    return "\n".join(rows).encode()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    served = Index()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.logins.append(self.headers["Authorization"])
            status, headers, body = served.answer(self.path, self.headers["Range"])
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr("fwdoctor.matrices.index_reader.time.sleep", lambda _: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}/simple"
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
        yield served
        server.shutdown()
        thread.join()


def run(folder: Path) -> int:
    return refresh.main(["torch", "--matrices", str(folder)])


def files_of(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def spoil_pages(body: bytes, kind: str) -> Callable[[str, Reply], Reply]:
    """Send another page than the index page of a project."""

    def spoil(path: str, reply: Reply) -> Reply:
        is_page = path.startswith("/simple/")
        return (200, {"Content-Type": kind}, body) if is_page else reply

    return spoil


JSON_PAGE = "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b'<a href="/login">log in</a>', "text/html", "no wheel on it"),
        (b"", "text/html", "no files on the page"),
        (b'{"files": [', JSON_PAGE, "not an index page"),
        (b'{"files": [{"x": 1}]}', JSON_PAGE, "not an index page"),
        (b"[]", JSON_PAGE, "not an index page"),
        (b'{"files": [{"filename": 5, "url": 5}]}', JSON_PAGE, "not an index page"),
    ],
)
def test_a_page_that_is_no_index_is_told(
    index: Index,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    body: bytes,
    kind: str,
    told: str,
) -> None:
    index.spoil = spoil_pages(body, kind)
    assert run(tmp_path) == 3
    assert told in capsys.readouterr().err


def cut_wheel(path: str, reply: Reply) -> Reply:
    """Half of what was asked of tomorrow's wheel."""
    status, headers, body = reply
    is_cut = path.endswith(TOMORROW) and len(body) > 1
    return (status, headers, body[: len(body) // 2]) if is_cut else reply


def break_off(path: str, reply: Reply) -> Reply:
    """The connection ends in the middle of tomorrow's wheel."""
    status, headers, body = cut_wheel(path, reply)
    return status, {**headers, "Content-Length": str(len(reply[2]))}, body


def change_bytes(path: str, reply: Reply) -> Reply:
    """Nothing but zeros in the middle of tomorrow's wheel."""
    status, headers, body = reply
    if not path.endswith(TOMORROW) or len(body) < 3000:
        return reply
    return status, headers, body[:400] + bytes(len(body) - 1400) + body[-1000:]


def hide_size(path: str, reply: Reply) -> Reply:
    """A server that does not tell how large tomorrow's wheel is."""
    status, _, body = reply
    return (status, {}, body) if path.endswith(TOMORROW) else reply


@pytest.mark.parametrize("spoil", [cut_wheel, break_off, change_bytes, hide_size])
def test_a_spoilt_wheel_is_named_and_the_others_are_measured(
    index: Index,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[str, Reply], Reply],
) -> None:
    index.spoil = spoil
    assert run(tmp_path) == 3
    told = capsys.readouterr().err
    assert TOMORROW in told.partition("torch 8.0.0")[0].split("\n", 4)[-1]
    assert "error: torch 9.0.0: not measured" in told
    assert files_of(tmp_path) == {"torch/8.0.0.json", "whole/facts.json"}
    assert (tmp_path / "whole/facts.json").read_text() == dump_packed(tmp_path)
    index.spoil = lambda _path, reply: reply
    assert run(tmp_path) == 0
    assert "torch/9.0.0.json" in files_of(tmp_path)


@pytest.mark.parametrize("member", ["damaged", "absent"])
def test_a_member_is_named(index: Index, member: str) -> None:
    body = zipped({"damaged": os.urandom(5000)})
    index.files[TOMORROW] = body[:100] + bytes(100) + body[200:]
    wheel = RemoteWheel(index.url.replace("simple", f"files/{TOMORROW}"))
    with pytest.raises(IndexReadError, match=rf"{TOMORROW}`: {member}: "):
        wheel.read_text(member)
    with pytest.raises(IndexReadError, match=rf"{TOMORROW}`: {member}: "):
        list(wheel.iter_chunks(member))


def test_an_index_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fwdoctor.matrices.index_reader.time.sleep", lambda _: None)
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}/simple"
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        assert run(tmp_path) == 3
    told = capsys.readouterr().err
    assert "refused" in told
    assert "check the network" in told
    assert "secret" not in told


def test_a_login_goes_to_its_server_alone(index: Index) -> None:
    url = index.url.replace("//", "//me:s%40crét@")
    found = read_project(url, "torch")
    assert {item.url.partition("@")[0] for item in found} == {"http://me:s%40crét"}
    fetch(found[0].url, {"Range": "bytes=0-0"})
    logins = {b64decode((said or "")[6:]).decode() for said in index.logins}
    assert logins == {"me:s@crét"}
    index.logins.clear()
    elsewhere = b'<a href="http://localhost:1/x.whl">x</a>'
    index.spoil = spoil_pages(elsewhere, "text/html")
    assert read_project(url, "torch")[0].url == "http://localhost:1/x.whl"
    assert read_project(index.url, "torch")
    assert index.logins[-1] is None


def test_a_login_is_not_sent_where_a_server_points_to(index: Index) -> None:
    def move(path: str, reply: Reply) -> Reply:
        if path.startswith("/simple/torch/"):
            return 302, {"Location": f"{index.url}/torchaudio/"}, b""
        return reply

    index.spoil = move
    fetch(index.url.replace("//", "//me:secret@") + "/torch/")
    assert [bool(said) for said in index.logins] == [True, False]


def test_tomorrows_release_with_unheard_of_cuda(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cuda", "nvidia", "pairs"):
        shutil.copytree(SHIPPED / name, tmp_path / name)
    assert run(tmp_path) == 0
    told = capsys.readouterr().err
    assert "torch 9.0.0: CUDA 99.1 is not in cuda/toolkits.json yet" in told
    assert "compute capability 99.0 is not in nvidia/architectures.json" in told
    assert "torch 8.0.0: CUDA" not in told
    release = Matrices(tmp_path).find_release("torch", "9.0.0")
    assert release is not None
    assert release.python == ("3.99",)
    assert (str(release.variants[0].cuda), release.variants[0].variant) == (
        "99.1",
        "cu991",
    )
    assert release.companions == {"torchvision": ("9.0.0",), "torchaudio": ("9.0.0",)}


START = """
import resource, signal, sys
from fwdoctor.matrices import refresh
signal.signal(signal.SIGINT, signal.default_int_handler)
folder, limit = sys.argv[1:]
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
sys.exit(refresh.main(["torch", "--matrices", folder]))
"""


def start(folder: Path, *, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """The refresh as its own process, which cannot write larger files than this."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(folder), str(limit_bytes or "")],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupted_refresh_goes_on_later(index: Index, tmp_path: Path) -> None:
    index.delay_s = 0.05
    with start(tmp_path) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line == "torch 9.0.0: written\n":
                child.send_signal(signal.SIGINT)
                break
        rest = child.stderr.read()
    assert child.returncode == 130
    assert "the same command goes on" in rest
    assert "Traceback" not in rest
    assert files_of(tmp_path) == {"torch/9.0.0.json"}
    before = (tmp_path / "torch/9.0.0.json").stat().st_mtime_ns
    assert run(tmp_path) == 0
    assert (tmp_path / "torch/9.0.0.json").stat().st_mtime_ns == before
    assert "torch/8.0.0.json" in files_of(tmp_path)


def test_a_reader_who_leaves_does_not_stop_it(index: Index, tmp_path: Path) -> None:
    with start(tmp_path) as child:
        assert child.stderr is not None
        child.stderr.readline()
        child.stderr.close()
    assert child.returncode == 0
    assert {"torch/8.0.0.json", "torch/9.0.0.json"} < files_of(tmp_path)


def test_two_at_once_write_the_same(index: Index, tmp_path: Path) -> None:
    children = [start(tmp_path) for _ in range(2)]
    for child in children:
        child.communicate(timeout=60)
    assert [child.returncode for child in children] == [0, 0]
    assert files_of(tmp_path) == {
        *("torch/8.0.0.json", "torch/9.0.0.json", "whole/facts.json")
    }
    assert (tmp_path / "whole/facts.json").read_text() == dump_packed(tmp_path)


def test_a_full_disk_is_told_and_leaves_no_half_of_a_file(
    index: Index, tmp_path: Path
) -> None:
    child = start(tmp_path, limit_bytes=500)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 2
    assert f"error: {tmp_path / 'torch/9.0.0.json'}: File too large" in told
    assert "Traceback" not in told
    assert files_of(tmp_path) == set()


def test_a_framework_that_fails_does_not_stop_the_other(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh.main(["--matrices", str(tmp_path)]) == 3
    told = capsys.readouterr().err
    assert "torch 9.0.0: written" in told
    assert "error: no page" in told
    assert files_of(tmp_path) > {"torch/9.0.0.json", "whole/facts.json"}
    index.spoil = spoil_pages(b"", "text/html")
    assert refresh.main(["--matrices", str(tmp_path)]) == 3
    assert "tensorflow: reading the index" in capsys.readouterr().err


def test_without_uv_pairs_stay_inferred_and_it_is_said_once(
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("torch/2.9.1", "torch/2.10.0", "tensorflow/2.20.0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SHIPPED / f"{name}.json", tmp_path / f"{name}.json")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(refresh, "_today", lambda: "2026-11-21")
    assert refresh.main(["torch", "--pairs", "--matrices", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert told.count("uv") == 1
    assert "pairs that are inferred stay so" in told
    rows = json.loads((tmp_path / "pairs/pypi.json").read_text())["records"]
    assert {row["confidence"] for row in rows} == {"inferred"}
    assert {row["torch"] for row in rows} >= {"2.9.1", "2.10.0"}


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.mkdir()
    with pytest.raises(UsageError, match=r"record\.json: "):
        write_text(path, "{}")
    assert [item.name for item in tmp_path.iterdir()] == ["record.json"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        write_text(tmp_path / "file" / "record.json", "{}")


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="takes another user's place"
)
def test_a_folder_that_cannot_be_written_is_told_before_any_request(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.seteuid(65534)
    try:
        assert run(tmp_path) == 2
    finally:
        os.seteuid(0)
    assert "Permission denied" in capsys.readouterr().err
    assert index.logins == []


def test_a_folder_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "typo") == 2
    assert "typo: No such file or directory" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variants", 5),
        ("variants", [{"package": "torch", "platforms": ["linux-x86_64"]}]),
        ("sources", [{"source": "x"}]),
        ("prerelease", None),
        ("extras", {"and-cuda": 5}),
        ("authored", {"variant_facts": [{"package": "torch"}]}),
        ("authored", []),
    ],
)
def test_a_damaged_record_is_told_before_any_request(
    index: Index,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    field: str,
    value: object,
) -> None:
    record = json.loads((SHIPPED / "torch/2.9.1.json").read_text())
    write_text(tmp_path / "torch/2.9.1.json", json.dumps({**record, field: value}))
    assert run(tmp_path) == 3
    told = capsys.readouterr().err
    assert f"{tmp_path / 'torch/2.9.1.json'}: field {field}" in told
    assert "remove it to have it made again" in told
    assert index.logins == []


def test_a_damaged_pair_is_told_before_any_request(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads((SHIPPED / "pairs/pypi.json").read_text())
    data["records"][1]["torch"] = "new"
    write_text(tmp_path / "pairs/pypi.json", json.dumps(data))
    assert run(tmp_path) == 3
    assert "pypi.json: field records[1].torch: " in capsys.readouterr().err


def test_an_unreadable_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    with pytest.raises(MatrixError, match=r"record\.json: Is a directory"):
        read_record(tmp_path / "record.json")


def test_the_shipped_folder_passes(index: Index, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("messages", "schema")
    shutil.copytree(SHIPPED, tmp_path / "matrices", ignore=ignored)
    assert run(tmp_path / "matrices") == 0
