"""What torch/__init__.py preloads, in the shapes it has had."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes.torch_preload import parse_preload

PAIRS = (("cublas", "libcublasLt.so.*[0-9]"), ("cudnn", "libcudnn.so.*[0-9]"))
LIST = """
def _get_cuda_dep_paths(path, lib_folder, lib_name):
    return glob.glob(os.path.join(path, "nvidia", f"cu{maj_cuda_version}", "lib"))


def _preload_cuda_deps(err=None, required=True):
    cuda_libs: list[tuple[str, str]] = [
        # Order matters
        ("cublas", "libcublasLt.so.*[0-9]"),
        ("cudnn", "libcudnn.so.*[0-9]"),
    ]
    for lib_folder, lib_name in cuda_libs:
        _preload_cuda_lib(lib_folder, lib_name, required=required)


"""
DICT = """
def _preload_cuda_deps(lib_folder, lib_name):
    cuda_libs: Dict[str, str] = {
        'cublas': 'libcublasLt.so.*[0-9]',
        'cudnn': 'libcudnn.so.*[0-9]',
    }


"""
LOAD = """
def _load_global_deps():
    lib_name = 'libtorch_global_deps.so'
    try:
        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)
        {after}
    except OSError as err:
        _preload_cuda_deps(err)
        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)

if x:
    pass
"""


def test_everything_afterwards() -> None:
    found = parse_preload(LIST + LOAD.format(after="_preload_cuda_deps()"))
    assert found.always == found.on_failure == PAIRS
    assert found.stops_at_missing
    assert found.looks_in_cuda_folder


def test_best_effort() -> None:
    after = "_preload_cuda_deps(required=False)"
    assert not parse_preload(LIST + LOAD.format(after=after)).stops_at_missing


def test_two_named_ones() -> None:
    after = '_preload_cuda_lib("nvjitlink", "libnvJitLink.so.*[0-9]")'
    found = parse_preload(DICT + LOAD.format(after=after))
    assert found.always == (("nvjitlink", "libnvJitLink.so.*[0-9]"),)
    assert found.on_failure == PAIRS
    assert not found.looks_in_cuda_folder


def test_only_on_failure() -> None:
    found = parse_preload(DICT + LOAD.format(after="pass"))
    assert found.always == ()
    assert found.on_failure == PAIRS


def test_before_preloading_existed() -> None:
    assert parse_preload("import torch._C\n").on_failure == ()


@given(st.text())
def test_any_text_parses(text: str) -> None:
    parse_preload(text)
    parse_preload(LIST + text + LOAD)
