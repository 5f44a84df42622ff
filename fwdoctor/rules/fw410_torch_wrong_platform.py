"""PyPI's PyTorch for this platform is a CPU build.

What it checks
--------------
On Linux aarch64 with an NVIDIA GPU (Jetson, Grace Hopper, Grace Blackwell, DGX Spark):
whether the installed PyTorch is PyPI's CPU build, of a release that PyPI has for CUDA
only on other platforms.

Why it matters
--------------
The same `pip install torch` that brings CUDA on x86-64 brings a CPU build here, with
the same version number. `torch.cuda.is_available()` is False and nothing says why.

How to fix
----------
On servers, install the CUDA build from PyTorch's own index or a release that PyPI has
with CUDA for aarch64. On Jetson, install the build that NVIDIA makes for the JetPack
release.

References
----------
- https://docs.nvidia.com/deeplearning/frameworks/install-pytorch-jetson-platform/
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot

PLATFORM = "linux-aarch64"


@rule(
    "FW410",
    "torch-wrong-platform",
    cause="no-wheel-for-platform",
    needs=("host.machine", "target.torch"),
    explains=("FW401", "FW411", "FW708"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """PyPI's CPU build on aarch64 with an NVIDIA GPU."""
    host = snapshot.host
    torch = snapshot.target.torch if snapshot.target else None
    is_linux_arm = host.os == "linux" and host.machine in ("aarch64", "arm64")
    if torch is None or torch.kind != "cpu" or not is_linux_arm:
        return
    if torch.source not in (None, "pypi") or not presence.has_nvidia_gpu(snapshot):
        return
    if not host.is_tegra and not _lacks_cuda_on_pypi(torch, matrices):
        return
    product = presence.product_name("torch", torch)
    place = "Jetson" if host.is_tegra else "Linux aarch64"
    yield Problem(
        subject=product,
        message=f"{product} from PyPI is a CPU build on {place}",
        detail="PyPI has this release with CUDA for other platforms only"
        if not host.is_tegra
        else "Jetson needs the build that NVIDIA makes for its JetPack release",
        evidence=(
            Evidence(fact="machine", value=host.machine or "", source="host"),
            Evidence(fact="torch.kind", value="cpu", source=torch.path or "torch"),
        ),
        fix=_fixes(snapshot, matrices),
        blocks=("torch",),
    )


def _lacks_cuda_on_pypi(torch: Framework, matrices: Matrices) -> bool:
    release = matrices.find_release("torch", torch.version or "")
    builds = [
        variant
        for variant in (release.variants if release else ())
        if variant.index == "pypi" and PLATFORM in variant.platforms
    ]
    return bool(builds) and not any(variant.cuda for variant in builds)


def _fixes(snapshot: Snapshot, matrices: Matrices) -> tuple[Fix, ...]:
    if not snapshot.host.is_tegra:
        return working_builds(snapshot, matrices, "torch")
    release = snapshot.host.tegra_release
    why = "install the PyTorch wheel that NVIDIA publishes for this JetPack release"
    named = f"{why} ({release})" if release else why
    return (Fix(effort="environment", why=named),)
