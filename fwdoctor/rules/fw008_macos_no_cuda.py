"""MacOS has no CUDA; frameworks use Apple's GPU in their own ways.

What it checks
--------------
Whether PyTorch or TensorFlow is installed on macOS.

Why it matters
--------------
It is no fault that `torch.cuda.is_available()` is False on a Mac: no PyTorch or
TensorFlow build for macOS has CUDA, and NVIDIA makes no driver for current macOS.

How to fix
----------
Nothing needs mending. PyTorch uses Apple's GPU as device `mps`; TensorFlow used it
through the plug-in tensorflow-metal.

References
----------
- https://docs.pytorch.org/docs/stable/notes/mps.html
- https://developer.apple.com/metal/tensorflow-plugin/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW008",
    "macos-no-cuda",
    cause="not-an-install-problem",
    severity="info",
    needs=("host.os", "target"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A framework on macOS."""
    del matrices
    found = presence.frameworks(snapshot.target)
    if snapshot.host.os != "macos" or not found:
        return
    products = [presence.product_name(*item) for item in found.items()]
    fix = Fix(
        effort="environment",
        why="use Apple's GPU as device `mps`",
        verify=fixes.python_command(
            snapshot.target, "import torch; print(torch.backends.mps.is_available())"
        ),
    )
    yield Problem(
        subject="host",
        message=f"{' and '.join(products)} cannot use CUDA on macOS",
        evidence=(Evidence(fact="os", value="macos", source="host"),),
        fix=(fix,) if "torch" in found else (),
    )
