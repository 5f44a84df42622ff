"""Whole frameworks, small: real ELF files laid out as the wheels lay them out."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from fwdoctor.model.snapshot import Environment, Framework, ResolvedLibrary
from fwdoctor.probes.environments import read_environment
from fwdoctor.probes.source import Source
from fwdoctor.process import run_child

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="no C compiler for ELF"
)

SITE = "lib/python3.12/site-packages"
TORCH_INIT = """
def _preload_cuda_deps(err=None, required=True):
    cuda_libs = [
        ("cublas", "libcublas.so.*[0-9]"),
        ("cusparse", "libcusparse.so.*[0-9]"),
    ]


def _load_global_deps():
    try:
        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)
        _preload_cuda_deps(required=False)
    except OSError as err:
        _preload_cuda_deps(err)

# f"cu{maj_cuda_version}"
"""
BUILD_INFO = "build_info = {'is_cuda_build': True, 'cuda_version': '12.5.1'}\n"
CUDA_CONFIG = """
#define TF_CUDART_VERSION "12"
#define TF_CUSOLVER_VERSION "11"
#define TF_CUDNN_VERSION "9"
"""
DSO_LOADER = "GetCudaRuntimeDsoHandle();GetCusolverDsoHandle();GetCudnnDsoHandle();"
WHEEL_PATHS = "$ORIGIN/../../nvidia/cudnn/lib:$ORIGIN/../../nvidia/cu13/lib:$ORIGIN"


class Machine:
    """A root folder with one venv, `/v`, and libraries compiled into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("v/pyvenv.cfg", "version = 3.12.4\n")
        self.write(f"v/{SITE}/six.py", "")
        self.library("v/bin/python")

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def library(
        self, path: str, *needs: str, rpath: str = "", runpath: str = "", text: str = ""
    ) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        stubs = self.root / "stubs"
        stubs.mkdir(exist_ok=True)
        for name in needs:
            stub = stubs / name
            argv = ["-shared", f"-Wl,-soname,{name}", "-o", str(stub)]
            if not stub.exists():
                self._gcc(*argv, "-xc", "/dev/null")
        code = self.root / "x.c"
        code.write_text(f'const char *text(void) {{ return "{text}"; }}')
        tags = "-Wl,--disable-new-dtags" if rpath else "-Wl,--enable-new-dtags"
        folders = rpath or runpath
        self._gcc(
            *("-shared", "-fPIC", f"-Wl,-soname,{target.name}", "-o", str(target)),
            *(str(code), "-nostdlib", tags),
            *((f"-Wl,-rpath,{folders}",) if folders else ()),
            *("-Wl,--no-as-needed,--allow-shlib-undefined", f"-L{stubs}"),
            *(f"-l:{name}" for name in needs),
        )

    def _gcc(self, *arguments: str) -> None:
        result = run_child(["gcc", *arguments], timeout_s=60)
        assert result.is_success, result.stderr

    def nvidia(self, folder: str, name: str, *needs: str, **paths: str) -> None:
        self.library(f"v/{SITE}/nvidia/{folder}/lib/{name}", *needs, **paths)

    def torch(self) -> None:
        base = f"v/{SITE}/torch"
        self.write(f"{base}/__init__.py", TORCH_INIT)
        self.write(
            f"{base}/version.py", "__version__ = '2.15.0+cu132'\ncuda = '13.2'\n"
        )
        lib = f"{base}/lib"
        self.library(
            f"{lib}/libtorch_global_deps.so", "libcudart.so.13", rpath=WHEEL_PATHS
        )
        self.library(
            f"{lib}/libtorch_cuda.so",
            *("libcudart.so.13", "libcusparse.so.12", "libcudnn.so.9"),
            rpath=WHEEL_PATHS,
        )
        self.library(f"{lib}/libtorch.so", "libtorch_cuda.so", rpath=WHEEL_PATHS)
        self.library(f"{base}/_C.cpython-312.so", "libtorch.so", rpath="$ORIGIN/lib")

    def tensorflow(self, folders: str) -> None:
        base = f"v/{SITE}/tensorflow"
        self.write(f"{base}/__init__.py", "")
        self.write(f"{base}/python/platform/build_info.py", BUILD_INFO)
        include = f"{base}/include"
        self.write(f"{include}/third_party/gpus/cuda/cuda_config.h", CUDA_CONFIG)
        self.write(f"{include}/xla/tsl/platform/default/dso_loader.h", DSO_LOADER)
        paths = ":".join(f"$ORIGIN/../nvidia/{name}/lib" for name in folders.split())
        self.library(f"{base}/libtensorflow_framework.so.2", runpath=paths)

    def cudnn(self, folder: str, *, rpath: str = "", runpath: str = "") -> None:
        text = "libcudnn_graph.so"
        self.library(f"{folder}/libcudnn.so.9", rpath=rpath, runpath=runpath, text=text)
        self.library(f"{folder}/libcudnn_graph.so.9", runpath="$ORIGIN")
        self.library(f"{folder}/libcudnn_engines.so.9", runpath="$ORIGIN")

    def examine(self, **env: str) -> Environment:
        source = Source(root=str(self.root), env=env)
        return read_environment(source, "/v", is_target=True, is_active=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def by_soname(framework: Framework | None) -> dict[str, ResolvedLibrary]:
    assert framework is not None
    assert framework.libraries is not None
    return {library.soname: library for library in framework.libraries}


def test_torch_with_its_own_wheels(machine: Machine) -> None:
    machine.torch()
    machine.nvidia("cu13", "libcudart.so.13")
    machine.nvidia("cu13", "libcusparse.so.12")
    machine.cudnn(f"v/{SITE}/nvidia/cudnn/lib", runpath="$ORIGIN")
    found = by_soname(machine.examine().torch)
    assert set(found) == {
        *("libcudart.so.13", "libcusparse.so.12", "libcudnn.so.9"),
        *("libcudnn_graph.so.9", "libcudnn_engines.so.9"),
    }
    assert all(library.path == library.intended for library in found.values())
    assert found["libcudart.so.13"].via == "RPATH"
    assert found["libcusparse.so.12"].via == "preload"
    assert found["libcusparse.so.12"].needed_by == "libtorch_cuda.so"
    assert found["libcudnn_graph.so.9"].needed_by == "libcudnn.so.9"
    assert found["libcudnn_engines.so.9"].needed_by == "libcudnn_graph.so.9"


def test_a_cuda_12_wheel_is_preloaded_over_torchs_own(machine: Machine) -> None:
    """Seen with torch 2.15 beside tensorflow[and-cuda]: one soname, two majors."""
    machine.torch()
    machine.nvidia("cu13", "libcudart.so.13")
    machine.nvidia("cu13", "libcusparse.so.12")
    machine.nvidia("cusparse", "libcusparse.so.12")
    machine.cudnn(f"v/{SITE}/nvidia/cudnn/lib")
    wrong = by_soname(machine.examine().torch)["libcusparse.so.12"]
    assert wrong.path == f"/v/{SITE}/nvidia/cusparse/lib/libcusparse.so.12"
    assert wrong.intended == f"/v/{SITE}/nvidia/cu13/lib/libcusparse.so.12"
    assert wrong.via == "preload"


def test_torch_without_cudnn_names_it(machine: Machine) -> None:
    machine.torch()
    machine.nvidia("cu13", "libcudart.so.13")
    machine.nvidia("cu13", "libcusparse.so.12")
    found = by_soname(machine.examine().torch)
    missing = [name for name, library in found.items() if library.path is None]
    assert missing == ["libcudnn.so.9"]
    assert found["libcudnn.so.9"].needed_by == "libtorch_cuda.so"


def test_a_damaged_library_of_torch_itself_is_named(machine: Machine) -> None:
    machine.torch()
    machine.nvidia("cu13", "libcudart.so.13")
    machine.nvidia("cu13", "libcusparse.so.12")
    machine.cudnn(f"v/{SITE}/nvidia/cudnn/lib")
    library = machine.root / f"v/{SITE}/torch/lib/libtorch_cuda.so"
    library.write_bytes(b"\0" * 4096)
    damaged = by_soname(machine.examine().torch)["libtorch_cuda.so"]
    assert damaged.path is None
    assert damaged.via == (f"/v/{SITE}/torch/lib/libtorch_cuda.so: invalid ELF header")
    library.unlink()
    missing = by_soname(machine.examine().torch)["libtorch_cuda.so"]
    assert (missing.path, missing.via, missing.needed_by) == (
        None,
        None,
        "libtorch.so",
    )
    (machine.root / f"v/{SITE}/torch/_C.cpython-312.so").write_bytes(b"")
    (entry,) = by_soname(machine.examine().torch).values()
    assert (entry.soname, entry.via) == ("_C.cpython-312.so", "file too short")


def test_another_cudnn_in_front_gives_torch_a_mixture(machine: Machine) -> None:
    machine.torch()
    machine.nvidia("cu13", "libcudart.so.13")
    machine.nvidia("cu13", "libcusparse.so.12")
    machine.cudnn(f"v/{SITE}/nvidia/cudnn/lib", runpath="$ORIGIN")
    machine.cudnn("opt/cudnn", runpath="$ORIGIN")
    machine.library("opt/old/libcudnn.so.8")
    healthy = by_soname(machine.examine(LD_LIBRARY_PATH="/opt/old").torch)
    assert all(library.path == library.intended for library in healthy.values())
    mixed = by_soname(machine.examine(LD_LIBRARY_PATH="/opt/old:/opt/cudnn").torch)
    assert mixed["libcudnn.so.9"].path == mixed["libcudnn.so.9"].intended
    part = mixed["libcudnn_graph.so.9"]
    assert (part.path, part.via) == (
        "/opt/cudnn/libcudnn_graph.so.9",
        "LD_LIBRARY_PATH",
    )


def test_tensorflow_misses_a_folder_in_its_run_path(machine: Machine) -> None:
    """Seen in TensorFlow 2.21.0: cuSOLVER is installed and cannot be found."""
    machine.tensorflow("cuda_runtime cudnn")
    machine.nvidia("cuda_runtime", "libcudart.so.12")
    machine.nvidia("cusolver", "libcusolver.so.11")
    machine.cudnn(f"v/{SITE}/nvidia/cudnn/lib", rpath="$ORIGIN")
    found = by_soname(machine.examine().tensorflow)
    missing = [library for library in found.values() if library.path is None]
    assert [library.soname for library in missing] == ["libcusolver.so.11"]
    assert missing[0].intended == f"/v/{SITE}/nvidia/cusolver/lib/libcusolver.so.11"
    folder = f"/v/{SITE}/nvidia/cusolver/lib"
    cured = by_soname(machine.examine(LD_LIBRARY_PATH=folder).tensorflow)
    assert cured["libcusolver.so.11"].via == "LD_LIBRARY_PATH"


def test_a_library_whose_own_need_is_missing_is_named(machine: Machine) -> None:
    machine.tensorflow("cuda_runtime cudnn cusolver")
    machine.nvidia("cuda_runtime", "libcudart.so.12")
    machine.nvidia("cusolver", "libcusolver.so.11", "libnvJitLink.so.12")
    machine.cudnn(f"v/{SITE}/nvidia/cudnn/lib")
    found = by_soname(machine.examine().tensorflow)
    assert found["libnvJitLink.so.12"].path is None
    assert found["libnvJitLink.so.12"].needed_by == "libcusolver.so.11"


def test_system_copy_is_found_with_its_version(machine: Machine) -> None:
    machine.tensorflow("none")
    lib = "usr/lib/x86_64-linux-gnu"
    for name in ("libcudart.so.12", "libcusolver.so.11"):
        machine.library(f"{lib}/{name}")
    machine.library(f"{lib}/libcudnn.so.9")
    (machine.root / lib / "libcudnn.so.9").rename(
        machine.root / lib / "libcudnn.so.9.1.0"
    )
    (machine.root / lib / "libcudnn.so.9").symlink_to("libcudnn.so.9.1.0")
    cudnn = by_soname(machine.examine().tensorflow)["libcudnn.so.9"]
    assert (cudnn.via, cudnn.version) == ("default folder", "9.1.0")
    assert cudnn.intended is None


def test_conda_libraries_come_through_the_interpreters_run_path(
    machine: Machine,
) -> None:
    machine.write("c/conda-meta/python-3.12.4-h_0.json", "{}")
    machine.library("c/bin/python3.12", rpath="$ORIGIN/../lib")
    (machine.root / "c/bin/python").symlink_to("python3.12")
    base = f"c/{SITE}/torch"
    machine.write(f"{base}/__init__.py", "")
    machine.write(f"{base}/version.py", "__version__ = '2.9.1'\ncuda = '12.9'\n")
    machine.library(f"{base}/_C.cpython-312.so", "libtorch_cuda.so")
    machine.library("c/lib/libtorch_cuda.so", "libcudart.so.12", "libnccl.so.2")
    machine.library("c/lib/libcudart.so.12.9.79")
    (machine.root / "c/lib/libcudart.so.12").symlink_to("libcudart.so.12.9.79")
    source = Source(root=str(machine.root))
    found = read_environment(source, "/c", is_target=True, is_active=False)
    libraries = by_soname(found.torch)
    cudart = libraries["libcudart.so.12"]
    assert (cudart.path, cudart.intended, cudart.version, cudart.via) == (
        "/c/lib/libcudart.so.12",
        "/c/lib/libcudart.so.12",
        "12.9.79",
        "RPATH",
    )
    assert libraries["libnccl.so.2"].path is None


def test_cpu_and_unknown_builds_are_not_resolved(machine: Machine) -> None:
    machine.write(f"v/{SITE}/torch/version.py", "__version__ = '2.1+cpu'\n")
    machine.write(f"v/{SITE}/tensorflow/__init__.py", "")
    environment = machine.examine()
    assert environment.torch is not None
    assert environment.torch.libraries is None
    assert environment.tensorflow is not None
    assert environment.tensorflow.libraries is None
