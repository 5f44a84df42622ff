"""Sonames TensorFlow opens, from the headers of its wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes.tensorflow_dlopen import find_sonames, parse_cuda_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

CONFIG = """
#define TF_CUDA_VERSION "12.5.1"
#define TF_CUDART_VERSION "12"
#define TF_CUBLAS_VERSION "12"
#define TF_CUSOLVER_VERSION "11"
#define TF_CURAND_VERSION "10"
#define TF_CUDNN_VERSION "9"
#define TF_CUDA_TOOLKIT_PATH ""
"""
NAMES = ("CudaDriver", "CudaRuntime", "Cublas", "CublasLt", "Cusolver", "Cudnn")
HEADER = "\n".join(f"absl::StatusOr<void*> Get{name}DsoHandle();" for name in NAMES)
CONFIG_PATH = "/tf/include/third_party/gpus/cuda/cuda_config.h"
LOADER = "/tf/include/{}/platform/default/dso_loader.h"


@pytest.mark.parametrize(
    "where",
    ["xla/tsl", "tsl", "tensorflow/stream_executor"],
    ids=["2.20", "2.15", "2.4"],
)
def test_libraries_the_loader_knows(make_source: MakeSource, where: str) -> None:
    source = make_source({CONFIG_PATH: CONFIG, LOADER.format(where): HEADER})
    assert find_sonames(source, "/tf") == (
        "libcudart.so.12",
        "libcublas.so.12",
        "libcublasLt.so.12",
        "libcusolver.so.11",
        "libcudnn.so.9",
    )


def test_old_configuration_has_one_number_for_all(make_source: MakeSource) -> None:
    source = make_source(
        {
            CONFIG_PATH: '#define TF_CUDA_VERSION "10.0"\n#define TF_CUDNN_VERSION "7"',
            LOADER.format("tensorflow/stream_executor"): HEADER
            + "GetCurandDsoHandle();",
        }
    )
    sonames = find_sonames(source, "/tf")
    assert "libcurand.so.10.0" in sonames
    assert "libcudnn.so.7" in sonames


def test_no_headers_no_claims(make_source: MakeSource) -> None:
    assert find_sonames(make_source({"/tf/x": ""}), "/tf") == ()
    assert find_sonames(make_source({CONFIG_PATH: CONFIG}), "/tf") == ()


@given(st.text())
def test_any_text_parses(text: str) -> None:
    assert isinstance(parse_cuda_config(text + CONFIG + text), dict)
