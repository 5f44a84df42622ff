"""The answer: host drivers, GPUs, the variable, labels and what could be left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fwdoctor.image.answer import find_reach, labels_for, require_cuda
from fwdoctor.image.facts import ImageFacts
from fwdoctor.image.judging import judge_image
from fwdoctor.image.waste import find_waste
from fwdoctor.image.wording import plain_text
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import (
    Environment,
    Framework,
    Host,
    Library,
    Snapshot,
    Toolkit,
)
from fwdoctor.versions import ComputeCapability, CudaVersion

ENV = Environment(prefix="/opt/venv", is_target=True)


def capabilities(*texts: str) -> tuple[ComputeCapability, ...]:
    return tuple(ComputeCapability.parse(text) for text in texts)


def torch_for(cuda: str, *sass: str, ptx: tuple[str, ...] = ()) -> Framework:
    return Framework(
        version="99.1",
        package="torch",
        kind="cuda",
        cuda=CudaVersion.parse(cuda),
        compute_capabilities=capabilities(*sass),
        ptx=capabilities(*ptx),
    )


def image_of(
    *, torch: Framework | None = None, tf: Framework | None = None
) -> Snapshot:
    env = replace(ENV, torch=torch, tensorflow=tf)
    host = Host(os="linux", machine="x86_64")
    return Snapshot(origin="image", host=host, environments=(env,))


def test_drivers_with_and_without_minor_version_compatibility(
    matrices: Matrices,
) -> None:
    (row,) = find_reach(image_of(torch=torch_for("12.8", "8.0")), matrices)
    assert str(row.min_driver) == "525.60.13"
    assert str(row.full_driver) == "570.26"
    assert require_cuda(row.min_driver, (row,), matrices) == "cuda>=12.0"


def test_gpus_native_by_ptx_and_not_at_all(matrices: Matrices) -> None:
    torch = torch_for("12.8", "8.0", "8.6", ptx=("8.6",))
    (row,) = find_reach(image_of(torch=torch), matrices)
    assert set(capabilities("8.0", "8.6", "8.9")) <= set(row.native)
    assert set(capabilities("9.0", "12.0")) <= set(row.ptx_only)
    assert set(capabilities("7.0", "7.5")) <= set(row.not_at_all)
    tegra = set(capabilities("8.7"))
    assert not tegra & {*row.native, *row.ptx_only, *row.not_at_all, *row.unknown}


def test_the_stricter_framework_decides_for_the_image(matrices: Matrices) -> None:
    snapshot = image_of(
        torch=torch_for("13.0", "9.0"),
        tf=replace(torch_for("12.5", "8.0", "9.0"), package="tensorflow"),
    )
    report = judge_image(snapshot, matrices, image=ImageFacts(kind="root"))
    assert str(report.min_driver) == "580.65.06"
    assert report.require_cuda == "cuda>=13.0"
    assert report.labels["io.fwdoctor.compute-capability"] == "9.0"
    assert report.labels["io.fwdoctor.torch"] == "99.1+cuda13.0"
    assert "580.65.06 or newer" in report.headline


def test_a_compat_package_serves_older_branches(matrices: Matrices) -> None:
    compat = Library(
        name="cuda-compat",
        path="/usr/local/cuda-13.0/compat/libcuda.so.580.65.06",
        version="580.65.06",
    )
    snapshot = replace(image_of(torch=torch_for("13.0", "9.0")), libraries=(compat,))
    (row,) = find_reach(snapshot, matrices)
    assert row.compat_package == "cuda-compat-13-0"
    assert 535 in row.compat_branches
    value = require_cuda(row.min_driver, (row,), matrices)
    assert value is not None
    assert value.startswith("cuda>=13.0 brand=tesla,driver>=535,driver<536")
    newer = replace(image_of(torch=torch_for("13.2", "9.0")), libraries=(compat,))
    assert find_reach(newer, matrices)[0].compat_branches == ()


def test_a_cpu_build_runs_on_no_gpu(matrices: Matrices) -> None:
    (row,) = find_reach(
        image_of(torch=Framework(version="2.9.1", kind="cpu")), matrices
    )
    assert row.min_driver is None
    assert "CPU-only" in row.reason
    assert labels_for((row,), None, None) == {"io.fwdoctor.torch": "2.9.1+cpu"}


def test_a_cuda_newer_than_our_tables_is_unknown_not_refused(
    matrices: Matrices,
) -> None:
    (row,) = find_reach(image_of(torch=torch_for("77.0", "8.0")), matrices)
    assert row.min_driver is None
    report = judge_image(
        image_of(torch=torch_for("77.0", "8.0")),
        matrices,
        image=ImageFacts(kind="root"),
    )
    assert (report.require_cuda, report.min_driver) == (None, None)
    assert report.verdict == "not-enough-facts"
    assert "PyTorch in this image needs is not known" in report.headline


def test_an_image_with_a_toolkit_only(matrices: Matrices) -> None:
    toolkit = Toolkit(path="/usr/local/cuda-12.4", version=CudaVersion.parse("12.4"))
    snapshot = Snapshot(origin="image", toolkits=(toolkit,))
    report = judge_image(snapshot, matrices, image=ImageFacts(kind="root"))
    assert report.verdict == "nothing-to-check"
    assert report.require_cuda == "cuda>=12.0"
    assert "CUDA toolkit needs driver 525.60.13" in report.headline


def test_nothing_of_the_answer_is_lost_in_words(matrices: Matrices) -> None:
    torch = torch_for("12.8", "8.0", ptx=("8.0",))
    report = judge_image(
        image_of(torch=torch), matrices, image=ImageFacts(kind="oci", layers=2)
    )
    text = plain_text(report, 100)
    for word in ("525.60.13", "570.26", "NVIDIA_REQUIRE_CUDA=cuda>=12.0", "2 layers"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 100


GB = 1_000_000_000
LIB = "libcublasLt.so.12"


def test_waste_names_copies_toolkits_caches_and_layers(matrices: Matrices) -> None:
    from fwdoctor.model.snapshot import ResolvedLibrary

    site = "/opt/venv/lib/python3.12/site-packages/nvidia"
    loaded = ResolvedLibrary(
        soname=LIB, needed_by="libtorch_cuda.so", path=f"{site}/cublas/lib/{LIB}"
    )
    torch = replace(torch_for("12.8", "8.0"), libraries=(loaded,))
    snapshot = replace(
        image_of(torch=torch), toolkits=(Toolkit(path="/usr/local/cuda-12.8"),)
    )
    files = [
        (f"{site}/cublas/lib/{LIB}", GB),
        (f"/opt/conda/lib/{LIB}", GB),
        (f"/usr/local/cuda-12.8/lib64/{LIB}", 2 * GB),
        ("/usr/local/cuda-12.8/bin/nvcc", GB),
        ("/root/.cache/pip/http/x", GB // 2),
        ("/opt/conda/pkgs/pytorch/x", GB // 4),
        ("/home/me/pkgs/x", GB),
    ]
    found = {
        waste.what: waste.size_bytes
        for waste in find_waste(files, snapshot, hidden_bytes=GB // 8)
    }
    assert found == {
        "the CUDA toolkit in /usr/local/cuda-12.8": 3 * GB,
        "CUDA libraries that are there twice": GB,
        "pip's cache": GB // 2,
        "conda's package cache": GB // 4,
        "files that later layers overwrite or delete": GB // 8,
    }


@pytest.mark.parametrize("major", ["12", "13"])
def test_two_majors_are_no_copies_of_each_other(major: str) -> None:
    files = [("/a/libcublas.so.12", GB), (f"/b/libcublas.so.{major}", GB)]
    found = find_waste(files, Snapshot(origin="image"), hidden_bytes=0)
    assert bool(found) is (major == "12")


def test_rules_of_live_machines_are_silent_about_an_image(matrices: Matrices) -> None:
    snapshot = image_of(torch=torch_for("12.8", "8.0"))
    report = judge_image(snapshot, matrices, image=ImageFacts(kind="root"))
    assert [f.code for f in report.findings] == []
    assert report.verdict == "healthy"
