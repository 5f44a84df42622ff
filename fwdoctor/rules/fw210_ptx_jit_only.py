"""A framework reaches the GPU only through PTX that the driver compiles.

What it checks
--------------
The build has no machine code (SASS) for the GPU, but PTX that the driver compiles for
it at first use.

Why it matters
--------------
It works. The first start takes minutes while the driver compiles, later ones use its
cache, and some kernels are slower than they could be. It is not a fault, and not a
hang.

How to fix
----------
Nothing has to be done. Keep the cache (`~/.nv/ComputeCache`) and give it room with
CUDA_CACHE_MAXSIZE, or install a build with code for the GPU.

References
----------
- https://docs.nvidia.com/cuda/cuda-programming-guide/
- https://github.com/tensorflow/tensorflow/issues/62320
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_DETAIL = {
    True: "the first start takes minutes, later ones use the cache",
    None: "if kernels fail with CUDA_ERROR_UNSUPPORTED_PTX_VERSION, the driver is too"
    " old for them",
}


@rule(
    "FW210",
    "ptx-jit-only",
    cause="healthy",
    severity="info",
    needs=("gpus", "target"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each framework and capability that is served by PTX alone."""
    for name, framework in presence.frameworks(snapshot.target).items():
        if framework.kind != "cuda":
            continue
        for cc in presence.capabilities(snapshot):
            verdict = compat.build_runs(
                name,
                framework,
                cc,
                matrices,
                driver_cuda=presence.driver_cuda(snapshot),
            )
            if verdict.how == "ptx-jit":
                product = presence.product_name(name, framework)
                yield Problem(
                    subject=product,
                    message=f"{product} has no ready code for compute capability {cc};"
                    f" {verdict.reason}",
                    detail=_DETAIL[verdict.ok],
                    evidence=(
                        Evidence(
                            fact=f"{name} targets",
                            value=" ".join(
                                c.sm for c in framework.compute_capabilities or ()
                            ),
                            source=framework.path or "",
                        ),
                    ),
                )
