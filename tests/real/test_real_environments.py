"""Installed frameworks of several gigabytes, in the folder FWDOCTOR_REAL_ENVS names.

Each test skips when its environment is not there. Nothing in them is changed; the
expectations were measured on the published wheels.
"""

from __future__ import annotations

import os
import time

import pytest

from fwdoctor.model.snapshot import Environment, Framework, ResolvedLibrary
from fwdoctor.probes.deep import run_deep
from fwdoctor.probes.environments import read_environment
from fwdoctor.probes.source import live_source
from fwdoctor.versions import ComputeCapability, CudaVersion
from tests.real.environments import prefix_of

pytestmark = pytest.mark.real

BUDGET_MS = 110.0
DEEP_TIMEOUT_S = 180.0


def examine(name: str, **env: str) -> Environment:
    """Read the named environment as `check` reads its target."""
    prefix = prefix_of(name)
    source = live_source(env={"PATH": os.environ.get("PATH", ""), **env})
    return read_environment(source, str(prefix), is_target=True, is_active=False)


def framework_of(environment: Environment, name: str) -> Framework:
    framework = environment.torch if name == "torch" else environment.tensorflow
    assert framework is not None
    return framework


def libraries_of(environment: Environment, name: str) -> dict[str, ResolvedLibrary]:
    libraries = framework_of(environment, name).libraries
    assert libraries
    return {library.soname: library for library in libraries}


def lost(libraries: dict[str, ResolvedLibrary]) -> list[str]:
    return [name for name, library in libraries.items() if library.path is None]


def test_cpu_torch() -> None:
    environment = examine("torch213cpu")
    torch = framework_of(environment, "torch")
    assert (torch.version, torch.kind, torch.source) == (
        "2.13.0",
        "cpu",
        "pytorch-index",
    )
    assert torch.libraries is None
    assert environment.manager == "pip"
    assert environment.tensorflow is None


def test_tensorflow_without_its_libraries() -> None:
    assert set(lost(libraries_of(examine("tf221"), "tensorflow"))) >= {
        "libcudart.so.12",
        "libcudnn.so.9",
        "libcusolver.so.11",
    }


def test_tensorflow_2_21_cannot_find_cusolver() -> None:
    libraries = libraries_of(examine("tf221cuda"), "tensorflow")
    assert lost(libraries) == ["libcusolver.so.11"]
    intended = libraries["libcusolver.so.11"].intended
    assert intended is not None
    cured = examine("tf221cuda", LD_LIBRARY_PATH=os.path.dirname(intended))
    assert lost(libraries_of(cured, "tensorflow")) == []


def test_torch_with_cuda_13() -> None:
    environment = examine("torch215")
    torch = framework_of(environment, "torch")
    assert (torch.version, torch.kind, torch.cuda) == (
        "2.15.0",
        "cuda",
        CudaVersion(13, 2),
    )
    assert torch.cudnn == "9.26.0.51"
    assert torch.compute_capabilities is not None
    assert ComputeCapability(12, 0) in torch.compute_capabilities
    assert torch.ptx == ()
    libraries = libraries_of(environment, "torch")
    assert all(library.path == library.intended for library in libraries.values())
    assert environment.clashes == ()


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_clean_pair_finds_everything(name: str) -> None:
    environment = examine("clean")
    libraries = libraries_of(environment, name)
    assert lost(libraries) == []
    assert all(library.path == library.intended for library in libraries.values())
    assert environment.clashes == ()


def test_overwritten_libraries_are_named() -> None:
    environment = examine("both")
    assert environment.clashes
    assert {clash.winner for clash in environment.clashes} == {
        "nvidia-cudnn-cu12",
        "nvidia-nccl-cu12",
    }
    libraries = libraries_of(environment, "torch")
    assert lost(libraries) == []
    cudnn = libraries["libcudnn.so.9"]
    assert (cudnn.version, cudnn.intended_version) == ("9.28.0.42", "9.26.0.51")
    assert (
        libraries["libcusparse.so.12"].path != libraries["libcusparse.so.12"].intended
    )


def test_reading_stays_within_its_budget() -> None:
    examine("both")
    begun = time.perf_counter()
    examine("both")
    assert (time.perf_counter() - begun) * 1000 < BUDGET_MS


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["both", "clean", "torch215"])
def test_what_torch_really_maps(folder: str) -> None:
    """Every library that torch mapped and asked for is the one we said."""
    environment = examine(folder)
    deep = run_deep(live_source(), environment, "torch", DEEP_TIMEOUT_S)
    assert (deep.stage, deep.status) == ("done", "ok")
    expected = libraries_of(environment, "torch")
    for path in deep.libraries:
        library = expected.get(os.path.basename(path))
        assert library is None or library.path == path
    mapped = {os.path.basename(path) for path in deep.libraries}
    assert mapped >= {"libcudnn.so.9", "libcusparse.so.12", "libnccl.so.2"}
