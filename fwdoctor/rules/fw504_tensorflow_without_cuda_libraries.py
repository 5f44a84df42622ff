"""TensorFlow was installed without the CUDA libraries it opens.

What it checks
--------------
A CUDA build of TensorFlow on a machine with an NVIDIA GPU, where none of the CUDA
libraries it opens at run time is found: no `nvidia-*` wheels, no toolkit on the search
path.

Why it matters
--------------
`pip install tensorflow` brings the framework alone. TensorFlow then says «Could not
find cuda drivers» or «Cannot dlopen some GPU libraries» and computes on the CPU. The
driver is fine.

How to fix
----------
Install `tensorflow[and-cuda]`, in a release whose wheels find these libraries.

References
----------
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.fw201_cuda_library_not_found import missing_libraries
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


@rule(
    "FW504",
    "tensorflow-without-cuda-libraries",
    cause="cuda-lib-missing",
    needs=("target.tensorflow.libraries",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """All CUDA libraries absent, and none installed for TensorFlow."""
    target = snapshot.target
    tensorflow = target.tensorflow if target else None
    if tensorflow is None or tensorflow.kind != "cuda" or not tensorflow.libraries:
        return
    missing = missing_libraries(tensorflow)
    is_all = len(missing) == len(tensorflow.libraries)
    if not is_all or any(library.intended for library in missing):
        return
    if presence.has_nvidia_gpu(snapshot) is not True:
        return
    product = presence.product_name("tensorflow", tensorflow)
    yield Problem(
        subject=product,
        message=f"{product} is installed without the CUDA libraries it opens",
        detail=f"{missing[0].soname} and {len(missing) - 1} more are not found:"
        " no nvidia wheels, no toolkit on the search path",
        evidence=tuple(
            Evidence(fact=lib.soname, value="not found", source=lib.needed_by)
            for lib in missing
        ),
        fix=working_builds(snapshot, matrices, "tensorflow"),
        severity="warning" if presence.is_observed_working(tensorflow) else None,
        blocks=("tensorflow",),
    )
