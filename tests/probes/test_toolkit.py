"""CUDA toolkits found in small made-up trees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes.source import Source
from fwdoctor.probes.toolkit import ToolkitProbe, _full_version, find_toolkits
from fwdoctor.versions import CudaVersion

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.conftest import MakeSource


def version_json(version: str) -> str:
    return json.dumps({"cuda": {"name": "CUDA SDK", "version": version}})


def test_no_toolkit(make_source: MakeSource) -> None:
    source = make_source({"/usr/local/cuda-samples/README": "", "/opt/x": ""})
    assert ToolkitProbe().start(source)() == ()


def test_all_are_found_once_and_the_active_one_first(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/usr/local/cuda": "-> /usr/local/cuda-12.4",
            "/usr/local/cuda-12.4/bin/nvcc": b"\x7fELF",
            "/usr/local/cuda-12.4/version.json": version_json("12.4.1"),
            "/usr/local/cuda-11.8/bin/nvcc": b"\x7fELF",
            "/usr/local/cuda-11.8/version.json": version_json("11.8.0"),
            "/opt/cuda/bin/nvcc": b"\x7fELF",
            "/opt/cuda/version.txt": "CUDA Version 10.2.89\n",
        },
        {
            "PATH": "/usr/bin:/usr/local/cuda-11.8/bin:/usr/local/cuda/bin:relative",
            "CUDA_HOME": "/usr/local/cuda",
        },
    )
    found = find_toolkits(source)
    assert [(t.path, str(t.version), t.is_active) for t in found] == [
        ("/usr/local/cuda-11.8", "11.8", True),
        ("/usr/local/cuda-12.4", "12.4", False),
        ("/opt/cuda", "10.2", False),
    ]
    assert [t.full_version for t in found] == ["11.8.0", "12.4.1", "10.2.89"]
    assert all(t.has_nvcc for t in found)


def test_version_of_a_header(make_source: MakeSource) -> None:
    header = "/* long notice */\n" * 1000 + "#define CUDA_VERSION 13010\n"
    source = make_source(
        {"/opt/mine/include/cuda.h": header}, {"CUDA_PATH": "/opt/mine"}
    )
    (found,) = find_toolkits(source)
    assert found.version == CudaVersion(13, 1)
    assert found.full_version == "13.1"
    assert found.has_nvcc is False
    assert found.is_active is False


def test_wrapper_script_leads_to_the_real_tree(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/usr/local/bin/nvcc": '#!/bin/sh\nexec /opt/tools/cuda/bin/nvcc "$@"\n',
            "/opt/tools/cuda/bin/nvcc": b"\x7fELF",
            "/opt/tools/cuda/version.json": version_json("12.8.0"),
        },
        {"PATH": "/usr/local/bin"},
    )
    (found,) = find_toolkits(source)
    assert (found.path, found.is_active) == ("/opt/tools/cuda", True)


def test_package_of_the_distribution(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/usr/bin/nvcc": "#!/bin/sh\nexec /usr/lib/nvidia-cuda-toolkit/bin/nvcc\n",
            "/usr/lib/nvidia-cuda-toolkit/bin/nvcc": b"\x7fELF",
            "/usr/lib/cuda/version.txt": "CUDA Version 11.5.119",
        },
        {"PATH": "/usr/bin"},
    )
    found = find_toolkits(source)
    assert [t.path for t in found] == [
        "/usr/lib/nvidia-cuda-toolkit",
        "/usr/lib/cuda",
    ]
    assert found[0].version is None
    assert found[1].version == CudaVersion(11, 5)


def test_conda_prefix(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/opt/env/bin/nvcc": b"\x7fELF",
            "/opt/env/targets/x86_64-linux/include/cuda.h": (
                "#define CUDA_VERSION 12060"
            ),
        },
        {"CONDA_PREFIX": "/opt/env", "PATH": "/opt/env/bin:/usr/bin"},
    )
    (found,) = find_toolkits(source)
    assert (found.path, found.is_active) == ("/opt/env", True)
    assert found.version == CudaVersion(12, 6)


def test_hpc_sdk_and_version_in_the_name(make_source: MakeSource) -> None:
    home = "/opt/nvidia/hpc_sdk/Linux_x86_64/24.1/cuda"
    source = make_source(
        {f"{home}/12.3/bin/nvcc": b"\x7fELF", f"{home}/include/cuda.h": ""}
    )
    (found,) = find_toolkits(source)
    assert (found.path, found.full_version) == (f"{home}/12.3", "12.3")


def test_runtime_without_compiler(make_source: MakeSource) -> None:
    source = make_source({"/usr/local/cuda-12.4/lib64/libcudart.so": b""})
    (found,) = find_toolkits(source)
    assert found.has_nvcc is False
    assert found.version == CudaVersion(12, 4)


def test_damaged_files_leave_the_version_unknown(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/usr/local/cuda/bin/nvcc": b"\x7fELF",
            "/usr/local/cuda/version.json": b"\xff\x00{",
            "/usr/local/cuda/version.txt": "no number",
            "/usr/local/cuda/include/cuda.h": b"\x80" * 50,
        }
    )
    (found,) = find_toolkits(source)
    assert found.version is None
    assert found.full_version is None


def test_home_that_is_not_there(make_source: MakeSource) -> None:
    assert find_toolkits(make_source({}, {"CUDA_HOME": "/usr/local/cuda"})) == ()


@pytest.mark.parametrize("name", ["version.json", "version.txt", "include/cuda.h"])
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_content_is_read_without_raising(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    folder: Path = tmp_path_factory.mktemp("tree") / "tree"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    found = _full_version(Source(), str(folder))
    assert found is None or found[0].isdigit()
