"""The allow-list of environment variables and its redaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes.env_vars import VALUE_LIMIT, EnvVarsProbe, is_allowed, parse_env

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource


@pytest.mark.parametrize(
    "name",
    [
        "CUDA_VISIBLE_DEVICES",
        "CUDA_HOME",
        "NVIDIA_VISIBLE_DEVICES",
        "NCCL_DEBUG",
        "LD_LIBRARY_PATH",
        "XLA_FLAGS",
        "TF_FORCE_GPU_ALLOW_GROWTH",
        "PYTORCH_CUDA_ALLOC_CONF",
        "CONDA_OVERRIDE_CUDA",
        "UV_INDEX_URL",
        "KERAS_BACKEND",
        "SLURM_STEP_GPUS",
        "SLURM_JOB_GRES",
    ],
)
def test_allowed(name: str) -> None:
    assert is_allowed(name)


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA_API_KEY",
        "UV_PUBLISH_TOKEN",
        "UV_INDEX_X_PASSWORD",
        "UV_INDEX_X_USERNAME",
        "TF_VAR_db",
        "TF_TOKEN_app_terraform_io",
        "tf_secret",
        "PIP_CONFIG_FILE",
        "SLURM_JOB_ACCOUNT",
        "PATH",
        "HOME",
        "MY_CUDA_HOME",
        "",
    ],
)
def test_not_allowed(name: str) -> None:
    assert not is_allowed(name)


def test_values_are_redacted_and_sorted(make_source: MakeSource) -> None:
    env = {
        "VIRTUAL_ENV": "/home/alice/proj/.venv",
        "LD_LIBRARY_PATH": "/scratch/alice/lib:/usr/local/cuda/lib64",
        "CUDA_VISIBLE_DEVICES": "GPU-8f2a1c3d-1234-5678-9abc-def012345678,1",
        "PIP_INDEX_URL": "https://alice:hunter2@index.example.org/simple",
        "HOME": "/home/alice",
        "USER": "alice",
    }
    facts = EnvVarsProbe().start(make_source(env=env))()
    assert list(facts.items()) == [
        ("CUDA_VISIBLE_DEVICES", "GPU-…,1"),
        ("LD_LIBRARY_PATH", "/scratch/USER/lib:/usr/local/cuda/lib64"),
        ("PIP_INDEX_URL", "https://index.example.org/simple"),
        ("VIRTUAL_ENV", "~/proj/.venv"),
    ]


def test_undecodable_and_endless_values() -> None:
    value = "\udcff" + "x" * 100_000
    shown = parse_env({"LD_LIBRARY_PATH": value})["LD_LIBRARY_PATH"]
    assert shown.startswith("?x")
    assert len(shown) == VALUE_LIMIT


@given(env=st.dictionaries(st.text(), st.text()))
def test_any_variables(env: dict[str, str]) -> None:
    assert set(parse_env(env)) <= set(env)
