"""The CUDA toolkit of a report is not the one its TensorFlow opens.

What it checks
--------------
In a pasted report only: the CUDA toolkit it names against the CUDA version its
TensorFlow release was built for, where that release brings no CUDA libraries of its own
and opens those of the system. Before CUDA 11 the file names carry the minor version,
so it has to agree too. A «CUDA version» of unknown origin only makes it possible.
Packages of conda bring their own libraries and are not looked at; on a live machine
FW201 sees the libraries themselves.

Why it matters
--------------
TensorFlow opens its libraries by names with a version in them, such as
libcudart.so.11.0 or cudart64_100.dll. A toolkit of another version has other names:
«Could not load dynamic library», and TensorFlow computes on the CPU.

How to fix
----------
Install the toolkit the release was built for beside the other one, or take a TensorFlow
that installs its CUDA libraries as packages.

References
----------
- https://www.tensorflow.org/install/source#gpu
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.rules.report_facts import (
    has_minor_sonames,
    named_toolkits,
    system_tensorflow,
)
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot
    from fwdoctor.versions import CudaVersion


@rule(
    "FW507",
    "tensorflow-toolkit-mismatch",
    cause="cuda-lib-missing",
    severity="warning",
    needs=("target.tensorflow",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The toolkits of a pasted report against TensorFlow's build."""
    tensorflow = system_tensorflow(snapshot, matrices)
    versions = named_toolkits(snapshot)
    if tensorflow is None or tensorflow.cuda is None or not versions:
        return
    if any(_serves(version, tensorflow.cuda, matrices) for version in versions):
        return
    product = presence.product_name("tensorflow", tensorflow)
    listed = ", ".join(str(version) for version in sorted(versions))
    yield Problem(
        subject=product,
        message=f"{product} opens the libraries of CUDA {tensorflow.cuda}, and this is"
        f" CUDA {listed}",
        certainty="likely" if snapshot.toolkits else "possible",
        evidence=(Evidence(fact="CUDA", value=listed, source="pasted"),),
        fix=(_fix(tensorflow), *working_builds(snapshot, matrices, "tensorflow")),
    )


def _serves(have: CudaVersion, built: CudaVersion, matrices: Matrices) -> bool:
    """Whether a toolkit's libraries have the names that the build opens."""
    if have.major != built.major:
        return False
    return not has_minor_sonames(built, matrices) or have.minor == built.minor


def _fix(tensorflow: Framework) -> Fix:
    cudnn = f" and cuDNN {tensorflow.cudnn}" if tensorflow.cudnn else ""
    return Fix(
        effort="host-root",
        why=f"install CUDA {tensorflow.cuda}{cudnn} beside the other toolkit and put"
        " its libraries on the search path",
    )
