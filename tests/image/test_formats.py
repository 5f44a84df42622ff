"""One image in every form it is stored in: the same facts, the same findings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.errors import ExitCode
from fwdoctor.image.errors import ImageError
from fwdoctor.image.facts import ImageReport
from fwdoctor.image.judging import facts_of, judge_image, probe_image
from fwdoctor.image.reading import Request, open_image
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Snapshot
from tests.image.pack import (
    Compress,
    Entry,
    Image,
    Layout,
    docker_files,
    gzipped,
    layer,
    layer_of_tree,
    plain,
    write_docker,
)

try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment]  # not everywhere

ENV = {
    "PATH": "/v/bin:/usr/bin",
    "LD_LIBRARY_PATH": "/opt/old",
    "NVIDIA_VISIBLE_DEVICES": "all",
}


def zstd(content: bytes) -> bytes:
    if zstandard is None:
        pytest.skip("zstandard is not installed")
    return zstandard.ZstdCompressor().compress(content)


def probed(request: Request) -> Snapshot:
    with open_image(request) as image:
        snapshot, _ = probe_image(image)
    probes = tuple(replace(probe, ms=0.0) for probe in snapshot.probes)
    return replace(snapshot, created_at=None, probes=probes)


def judged(request: Request, matrices: Matrices) -> ImageReport:
    with open_image(request) as image:
        snapshot, waste = probe_image(image)
        facts = facts_of(image, snapshot.host.machine)
        configured = image.config.env
    return judge_image(
        snapshot, matrices, image=facts, waste=waste, configured=configured
    )


def write(kind: str, image: Image, folder: Path) -> Path:
    path = folder / "image.tar"
    if kind == "oci-folder":
        return Layout(image).write(folder / "oci")
    if kind == "oci-tar":
        return Layout(image).write_tar(path)
    if kind == "oci-tar-gz":
        return Layout(image).write_tar(path, gzipped)
    if kind == "docker":
        return write_docker(path, image)
    if kind == "docker-gz":
        return write_docker(path, image, gzipped)
    if kind == "docker-blobs":
        path.write_bytes(layer(docker_files(image, is_legacy=False)))
        return path
    path.write_bytes(layer_of_tree(folder))
    return path


@pytest.mark.parametrize("compress", [plain, gzipped, zstd])
@pytest.mark.parametrize(
    "kind",
    ["oci-folder", "oci-tar", "oci-tar-gz", "docker", "docker-gz", "docker-blobs"],
)
def test_every_form_gives_the_facts_of_the_unpacked_root(
    cuda_root: Path, tmp_path: Path, kind: str, compress: Compress
) -> None:
    image = Image(layers=[layer_of_tree(cuda_root)], env=ENV, compress=compress)
    path = write(kind, image, tmp_path)
    unpacked = probed(Request(path=str(cuda_root), env=ENV))
    assert probed(Request(path=str(path))) == unpacked
    torch = unpacked.target.torch if unpacked.target else None
    assert torch is not None
    assert torch.libraries  # the loader's answers were compared, not their absence
    assert {lib.name for lib in unpacked.libraries or ()} == {"cudnn", "cudart"}
    assert [str(t.version) for t in unpacked.toolkits or ()] == ["12.4"]


def test_findings_are_the_same_and_name_the_shadow(
    cuda_root: Path, tmp_path: Path, matrices: Matrices
) -> None:
    image = Image(layers=[layer_of_tree(cuda_root)], env=ENV, compress=gzipped)
    packed = judged(Request(path=str(write("docker", image, tmp_path))), matrices)
    unpacked = judged(Request(path=str(cuda_root), env=ENV), matrices)
    assert packed.findings == unpacked.findings
    assert packed.reach == unpacked.reach
    assert packed.headline == unpacked.headline
    assert "FW302" in {finding.code for finding in packed.findings}
    calm = judged(Request(path=str(cuda_root), env={"PATH": "/v/bin"}), matrices)
    assert "FW302" not in {finding.code for finding in calm.findings}


def test_a_root_exported_as_one_archive(cpu_root: Path, tmp_path: Path) -> None:
    for name, compress in (("a.tar", plain), ("a.tar.gz", gzipped)):
        path = tmp_path / name
        path.write_bytes(compress(layer_of_tree(cpu_root)))
        env = {"PATH": "/opt/venv/bin"}
        packed = probed(Request(path=str(path), env=env))
        assert packed == probed(Request(path=str(cpu_root), env=env))
        assert packed.target is not None


def test_a_bundle_brings_its_variables(cpu_root: Path, tmp_path: Path) -> None:
    shutil.copytree(cpu_root, tmp_path / "rootfs")
    process = {"process": {"env": ["PATH=/opt/venv/bin", "A=1"], "cwd": "/srv"}}
    (tmp_path / "config.json").write_text(json.dumps(process))
    with open_image(Request(path=str(tmp_path))) as image:
        assert image.kind == "bundle"
        assert image.source.env["PATH"] == "/opt/venv/bin"
        assert image.config.working_dir == "/srv"


# Several images in one layout


@pytest.fixture
def two_platforms(cpu_root: Path, tmp_path: Path) -> Path:
    tree = layer_of_tree(cpu_root)
    images = [Image(layers=[tree], architecture=a) for a in ("amd64", "arm64")]
    return Layout(*images, is_nested=True).write(tmp_path / "multi")


@pytest.mark.parametrize("wanted", ["linux/amd64", "linux/arm64"])
def test_the_platform_asked_for(two_platforms: Path, wanted: str) -> None:
    with open_image(Request(path=str(two_platforms), platform=wanted)) as image:
        assert image.config.platform == wanted


@pytest.mark.parametrize("wanted", ["arm64", "linux/aarch64", "linux/arm64/v8"])
def test_a_platform_in_the_words_docker_takes(two_platforms: Path, wanted: str) -> None:
    with open_image(Request(path=str(two_platforms), platform=wanted)) as image:
        assert image.config.platform == "linux/arm64"


@pytest.mark.parametrize("wanted", ["", "linux/arm/v7", "windows/arm64", "/"])
def test_another_platform_is_not_taken_for_it(two_platforms: Path, wanted: str) -> None:
    with pytest.raises(ImageError, match="no image of platform"):
        open_image(Request(path=str(two_platforms), platform=wanted)).__enter__()


def test_a_platform_that_is_not_there_names_those_that_are(two_platforms: Path) -> None:
    request = Request(path=str(two_platforms), platform="linux/s390x")
    with pytest.raises(ImageError, match=r"linux/amd64, linux/arm64"):
        open_image(request).__enter__()


def test_several_tags_are_asked_about(cpu_root: Path, tmp_path: Path) -> None:
    tree = layer_of_tree(cpu_root)
    images = [Image(layers=[tree], tag=t, env={"N": t}) for t in ("one", "two")]
    path = str(Layout(*images).write(tmp_path / "tags"))
    with pytest.raises(ImageError, match="one, two"):
        open_image(Request(path=path)).__enter__()
    with open_image(Request(path=path, tag="two")) as image:
        assert image.source.env["N"] == "two"


# Layers


def tree_of(tmp_path: Path, *layers: bytes) -> dict[str, str]:
    """Every path of the stacked layers, with what a probe reads there."""
    base = layer({"etc/keep": "k"})
    path = Layout(Image(layers=[base, *layers])).write(tmp_path / "oci")
    found: dict[str, str] = {}
    with open_image(Request(path=str(path))) as image:
        source = image.source

        def walk(folder: str) -> None:
            for name in source.list_dir(folder):
                inside = f"{folder.rstrip('/')}/{name}"
                link = source.read_link(inside)
                if link is not None:
                    found[inside] = f"-> {link}"
                elif source.is_dir(inside):
                    walk(inside)
                else:
                    found[inside] = source.find_text(inside) or "?"

        walk("/")
    return found


def test_whiteouts_delete_what_lies_below(tmp_path: Path) -> None:
    lower = layer({"etc/a": "1", "etc/d/b": "2", "opt/x/y": "3", "etc/z": "4"})
    upper = layer(
        {"etc/.wh.a": "", "etc/.wh.d": "", "opt/.wh.x": "", "opt/x": "new"},
    )
    assert tree_of(tmp_path, lower, upper) == {
        "/etc/keep": "k",
        "/etc/z": "4",
        "/opt/x": "?",  # there, and nothing a probe reads
    }


def test_an_opaque_folder_hides_what_lies_below_only(tmp_path: Path) -> None:
    lower = layer({"etc/d/old": "1"})
    upper = layer({"etc/d/new": "2", "etc/d/.wh..wh..opq": ""})
    assert tree_of(tmp_path, lower, upper) == {"/etc/keep": "k", "/etc/d/new": "2"}


def test_the_last_of_two_equal_names_counts(tmp_path: Path) -> None:
    from tests.image.pack import layer_of

    doubled = layer_of([("etc/a", "1"), ("etc/a", "2")])
    assert tree_of(tmp_path, doubled)["/etc/a"] == "2"


def test_hard_links_are_the_file_they_name(tmp_path: Path) -> None:
    linked = layer({"etc/a": "1", "etc/b": Entry(hardlink="etc/a")})
    assert tree_of(tmp_path, linked)["/etc/b"] == "1"


def test_a_file_replaces_a_folder_and_the_other_way_round(tmp_path: Path) -> None:
    lower = layer({"etc/a/b": "1", "etc/c": "2"})
    upper = layer({"etc/a": "file", "etc/c/d": "deep"})
    found = tree_of(tmp_path, lower, upper)
    assert found == {"/etc/keep": "k", "/etc/a": "file", "/etc/c/d": "deep"}


def test_files_below_a_name_that_is_a_link_underneath(tmp_path: Path) -> None:
    lower = layer({"usr/etc/a": "1", "opt/etc": Entry(link="/etc")})
    found = tree_of(tmp_path, lower, layer({"opt/etc/b": "2"}))
    assert "/etc/b" in found
    assert found["/opt/etc"] == "-> /etc"


# The command


def run(*words: str, env: Mapping[str, str] | None = None) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "fwdoctor", "image", *words],
        env=dict(os.environ) | {"COLUMNS": "100"} | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_tells_a_cpu_build_in_a_gpu_image(
    cpu_root: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    image = Image(
        layers=[layer_of_tree(cpu_root)], env={"NVIDIA_VISIBLE_DEVICES": "all"}
    )
    path = str(write("docker", image, tmp_path))
    result = run(path, env={"TMPDIR": str(temporary)})
    assert result.stderr == ""
    assert result.returncode == ExitCode.FINDINGS
    assert "PyTorch in this image cannot use a GPU." in result.stdout
    assert "FW401" in result.stdout
    assert list(temporary.iterdir()) == []


def test_a_cpu_image_for_the_processor_is_no_finding(cpu_root: Path) -> None:
    result = run(str(cpu_root), "--format", "json")
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert report["verdict"] == "healthy"
    assert report["headline"] == "PyTorch in this image runs on the CPU."
    assert run(str(cpu_root), "--require", "torch").returncode == 1


@pytest.mark.parametrize("name", ["nothing", "empty", "file"])
def test_what_is_no_image_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("hello")
    result = run(str(tmp_path / name))
    assert result.returncode == ExitCode.USAGE
    assert result.stderr.startswith("fwdoctor: ")
    assert "Traceback" not in result.stderr
