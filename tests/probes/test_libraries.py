"""Copies of NVIDIA's libraries in small made-up machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import Library
from fwdoctor.probes.libraries import LibrariesProbe, _family_of, find_libraries
from fwdoctor.probes.source import live_source
from fwdoctor.testing.tree import Tree, write_loader_cache

if TYPE_CHECKING:
    from fwdoctor.probes.source import Source
    from tests.probes.conftest import MakeSource

SYSTEM = "/usr/lib/x86_64-linux-gnu"
CUDNN: dict[str, str | bytes] = {
    f"{SYSTEM}/libcudnn.so": "-> libcudnn.so.9",
    f"{SYSTEM}/libcudnn.so.9": "-> libcudnn.so.9.1.0",
    f"{SYSTEM}/libcudnn.so.9.1.0": b"\x7fELF",
    f"{SYSTEM}/libcudnn_ops.so.9.1.0": b"\x7fELF",
}
CUDNN_LIST = f"/.\n/usr/lib\n{SYSTEM}/libcudnn.so.9.1.0\n{SYSTEM}/libcudnn.so.9\n"


def with_cache(source: Source, entries: dict[str, str]) -> Source:
    """The same machine after ldconfig."""
    write_loader_cache(Tree(Path(source.root)), entries, "x86_64")
    return source


def test_machine_without_any(make_source: MakeSource) -> None:
    assert LibrariesProbe().start(make_source({f"{SYSTEM}/libz.so.1": ""}))() == ()


def test_package_of_the_system(make_source: MakeSource) -> None:
    source = make_source(
        {**CUDNN, "/var/lib/dpkg/info/libcudnn9-cuda-12:amd64.list": CUDNN_LIST}
    )
    with_cache(source, {"libcudnn.so.9": f"{SYSTEM}/libcudnn.so.9"})
    assert find_libraries(source) == (
        Library(
            name="cudnn",
            path=f"{SYSTEM}/libcudnn.so.9.1.0",
            soname="libcudnn.so.9",
            version="9.1.0",
            origin="dpkg libcudnn9-cuda-12",
            is_on_loader_path=True,
            found_via="ld.so.cache",
        ),
    )


def test_copied_by_hand_without_ldconfig(make_source: MakeSource) -> None:
    (library,) = find_libraries(make_source(CUDNN))
    assert library.found_via == "ld.so.conf"
    assert library.is_on_loader_path is True
    assert library.origin == "unknown"


def test_search_path_comes_first_and_counts_once(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/opt/cudnn8/lib/libcudnn.so.8": "-> libcudnn.so.8.9.7",
            "/opt/cudnn8/lib/libcudnn.so.8.9.7": "",
            **CUDNN,
        },
        {"LD_LIBRARY_PATH": f"relative::/nowhere:/opt/cudnn8/lib/:{SYSTEM}"},
    )
    with_cache(source, {"libcudnn.so.9": f"{SYSTEM}/libcudnn.so.9"})
    found = find_libraries(source)
    assert [(lib.version, lib.found_via) for lib in found] == [
        ("8.9.7", "LD_LIBRARY_PATH"),
        ("9.1.0", "LD_LIBRARY_PATH"),
    ]


def test_toolkit_that_the_loader_does_not_see(make_source: MakeSource) -> None:
    home = "/usr/local/cuda-12.4/targets/x86_64-linux/lib"
    source = make_source(
        {
            "/usr/local/cuda": "-> cuda-12.4",
            "/usr/local/cuda-12.4/lib64": "-> targets/x86_64-linux/lib",
            f"{home}/libcublas.so.12": "-> libcublas.so.12.4.5.8",
            f"{home}/libcublas.so.12.4.5.8": "",
            f"{home}/libcublasLt.so.12": "",
            f"{home}/libcudart.so.11.0": "-> libcudart.so.11.8.89",
            f"{home}/libcudart.so.11.8.89": "",
            "/usr/local/cuda-12.4/lib64/stubs/libcuda.so.1": "",
            "/usr/local/cuda-12.4/compat/libcuda.so.1": "-> libcuda.so.550.54.14",
            "/usr/local/cuda-12.4/compat/libcuda.so.550.54.14": "",
        },
        {"CUDA_HOME": "/usr/local/cuda"},
    )
    found = {lib.name: lib for lib in find_libraries(source)}
    assert set(found) == {"cublas", "cudart", "cuda-compat"}
    assert found["cublas"].version == "12.4.5.8"
    assert found["cublas"].origin == "toolkit"
    assert found["cublas"].is_on_loader_path is False
    assert found["cublas"].found_via == "CUDA_HOME"
    assert found["cudart"].soname == "libcudart.so.11.0"
    assert found["cudart"].version == "11.8.89"
    assert found["cuda-compat"].version == "550.54.14"


def test_version_from_a_header_of_the_same_tree(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/opt/c/lib/libcudnn.so.9": b"",
            "/opt/c/include/cudnn_version.h": (
                "#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 28\n"
                "#define CUDNN_PATCHLEVEL 2\n"
            ),
            "/opt/c/lib/libnccl.so.2": b"",
            "/opt/c/include/nccl.h": "#define NCCL_MAJOR 2\n#define NCCL_MINOR 21\n",
        },
        {"LD_LIBRARY_PATH": "/opt/c/lib"},
    )
    versions = {lib.name: lib.version for lib in find_libraries(source)}
    assert versions == {"cudnn": "9.28.2", "nccl": "2"}


def test_header_of_another_major_is_not_believed(make_source: MakeSource) -> None:
    source = make_source(
        {
            f"{SYSTEM}/libcudnn.so.9": b"",
            "/usr/include/cudnn_version.h": (
                "#define CUDNN_MAJOR 8\n#define CUDNN_MINOR 9\n"
                "#define CUDNN_PATCHLEVEL 7\n"
            ),
        }
    )
    (library,) = find_libraries(source)
    assert library.version == "9"


def test_wheels_and_conda_on_the_search_path(make_source: MakeSource) -> None:
    wheel = "/home/x/.venv/lib/python3.12/site-packages/nvidia/cudnn/lib"
    source = make_source(
        {
            f"{wheel}/libcudnn.so.9": b"",
            "/opt/conda/conda-meta/history": "",
            "/opt/conda/lib/libnvJitLink.so.12.4.127": b"",
        },
        {"LD_LIBRARY_PATH": f"{wheel}:/opt/conda/lib"},
    )
    origins = {lib.name: lib.origin for lib in find_libraries(source)}
    assert origins == {"cudnn": "pip", "nvjitlink": "conda"}


def test_stale_cache_entries_and_dead_links_are_left_out(
    make_source: MakeSource,
) -> None:
    source = make_source({f"{SYSTEM}/libnccl.so.2": "-> libnccl.so.2.21.5"})
    with_cache(source, {"libcudnn.so.9": f"{SYSTEM}/libcudnn.so.9"})
    assert find_libraries(source) == ()


def test_search_path_full_of_junk_is_bounded(make_source: MakeSource) -> None:
    junk = ":".join(f"/junk/{number}\ud800" for number in range(5000))
    source = make_source(CUDNN, {"LD_LIBRARY_PATH": f"{junk}:\0:/etc/passwd"})
    assert [lib.name for lib in find_libraries(source)] == ["cudnn"]


def test_damaged_package_list(make_source: MakeSource) -> None:
    source = make_source(
        {**CUDNN, "/var/lib/dpkg/info/libcudnn9.list": b"\xff/a\x00b/libcudnn.so.9\n"}
    )
    (library,) = find_libraries(source)
    assert library.origin == "unknown"


@given(st.text(max_size=40))
def test_any_file_name_has_a_family_or_none(name: str) -> None:
    assert _family_of(f"/x/{name}", name) in (None, "cudnn", "cublas", "cudart")


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/x/libcudnn.so.9", "cudnn"),
        ("/x/libnvinfer.so.10.3.0", "tensorrt"),
        ("/x/libcusolver.so.11", "cusolver"),
        ("/x/libcufft.so.11", "cufft"),
        ("/x/libcudnn.so", None),
        ("/x/libcudnn_cnn.so.9", None),
        ("/x/libcudnn.so.9.bak", None),
        ("/usr/lib/libcuda.so.1", None),
        ("/usr/local/cuda/compat/libcuda.so.1", "cuda-compat"),
    ],
)
def test_family(path: str, family: str | None) -> None:
    assert _family_of(path, path.rpartition("/")[2]) == family


def test_each_file_of_this_machine_is_listed_once() -> None:
    found = find_libraries(live_source())
    assert len({lib.path for lib in found}) == len(found)
