"""TensorFlow's build facts through the years of build_info.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import Package
from fwdoctor.probes.tensorflow_files import parse_build_info, read_tensorflow
from fwdoctor.versions import ComputeCapability, CudaVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

PAIRS = """import collections
build_info = collections.OrderedDict([('cpu_compiler', 'clang'), \
('cuda_compute_capabilities', ['sm_60', 'sm_89', 'compute_90']), \
('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True), \
('is_rocm_build', False), ('is_tensorrt_build', False)])
"""
DICT = """build_info = {'cuda_version': '10.1', "cudnn_version": "7",
  'cuda_compute_capabilities': ['sm_35', 'compute_70'], 'is_cuda_build': True}
"""
VARIABLES = """is_rocm_build = False
is_cuda_build = True
cuda_version_number = '10.1'
cudnn_version_number = '7'
"""
WINDOWS = """build_info = {'cuda_version': '64_112', 'cudnn_version': '64_8',
 'is_cuda_build': True, 'msvcp_dll_names': 'msvcp140.dll,msvcp140_1.dll'}
"""
ROCM = "is_rocm_build = True\nis_cuda_build = False\n"
CPU = "build_info = collections.OrderedDict([('is_cuda_build', False)])\n"
NO_VERSION = "build_info = collections.OrderedDict([('is_cuda_build', True)])\n"
WHERE = "/s/tensorflow/python/platform/build_info.py"


@pytest.mark.parametrize(
    ("text", "kind", "cuda", "cudnn"),
    [
        (PAIRS, "cuda", CudaVersion(12, 5), "9"),
        (DICT, "cuda", CudaVersion(10, 1), "7"),
        (VARIABLES, "cuda", CudaVersion(10, 1), "7"),
        (WINDOWS, "cuda", CudaVersion(11, 2), "8"),
        (ROCM, "rocm", None, None),
        (CPU, "cpu", None, None),
        (NO_VERSION, "cuda", None, None),
    ],
    ids=["2.21", "2.3", "2.1", "windows", "rocm", "cpu", "2.22"],
)
def test_formats(
    make_source: MakeSource,
    text: str,
    kind: str,
    cuda: CudaVersion | None,
    cudnn: str | None,
) -> None:
    source = make_source({WHERE: text, "/s/tensorflow/__init__.py": ""})
    found = read_tensorflow(source, ["/s"], [])
    assert found is not None
    assert (found.kind, found.cuda, found.cudnn) == (kind, cuda, cudnn)
    assert found.problem is None


def test_targets_and_package(make_source: MakeSource) -> None:
    source = make_source({WHERE: PAIRS, "/s/tensorflow/__init__.py": ""})
    packages = [
        Package(name="tensorflow-cpu", version="2.1", location="/s", installer="pip"),
        Package(name="tensorflow", version="2.21.0", location="/s", installer="pip"),
    ]
    found = read_tensorflow(source, ["/s"], packages)
    assert found is not None
    assert found.compute_capabilities == (
        ComputeCapability(6, 0),
        ComputeCapability(8, 9),
    )
    assert found.ptx == (ComputeCapability(9, 0),)
    assert (found.package, found.version, found.source) == (
        "tensorflow",
        "2.21.0",
        "pypi",
    )


def test_version_from_headers_without_metadata(make_source: MakeSource) -> None:
    header = "/s/tensorflow/include/tensorflow/core/public/version.h"
    text = "".join(
        f"#define TF_{name}_VERSION {number}\n"
        for name, number in (("MAJOR", 2), ("MINOR", 9), ("PATCH", 3))
    )
    found = read_tensorflow(make_source({WHERE: CPU, header: text}), ["/s"], [])
    assert found is not None
    assert found.version == "2.9.3"


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 4000, b"[" * 200_000])
def test_garbage_is_a_problem(make_source: MakeSource, content: bytes) -> None:
    source = make_source({WHERE: content})
    package = Package(name="tensorflow", version="2.9.0", installer="pip")
    found = read_tensorflow(source, ["/s"], [package])
    assert found is not None
    assert found.problem is not None
    assert (found.version, found.kind) == ("2.9.0", "unknown")


def test_absent(make_source: MakeSource) -> None:
    assert read_tensorflow(make_source({"/s/x": ""}), ["/s"], []) is None


@given(st.text())
def test_any_text_parses(text: str) -> None:
    parse_build_info(text)
    parse_build_info(f"'cuda_version', [{text}] is_cuda_build = {text}")
