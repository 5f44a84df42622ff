"""A variable names a CUDA folder that is not there.

What it checks
--------------
CUDA_HOME, CUDA_PATH, CUDA_ROOT and the `--xla_gpu_cuda_data_dir` of XLA_FLAGS: a text
copied from a manual that was never filled in, such as `/path/to/cuda`, or a folder with
«cuda» in its name that is no toolkit.

Why it matters
--------------
The wheels of PyTorch and TensorFlow run without it. Compiling extensions, Triton,
DeepSpeed and XLA's libdevice look there first, and stop when the folder is not there:
«CUDA_HOME does not exist», «Can't find libdevice directory».

How to fix
----------
Unset the variable, or point it to a toolkit that is there.

References
----------
- https://docs.pytorch.org/docs/stable/cpp_extension.html
- https://openxla.org/xla/flags_guidance
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_VARIABLES = ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT")
_XLA_FOLDER = re.compile(r"--xla_gpu_cuda_data_dir=[\"']?([^\s\"']+)")
_NEVER_FILLED_IN = re.compile(r"/?path/to/|/your/|<[^>]+>|/usr/local/cuda-[xX]")
_TOOLKIT_FOLDER = re.compile(r"/[^:]*/cuda-\d[\w.-]*/?")


@rule(
    "FW709",
    "cuda-home-missing",
    cause="compiler-toolchain",
    severity="warning",
    needs=("env_vars", "toolkits"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Variables that name a toolkit which is not there."""
    del matrices
    for name, path in _named_folders(snapshot):
        is_sample = _NEVER_FILLED_IN.search(path) is not None
        if not is_sample and not _is_missing(path, snapshot):
            continue
        what = "a sample text" if is_sample else "no CUDA toolkit"
        yield Problem(
            subject=name,
            message=f"{name} names {path}, which is {what}",
            detail=_present(snapshot),
            evidence=(Evidence(fact=name, value=path, source="env-vars"),),
            fix=(_fix(name, snapshot),),
            certainty="proven" if is_sample else "likely",
        )


def _named_folders(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for name in _VARIABLES:
        value = snapshot.env_vars.get(name, "").strip()
        if value:
            yield name, value
    found = _XLA_FOLDER.search(snapshot.env_vars.get("XLA_FLAGS", ""))
    if found:
        yield "XLA_FLAGS", found[1]


def _is_missing(path: str, snapshot: Snapshot) -> bool:
    """A folder named after a CUDA version that is not among the toolkits found."""
    plain = path.rstrip("/")
    if not _TOOLKIT_FOLDER.fullmatch(path):
        return False  # a link, a conda prefix: they may well be there
    return not any(
        kit.path.rstrip("/").startswith(plain) or plain.startswith(kit.path.rstrip("/"))
        for kit in snapshot.toolkits or ()
    )


def _present(snapshot: Snapshot) -> str:
    paths = [kit.path for kit in snapshot.toolkits or ()]
    return f"toolkits here: {state.listed(paths)}" if paths else "no toolkit was found"


def _fix(name: str, snapshot: Snapshot) -> Fix:
    present = next((kit.path for kit in snapshot.toolkits or () if kit.has_nvcc), None)
    unset = f"unset {name}"
    command = unset
    if present is not None and name in _VARIABLES:
        command = f"export {name}={fixes.shell_word(present)}"
    return Fix(
        effort="environment",
        commands=(command,),
        why="here and in the file that sets it",
        verify=fixes.check_command(snapshot.target),
    )
