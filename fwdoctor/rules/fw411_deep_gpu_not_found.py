"""PyTorch was imported and finds no GPU, although everything below it works.

What it checks
--------------
With `--deep`: PyTorch for CUDA imports well and says that no GPU is available, while
the CUDA driver started, sees a GPU, and is new enough for the build.

Why it matters
--------------
What PyTorch really met decides. Where no other finding explains it, it mostly loads
another CUDA library than the ones installed with it, for example a stub of libcuda or
an old runtime through LD_LIBRARY_PATH.

How to fix
----------
Try without LD_LIBRARY_PATH; then reinstall PyTorch into a new environment.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://docs.nvidia.com/deploy/cuda-compatibility/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot


@rule(
    "FW411",
    "deep-gpu-not-found",
    cause="cuda-lib-conflict",
    needs=("target.torch.deep", "driver.libcuda"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A CUDA build that imported well and sees no GPU."""
    torch = snapshot.target.torch if snapshot.target else None
    deep = torch.deep if torch else None
    if torch is None or deep is None or deep.status != "ok":
        return
    if torch.kind != "cuda" or deep.gpu_available is not False:
        return
    if not snapshot.gpus or not _is_fine_below(torch, snapshot, matrices):
        return
    product = presence.product_name("torch", torch)
    yield Problem(
        subject=product,
        message=f"{product} finds no GPU, although the CUDA driver sees"
        f" {len(snapshot.gpus)}",
        detail=(deep.error or "").rstrip("."),
        certainty="likely",
        evidence=(
            Evidence(fact="torch.cuda.is_available()", value="False", source="deep"),
            Evidence(fact="cuInit", value="0", source="libcuda"),
        ),
        fix=_fixes(snapshot),
        blocks=("torch",),
    )


def _is_fine_below(torch: Framework, snapshot: Snapshot, matrices: Matrices) -> bool:
    """CUDA itself works here, and the driver is not known to be too old."""
    libcuda = snapshot.driver.libcuda
    if libcuda is None or not state.cuda_works(snapshot) or torch.cuda is None:
        return False
    verdict = compat.driver_runs(
        torch.cuda,
        matrices,
        driver=snapshot.driver.version,
        driver_cuda=presence.driver_cuda(snapshot),
        os_name=presence.driver_os(snapshot),
    )
    return verdict.ok is not False


def _fixes(snapshot: Snapshot) -> tuple[Fix, ...]:
    code = "import torch; print(torch.cuda.is_available())"
    verify = fixes.python_command(snapshot.target, code)
    if not snapshot.env_vars.get("LD_LIBRARY_PATH"):
        why = "see which libraries it loads; then try PyTorch in a new environment"
        return (
            Fix(effort="ask", why=why, verify=fixes.check_command(snapshot.target)),
        )
    return (
        Fix(
            effort="environment",
            commands=("unset LD_LIBRARY_PATH",),
            why="let PyTorch load its own libraries",
            verify=verify,
        ),
    )
