"""PyTorch on a machine with an NVIDIA GPU is a build without CUDA.

What it checks
--------------
The installed PyTorch says of itself, in `torch/version.py`, that it was built without
CUDA, and the machine has an NVIDIA GPU. In a pasted report that names no GPU, CUDA
packages of conda beside the build show as well that one was meant to be used.

Why it matters
--------------
Such a build never uses a GPU: `torch.cuda.is_available()` is False and `.cuda()` raises
«Torch not compiled with CUDA enabled». It is what PyPI serves on Windows, what the
`cpu` index serves everywhere, and what conda takes when it sees no GPU. A build that
reaches a GPU by other means, such as torch-directml, is left alone, and so is a CPU
build in a container that asked for no GPU.

How to fix
----------
Install a CUDA build of the same release, from the index that has it. pip keeps the
installed file when the version number is the same, so it must be told to reinstall.
Where the CPU was chosen on purpose, `--ignore FW401` keeps the check quiet about it.

References
----------
- https://pytorch.org/get-started/locally/
- https://docs.astral.sh/uv/guides/integration/pytorch/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.fixes import CONDA_MANAGERS
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.fw701_container_without_gpu_runtime import is_left_without
from fwdoctor.rules.registry import rule
from fwdoctor.rules.report_facts import is_without_nvidia
from fwdoctor.solve.remedy import is_without_build, working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_CUDA_PACKAGES = ("pytorch-cuda", "cudatoolkit")


@rule(
    "FW401",
    "torch-cpu-build",
    cause="cpu-only-build",
    needs=("target.torch",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A CPU build of PyTorch where an NVIDIA GPU is."""
    target = snapshot.target
    torch = target.torch if target else None
    if torch is None or torch.kind != "cpu" or snapshot.host.is_tegra:
        return
    has_gpu = presence.has_nvidia_gpu(snapshot) is True
    asked = None if has_gpu else _cuda_package(snapshot)
    if is_left_without(snapshot) or not (has_gpu or asked):
        return
    if presence.other_way(target, "torch") is not None:
        return
    product = presence.product_name("torch", torch)
    gpu = next((gpu.name for gpu in snapshot.gpus or () if gpu.name), "an NVIDIA GPU")
    beside = f"{asked} was asked for" if asked else f"this machine has {gpu}"
    found = working_builds(snapshot, matrices, "torch")
    is_hopeless = is_without_build(snapshot, found)
    origin = _origin(torch.source, torch.build_string or torch.local_label)
    yield Problem(
        subject=product,
        message=f"{product} was built without CUDA, and {beside}",
        detail="no CUDA build in our data fits this machine" if is_hopeless else origin,
        severity="info" if is_hopeless else None,
        evidence=(
            Evidence(fact="torch.kind", value="cpu", source=torch.path or "torch"),
        ),
        fix=found,
        certainty="likely" if asked else "proven",
        blocks=() if is_hopeless else ("torch",),
    )


def _cuda_package(snapshot: Snapshot) -> str | None:
    """What of CUDA a paste has from conda, where PyTorch is the only one to use it."""
    target = snapshot.target
    if snapshot.origin != "pasted" or target is None or target.tensorflow is not None:
        return None
    if is_without_nvidia(snapshot):
        return None
    listed = {p.name for p in target.packages or () if p.installer == "conda"}
    for command in snapshot.commands:
        if command.tool in CONDA_MANAGERS:
            listed |= {text.partition("=")[0] for text in command.requirements}
    return next((name for name in _CUDA_PACKAGES if name in listed), None)


def _origin(source: str | None, label: str | None) -> str:
    labelled = f" ({label})" if label else ""
    places = {
        "pypi": "it came from PyPI",
        "pytorch-index": "it came from PyTorch's own index",
        "conda-forge": "it came from conda-forge",
        "pytorch": "it came from the pytorch conda channel",
        "defaults": "it came from conda's default channel",
    }
    place = places.get(source or "")
    return f"{place}{labelled}" if place else ""
