"""Environment variables that steer GPUs, loaders and Python, from an allow-list.

Names that may hold a secret are never taken; values are redacted.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwdoctor.probes.source import Source

VALUE_LIMIT = 8192  # characters; longer than any list of folders worth reading
_PREFIXES = (
    "CUDA_",
    "NVIDIA_",
    "NCCL_",
    "XLA_",
    "TF_",
    "TORCH_",
    "PYTORCH_",
    "TRITON_",
    "CONDA_OVERRIDE_",
    "UV_",
    "JAX_",
)
_NAMES = frozenset(
    {
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONNOUSERSITE",
        "CONDA_PREFIX",
        "VIRTUAL_ENV",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "OMP_NUM_THREADS",
        "KERAS_BACKEND",
    }
)
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH|USERNAME|COOKIE|HEADER")
_TERRAFORM = ("TF_VAR_", "TF_CLI_", "TF_HTTP_")  # not TensorFlow's
_SLURM_GPU = re.compile(r"SLURM_.*(GPU|GRES)")


class EnvVarsProbe:
    """The allowed variables with redacted values."""

    name = "env-vars"

    def start(self, source: Source) -> Callable[[], Mapping[str, str]]:
        """Nothing runs; the variables are those of the source."""
        return lambda: parse_env(source.env)


def parse_env(env: Mapping[str, str]) -> Mapping[str, str]:
    """The allowed variables of `env`, sorted, with redacted values."""
    home = env.get("HOME") or env.get("USERPROFILE")
    user = env.get("USER") or env.get("LOGNAME") or env.get("USERNAME")
    return MappingProxyType(
        {
            name: redact(_printable(env[name]), home=home, user=user)
            for name in sorted(env)
            if is_allowed(name)
        }
    )


def is_allowed(name: str) -> bool:
    """Whether a variable may be taken, by its name alone."""
    if _SECRET.search(name.upper()) or name.startswith(_TERRAFORM):
        return False
    return (
        name in _NAMES
        or name.startswith(_PREFIXES)
        or _SLURM_GPU.match(name) is not None
    )


def _printable(value: str) -> str:
    """The value without the lone surrogates that undecodable bytes leave."""
    return value[:VALUE_LIMIT].encode("utf-8", "replace").decode("utf-8")
