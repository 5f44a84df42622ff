"""Which sonames TensorFlow opens at run time, from the headers in its own wheel.

cuda_config.h has the soname numbers the build was configured with, dso_loader.h the
libraries its loader knows. All of these must open or no GPU is registered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.probes.source import Source

HEADER_BYTES = 65_536
_CONFIG_PATHS = (
    "include/third_party/gpus/cuda/cuda_config.h",
    "include/external/local_config_cuda/cuda/cuda/cuda_config.h",
)
_LOADER_PATHS = (
    "include/xla/tsl/platform/default/dso_loader.h",
    "include/tsl/platform/default/dso_loader.h",
    "include/tensorflow/tsl/platform/default/dso_loader.h",
    "include/tensorflow/stream_executor/platform/default/dso_loader.h",
    "include/tensorflow/compiler/xla/tsl/platform/default/dso_loader.h",
)
_NUMBER = re.compile(r'#define\s+TF_(\w+?)_VERSION\s+"([\d.]+)"')
_HANDLE = re.compile(r"\bGet(\w+?)DsoHandle\s*\(")
# Loader's name, soname stem, macro with its number; in the order of TensorFlow's check.
_LIBRARIES = (
    ("CudaRuntime", "cudart", "CUDART"),
    ("Cublas", "cublas", "CUBLAS"),
    ("CublasLt", "cublasLt", "CUBLAS"),
    ("Cufft", "cufft", "CUFFT"),
    ("Curand", "curand", "CURAND"),
    ("Cusolver", "cusolver", "CUSOLVER"),
    ("Cusparse", "cusparse", "CUSPARSE"),
    ("Cudnn", "cudnn", "CUDNN"),
)


def read_cuda_config(source: Source, folder: str) -> dict[str, str]:
    """Numbers of cuda_config.h: {"CUDA": "12.5.1", "CUBLAS": "12", …}."""
    for path in _CONFIG_PATHS:
        found = parse_cuda_config(_read(source, f"{folder}/{path}"))
        if found:
            return found
    return {}


def _read(source: Source, path: str) -> str:
    try:
        return source.read_text(path, HEADER_BYTES)
    except (OSError, ValueError):
        return ""


def parse_cuda_config(text: str) -> dict[str, str]:
    """The version macros of a cuda_config.h."""
    return dict(_NUMBER.findall(text))


def find_sonames(source: Source, folder: str) -> tuple[str, ...]:
    """Sonames the TensorFlow in `folder` must open; empty when it does not say."""
    numbers = read_cuda_config(source, folder)
    texts = (_read(source, f"{folder}/{path}") for path in _LOADER_PATHS)
    handles = next((found for found in map(_HANDLE.findall, texts) if found), [])
    return list_sonames(numbers, frozenset(handles))


def list_sonames(
    numbers: Mapping[str, str], handles: frozenset[str]
) -> tuple[str, ...]:
    """Sonames from the macros of cuda_config.h and the names of dso_loader.h."""
    found = []
    for handle, stem, macro in _LIBRARIES:
        number = numbers.get(macro) or numbers.get("CUDA")
        if handle in handles and number:
            found.append(f"lib{stem}.so.{number}")
    return tuple(found)
