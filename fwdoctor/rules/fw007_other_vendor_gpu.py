"""The only GPU is not from NVIDIA, and PyTorch is a build for NVIDIA.

What it checks
--------------
The PCI bus lists a GPU from AMD or Intel and none from NVIDIA, and the installed
PyTorch was built for CUDA, which is what PyPI gives on Linux.

Why it matters
--------------
Nothing is broken: a CUDA build runs on the CPU here. PyTorch has other builds for GPUs
of other makers, for those models that ROCm or XPU support.

How to fix
----------
Where the GPU is supported, install PyTorch's ROCm build (AMD) or XPU build (Intel).

References
----------
- https://pytorch.org/get-started/locally/
- https://rocm.docs.amd.com/projects/install-on-linux/en/latest/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot

_MAKERS = {"amd": ("AMD", "ROCm"), "intel": ("Intel", "XPU")}


@rule(
    "FW007",
    "other-vendor-gpu",
    cause="not-an-install-problem",
    severity="info",
    needs=("pci", "target.torch"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A CUDA build where only another maker's GPU is."""
    torch = snapshot.target.torch if snapshot.target else None
    if torch is None or torch.kind != "cuda":
        return
    if presence.has_nvidia_gpu(snapshot) is not False:
        return
    vendors = {d.vendor for d in snapshot.pci or () if d.kind == "gpu"}
    vendor = next((name for name in _MAKERS if name in vendors), None)
    if vendor is None:
        return
    maker, build = _MAKERS[vendor]
    product = presence.product_name("torch", torch)
    yield Problem(
        subject=product,
        message=f"{product} is a build for NVIDIA, and the GPU here is from {maker}",
        detail="it runs on the CPU",
        certainty="possible",
        evidence=(Evidence(fact="gpu vendor", value=vendor, source="pci"),),
        fix=(_fix(build, maker, torch, snapshot, matrices),),
    )


def _fix(
    build: str, maker: str, torch: Framework, snapshot: Snapshot, matrices: Matrices
) -> Fix:
    """The build for that maker, with its index where our data has it."""
    release = matrices.find_release("torch", torch.version or "")
    indexes = [
        variant.index
        for variant in (release.variants if release else ())
        if variant.variant.startswith(build.lower())
        and variant.index.startswith("https://")
    ]
    pin = presence.product_pin("torch", torch)
    commands = tuple(
        fixes.install_command(snapshot.target, [pin], index_url=index, force=True)
        for index in indexes[-1:]
    )
    why = f"where {maker}'s GPU is supported, PyTorch has {build} builds"
    return Fix(effort="environment", commands=commands, why=why)
