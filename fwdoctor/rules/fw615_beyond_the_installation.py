"""What a report is about lies beyond the installation.

What it checks
--------------
In a pasted report only: a framework that was seen with the GPU. Messages that name an
error of the program, of its data or of another kind of machine speak through this rule
as well.

Why it matters
--------------
Reinstalling drivers and packages would change nothing. A failed assertion in a kernel,
tensors on two devices, a model that does not fit or a rounding difference has its cause
in the program.

How to fix
----------
Look at the first error of the program itself. With `CUDA_LAUNCH_BLOCKING=1` a kernel's
error is reported where it happens.

References
----------
- https://docs.pytorch.org/docs/stable/notes/cuda.html
- https://www.tensorflow.org/guide/gpu
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW615",
    "beyond-the-installation",
    cause="not-an-install-problem",
    severity="info",
    needs=("target",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Frameworks of a pasted report that were seen with the GPU."""
    del matrices
    if snapshot.origin != "pasted":
        return
    for name, framework in presence.frameworks(snapshot.target).items():
        if framework.gpu_available is True:
            product = presence.product_name(name, framework)
            yield Problem(
                subject=product,
                message=f"{product} was seen with the GPU",
                certainty="possible",
                evidence=(
                    Evidence(fact="gpu_available", value="True", source="pasted"),
                ),
            )
