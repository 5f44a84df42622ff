"""PyTorch on a machine with an NVIDIA GPU is a build without CUDA.

What it checks
--------------
The installed PyTorch says of itself, in `torch/version.py`, that it was built without
CUDA, and the machine has an NVIDIA GPU.

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
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.fw701_container_without_gpu_runtime import is_left_without
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


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
    if presence.has_nvidia_gpu(snapshot) is not True or is_left_without(snapshot):
        return
    if presence.other_way(target, "torch") is not None:
        return
    product = presence.product_name("torch", torch)
    gpu = next((gpu.name for gpu in snapshot.gpus or () if gpu.name), "an NVIDIA GPU")
    yield Problem(
        subject=product,
        message=f"{product} was built without CUDA, and this machine has {gpu}",
        detail=_origin(torch.source, torch.build_string or torch.local_label),
        evidence=(
            Evidence(fact="torch.kind", value="cpu", source=torch.path or "torch"),
        ),
        fix=working_builds(snapshot, matrices, "torch"),
        blocks=("torch",),
    )


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
