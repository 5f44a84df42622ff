"""A libcuda of the image before the driver's, and one installation seen twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fwdoctor.cli import make_app
from fwdoctor.image.driver_library import find_first_libcuda
from fwdoctor.image.reading import Request, open_image
from tests.image.pack import Entry, Image, layer, write_docker

TORCH = "opt/venv/lib/python3.12/site-packages/torch"
CUDA = "usr/local/cuda-12.4"
FILES: dict[str, Entry | str | bytes] = {
    "etc/os-release": "ID=ubuntu\nPRETTY_NAME=Ubuntu\n",
    "opt/venv/pyvenv.cfg": "version = 3.12.4\n",
    "opt/venv/bin/python": Entry(content=b"#!", mode=0o755),
    f"{TORCH}/__init__.py": "",
    f"{TORCH}/version.py": "__version__ = '2.15.0+cu132'\ncuda = '13.2'\n",
    f"{TORCH}-2.15.0+cu132.dist-info/METADATA": "Name: torch\nVersion: 2.15.0+cu132\n",
    f"{CUDA}/lib64/stubs/libcuda.so": "stub",
    f"{CUDA}/compat/libcuda.so.550.54.15": "compat",
    f"{CUDA}/compat/libcuda.so.1": Entry(link="libcuda.so.550.54.15"),
    "usr/local/cuda": Entry(link="cuda-12.4"),
}
STUB: dict[str, Entry | str | bytes] = {
    f"{CUDA}/lib64/stubs/libcuda.so.1": Entry(link="libcuda.so")
}


def report(path: Path, *words: str) -> dict[str, Any]:
    found = CliRunner().invoke(
        make_app(), ["image", str(path), "--format", "json", *words]
    )
    assert found.exit_code in (0, 1), found.output
    data: dict[str, Any] = json.loads(found.stdout)
    return {**data, "exit": found.exit_code}


def packed(folder: Path, search_path: str, *, has_stub: bool = True) -> Path:
    files = {**FILES, **(STUB if has_stub else {})}
    env = {"LD_LIBRARY_PATH": search_path}
    return write_docker(folder / "i.tar", Image(layers=[layer(files)], env=env))


@pytest.mark.parametrize(
    ("search_path", "code"),
    [
        ("/usr/local/cuda/lib64/stubs:/usr/local/cuda/lib64", "FW107"),
        ("/nowhere:/usr/local/cuda/compat", "FW112"),
        ("/usr/local/cuda/compat:/usr/local/cuda/lib64/stubs", "FW112"),
    ],
)
def test_what_hides_the_driver_on_every_host_is_an_error(
    tmp_path: Path, search_path: str, code: str
) -> None:
    data = report(packed(tmp_path, search_path))
    assert data["exit"] == 1
    (finding,) = (f for f in data["findings"] if f["code"] in ("FW107", "FW112"))
    assert finding["code"] == code
    assert finding["severity"] == "error"
    assert finding["blocks"] == ["torch"]
    assert data["frameworks"]["torch"]["gpu_usable"] is False


@pytest.mark.parametrize(
    "search_path",
    [
        "",
        "/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
        "/usr/local/cuda/compat/lib:/usr/local/nvidia/lib",  # made at start, by NGC
        "usr/local/cuda/compat:.",
    ],
)
def test_the_search_path_of_good_images_is_no_finding(
    tmp_path: Path, search_path: str
) -> None:
    codes = {f["code"] for f in report(packed(tmp_path, search_path))["findings"]}
    assert not codes & {"FW107", "FW112"}


def test_a_stub_without_the_name_the_loader_asks_for_is_harmless(
    tmp_path: Path,
) -> None:
    path = packed(tmp_path, "/usr/local/cuda/lib64/stubs", has_stub=False)
    assert not {f["code"] for f in report(path)["findings"]} & {"FW107", "FW112"}


def test_compat_libraries_that_serve_the_build_are_what_they_are_for(
    tmp_path: Path,
) -> None:
    path = packed(tmp_path, "/usr/local/cuda/compat")
    with open_image(Request(path=str(path))) as image:
        found = find_first_libcuda(image.source, "/usr/local/cuda/compat")
    assert found is not None
    assert (found.kind, str(found.version)) == ("compat", "550.54.15")
    files = dict(FILES)
    files[f"{TORCH}/version.py"] = "__version__ = '2.10.0+cu128'\ncuda = '12.8'\n"
    env = {"LD_LIBRARY_PATH": "/usr/local/cuda/compat"}
    older = write_docker(tmp_path / "older.tar", Image(layers=[layer(files)], env=env))
    assert "FW112" not in {f["code"] for f in report(older)["findings"]}


def test_one_installation_seen_from_two_prefixes_is_judged_once(
    tmp_path: Path,
) -> None:
    site = "usr/local/lib/python3.12/dist-packages"
    files: dict[str, Entry | str | bytes] = {
        "etc/os-release": "ID=ubuntu\nPRETTY_NAME=Ubuntu\n",
        "usr/bin/python3.12": Entry(content=b"#!", mode=0o755),
        "usr/bin/python3": Entry(link="python3.12"),
        f"{site}/torch/__init__.py": "",
        f"{site}/torch/version.py": "__version__ = '2.9.1+cpu'\ncuda = None\n",
        f"{site}/torch-2.9.1+cpu.dist-info/METADATA": "Name: torch\nVersion: 2.9.1\n",
    }
    env = {"NVIDIA_VISIBLE_DEVICES": "all"}
    path = write_docker(tmp_path / "i.tar", Image(layers=[layer(files)], env=env))
    data = report(path)
    assert [f["code"] for f in data["findings"] if f["code"] == "FW401"] == ["FW401"]
    assert len(data["reach"]) == 1


@pytest.mark.parametrize(
    ("require", "words", "code"),
    [
        ("tensorflow", "TensorFlow was required and is not in the image", 1),
        ("torch", "", 0),
        ("torch,tensorflow", "TensorFlow was required", 1),
    ],
)
def test_what_was_required_and_is_missing_is_said(
    tmp_path: Path, require: str, words: str, code: int
) -> None:
    path = packed(tmp_path, "")
    result = CliRunner().invoke(make_app(), ["image", str(path), "--require", require])
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert bool(words) == bool(result.stderr)
