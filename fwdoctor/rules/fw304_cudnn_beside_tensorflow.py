"""The cuDNN of a report is not one its TensorFlow can use.

What it checks
--------------
In a pasted report only: the cuDNN it names against the version its TensorFlow release
was built for, where that release opens the system's cuDNN. The same major version and
an equal or newer minor one fits. On a live machine FW301 sees the library itself.

Why it matters
--------------
Another major version has another file name and is not found; an older minor version is
refused: «Loaded runtime CuDNN library … but source was compiled with …».

How to fix
----------
Install the cuDNN the release was built for.

References
----------
- https://docs.nvidia.com/deeplearning/cudnn/latest/api/overview.html
- https://www.tensorflow.org/install/source#gpu
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.rules.report_facts import system_tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW304",
    "cudnn-beside-tensorflow",
    cause="cudnn-mismatch",
    severity="warning",
    needs=("libraries", "target.tensorflow"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The cuDNN versions of a pasted report against TensorFlow's build."""
    tensorflow = system_tensorflow(snapshot, matrices)
    if tensorflow is None or tensorflow.cudnn is None:
        return
    built = tensorflow.cudnn
    named = [lib for lib in snapshot.libraries or () if lib.name == "cudnn"]
    versions = [library.version for library in named if library.version]
    verdicts = [compat.cudnn_agrees(built, version) for version in versions]
    if not verdicts or any(verdict.ok is not False for verdict in verdicts):
        return
    product = presence.product_name("tensorflow", tensorflow)
    yield Problem(
        subject=product,
        message=f"{product} was built for cuDNN {built}, and this is {versions[0]}",
        certainty="likely",
        evidence=(Evidence(fact="cudnn", value=versions[0], source="pasted"),),
        fix=(
            Fix(
                effort="host-root",
                why=f"install cuDNN {built} for CUDA {tensorflow.cuda or ''}".rstrip(),
            ),
        ),
    )
