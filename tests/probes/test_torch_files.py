"""PyTorch's build facts from version.py, metadata and libtorch_python."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import Package
from fwdoctor.probes.torch_files import parse_version_file, read_torch
from fwdoctor.process import run_child
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

CUDA_FILE = """\
from typing import Optional
__version__ = '2.15.0+cu132'
debug = False
cuda: Optional[str] = '13.2'
git_version = 'd0f2'
hip: Optional[str] = None
xpu: Optional[str] = None
"""
OLD_FILE = "__version__ = '1.4.0'\ndebug = False\ncuda = '10.1'\ngit_version = 'x'\n"
CPU_FILE = CUDA_FILE.replace("cu132", "cpu").replace("'13.2'", "None")
ROCM_FILE = "__version__ = '2.9.0+rocm6.4'\ncuda = None\nhip = '6.4.43482'\n"
XPU_FILE = "__version__ = '2.9.0+xpu'\ncuda: str | None = None\nxpu = '20250201'\n"


@pytest.mark.parametrize(
    ("text", "kind", "version", "label", "cuda"),
    [
        (CUDA_FILE, "cuda", "2.15.0", "cu132", CudaVersion(13, 2)),
        (OLD_FILE, "cuda", "1.4.0", None, CudaVersion(10, 1)),
        (CPU_FILE, "cpu", "2.15.0", "cpu", None),
        (ROCM_FILE, "rocm", "2.9.0", "rocm6.4", None),
        (XPU_FILE, "xpu", "2.9.0", "xpu", None),
    ],
    ids=["cuda", "old", "cpu", "rocm", "xpu"],
)
def test_kinds(
    make_source: MakeSource,
    text: str,
    kind: str,
    version: str,
    label: str | None,
    cuda: CudaVersion | None,
) -> None:
    torch = read_torch(make_source({"/s/torch/version.py": text}), ["/s"], [])
    assert torch is not None
    assert (torch.kind, torch.version, torch.local_label, torch.cuda) == (
        kind,
        version,
        label,
        cuda,
    )
    assert torch.problem is None
    assert torch.path == "/s/torch"


def test_nothing_installed(make_source: MakeSource) -> None:
    assert read_torch(make_source({"/s/x": ""}), ["/s"], []) is None


@pytest.mark.parametrize("content", [b"", b"\xff\0\xfe" * 999, b"x" * 10**6])
def test_garbage_is_a_problem_and_metadata_still_speaks(
    make_source: MakeSource, content: bytes
) -> None:
    source = make_source({"/s/torch/version.py": content})
    package = Package(name="torch", version="2.1.0+cu121", installer="pip")
    torch = read_torch(source, ["/s"], [package])
    assert torch is not None
    assert (torch.version, torch.kind, torch.source) == (
        "2.1.0",
        "cuda",
        "pytorch-index",
    )
    assert torch.problem is not None
    assert "torch/version.py" in torch.problem


def test_missing_folder_is_a_problem(make_source: MakeSource) -> None:
    package = Package(name="torch", version="2.1.0", installer="pip")
    torch = read_torch(make_source({"/s/x": ""}), ["/s"], [package])
    assert torch is not None
    assert torch.problem is not None
    assert torch.kind == "unknown"


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (Package(name="torch", version="2.1", installer="pip"), "pypi"),
        (Package(name="torch", version="2.1+cpu", installer="uv"), "pytorch-index"),
        (Package(name="torch", version="2.1a0+29c30b1", installer="pip"), "other"),
        (Package(name="torch", version="2.1"), "other"),
        (
            Package(name="torch", version="2.1", direct_url="download.pytorch.org/x"),
            "pytorch-index",
        ),
        (
            Package(
                name="pytorch", version="2.1", channel="conda-forge", build_string="c"
            ),
            "conda-forge",
        ),
    ],
)
def test_origin(make_source: MakeSource, package: Package, expected: str) -> None:
    source = make_source({"/s/torch/version.py": OLD_FILE})
    torch = read_torch(source, ["/s"], [package])
    assert torch is not None
    assert torch.source == expected


def test_of_two_listed_versions_the_one_on_disk_speaks(
    make_source: MakeSource,
) -> None:
    source = make_source({"/s/torch/version.py": CUDA_FILE})
    packages = [
        Package(name="torch", version="2.1.0+cpu", location="/s", installer="pip"),
        Package(name="torch", version="2.15.0", location="/s", installer="uv"),
    ]
    torch = read_torch(source, ["/s"], packages)
    assert torch is not None
    assert (torch.version, torch.source) == ("2.15.0", "pypi")


def test_cudnn_is_the_pin(make_source: MakeSource) -> None:
    package = Package(
        name="torch",
        version="2.1",
        requires=("x>1", "nvidia-cudnn-cu12==8.9.2.26; platform_system == 'Linux'"),
    )
    source = make_source({"/s/torch/version.py": OLD_FILE})
    torch = read_torch(source, ["/s"], [package])
    assert torch is not None
    assert torch.cudnn == "8.9.2.26"


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="no C compiler for ELF"
)
@pytest.mark.parametrize(
    ("flags", "sass", "ptx"),
    [
        ("sm_75 sm_90a compute_120", ["7.5", "9.0a"], ["12.0"]),
        ("compute_80 sm_80", ["8.0"], ["8.0"]),
    ],
)
def test_arch_flags(
    make_source: MakeSource, tmp_path: Path, flags: str, sass: list[str], ptx: list[str]
) -> None:
    code = tmp_path / "a.c"
    code.write_text(
        'const char *other(void) { return "needs sm_70 or newer"; }\n'
        f'const char *flags(void) {{ return "{flags}"; }}\n'
    )
    source = make_source({"/s/torch/version.py": CUDA_FILE, "/s/torch/lib/x": ""})
    library = tmp_path / "s/torch/lib/libtorch_python.so"
    argv = ["gcc", "-shared", "-fPIC", "-o", str(library), str(code)]
    assert run_child(argv, timeout_s=30).is_success
    torch = read_torch(source, ["/s"], [])
    assert torch is not None
    assert torch.compute_capabilities == tuple(map(ComputeCapability.parse, sass))
    assert torch.ptx == tuple(map(ComputeCapability.parse, ptx))
    library.write_bytes(library.read_bytes()[:3000])
    damaged = read_torch(source, ["/s"], [])
    assert damaged is not None
    assert damaged.compute_capabilities is None


@given(st.text())
def test_any_text_parses(text: str) -> None:
    values = parse_version_file(text)
    assert all(isinstance(value, str) for value in values.values())
