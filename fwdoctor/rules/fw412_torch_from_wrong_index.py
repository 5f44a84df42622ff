"""PyTorch was built for another maker's GPU.

What it checks
--------------
The installed PyTorch is a ROCm build (for AMD) or an XPU build (for Intel), and the
machine has an NVIDIA GPU and none of that maker's.

Why it matters
--------------
It came from the wrong index. A ROCm build answers to `torch.cuda` too, which hides the
mistake: `torch.cuda.is_available()` is False, and `torch.version.cuda` is None.

How to fix
----------
Install the CUDA build of the same release.

References
----------
- https://pytorch.org/get-started/locally/
- https://docs.pytorch.org/docs/stable/notes/hip.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_MAKERS = {"rocm": ("amd", "AMD's ROCm"), "xpu": ("intel", "Intel's XPU")}


@rule(
    "FW412",
    "torch-from-wrong-index",
    cause="wrong-index-or-pin",
    needs=("pci", "target.torch"),
    explains=("FW411",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A build for another maker where only NVIDIA's GPU is."""
    torch = snapshot.target.torch if snapshot.target else None
    if torch is None or torch.kind not in _MAKERS:
        return
    maker, platform = _MAKERS[torch.kind]
    vendors = {d.vendor for d in snapshot.pci or () if d.kind == "gpu"}
    if maker in vendors or not presence.has_nvidia_gpu(snapshot):
        return
    if snapshot.host.is_wsl:
        return  # its bus shows virtual devices, whatever GPUs Windows has
    product = presence.product_name("torch", torch)
    gpu = next((gpu.name for gpu in snapshot.gpus or () if gpu.name), "an NVIDIA GPU")
    yield Problem(
        subject=product,
        message=f"{product} was built for {platform}, and this machine has {gpu}",
        detail=f"the build is labelled +{torch.local_label}"
        if torch.local_label
        else "",
        evidence=(
            Evidence(fact="torch.kind", value=torch.kind, source=torch.path or "torch"),
        ),
        fix=working_builds(snapshot, matrices, "torch"),
        blocks=("torch",),
    )
