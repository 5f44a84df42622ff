"""The installed cuDNN no longer supports the GPU.

What it checks
--------------
The cuDNN release each framework would load, against every GPU's compute capability.
Newer cuDNN releases left out old GPUs while the framework's own code still runs there.

Why it matters
--------------
Tensors and matrix products work, so `is_available()` and a first test look fine; the
first convolution fails with CUDNN_STATUS_ARCH_MISMATCH or «is not compatible with
devices with SM < 7.5».

How to fix
----------
Install the newest cuDNN that still supports the GPU, where the framework allows it, or
a build of the framework that comes with one.

References
----------
- https://docs.nvidia.com/deeplearning/cudnn/backend/latest/reference/support-matrix.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.fw301_cudnn_mismatch import find_cudnn
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot
    from fwdoctor.versions import ComputeCapability


@rule(
    "FW303",
    "cudnn-without-gpu",
    cause="gpu-arch-too-old",
    needs=("gpus", "target"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """CuDNN releases that dropped a GPU the framework itself still serves."""
    for name, framework in presence.frameworks(snapshot.target).items():
        cudnn = _version(framework)
        if framework.kind != "cuda" or cudnn is None:
            continue
        runs = [
            (cc, compat.cudnn_runs(cudnn, cc, matrices).ok)
            for cc in presence.capabilities(snapshot)
            if compat.build_runs(name, framework, cc, matrices).ok is not False
        ]  # of the others FW403 or FW506 speaks
        is_some_served = any(ok for _, ok in runs)
        for cc, ok in runs:
            if ok is False:
                found = _problem(name, framework, cudnn, cc, snapshot, matrices)
                yield _milder(found) if is_some_served else found


def _milder(problem: Problem) -> Problem:
    """Where another GPU of the machine works, this one is only worth a warning."""
    return replace(problem, severity="warning", blocks=())


def _version(framework: Framework) -> str | None:
    library = find_cudnn(framework)
    found = library.version if library else framework.cudnn
    return found if found and "." in found else None


def _problem(
    name: str,
    framework: Framework,
    cudnn: str,
    cc: ComputeCapability,
    snapshot: Snapshot,
    matrices: Matrices,
) -> Problem:
    product = presence.product_name(name, framework)
    verdict = compat.cudnn_runs(cudnn, cc, matrices)
    return Problem(
        subject=product,
        message=f"cuDNN {cudnn} of {product} does not support compute capability {cc}",
        detail=verdict.reason,
        evidence=(Evidence(fact="cudnn", value=cudnn, source=framework.path or ""),),
        fix=(
            *_older_cudnn(name, framework, cc, snapshot, matrices),
            *working_builds(snapshot, matrices, name),
        ),
        blocks=(name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )


def _older_cudnn(
    name: str,
    framework: Framework,
    cc: ComputeCapability,
    snapshot: Snapshot,
    matrices: Matrices,
) -> tuple[Fix, ...]:
    """The last cuDNN line with this GPU; PyTorch pins its own, so only TensorFlow."""
    cuda = framework.cuda
    if name != "tensorflow" or cuda is None:
        return ()
    lines = [
        release.version
        for release in matrices.cudnn_releases()
        if cuda.major in release.cuda_majors
        and compat.cudnn_runs(release.version, cc, matrices).ok
    ]
    if not lines:
        return ()
    pin = f"nvidia-cudnn-cu{cuda.major}=={lines[-1]}.*"
    if fixes.manager_of(snapshot.target) in fixes.CONDA_MANAGERS:
        pin = f"cudnn={lines[-1]}.*"
    return (
        Fix(
            effort="environment",
            commands=(fixes.install_command(snapshot.target, [pin]),),
            why=f"cuDNN {lines[-1]} is the last with compute capability {cc}",
            verify=fixes.check_command(snapshot.target),
        ),
    )
