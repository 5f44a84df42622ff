"""The driver is too old for the CUDA version a framework was built for.

What it checks
--------------
The CUDA version the installed PyTorch or TensorFlow was built for, against the driver.
From CUDA 11 on a build of a major version starts on every driver of that major
(minor-version compatibility): a CUDA 12.8 build runs on a driver that speaks CUDA 12.2,
and no finding is made. A driver newer than the build is always fine. A framework that
was seen using the GPU only gets a warning.

Why it matters
--------------
The framework finds the driver, cannot use it, and falls back to the CPU: PyTorch warns
«The NVIDIA driver on your system is too old», TensorFlow skips the GPU.

How to fix
----------
Either install a build for an older CUDA that this driver runs, which needs no root and
no reboot, or upgrade the driver. The CUDA toolkit on the machine (`nvcc`) plays no
part.

References
----------
- https://docs.nvidia.com/deploy/cuda-compatibility/
- https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.driver_branches import driver_branch_for
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot
    from fwdoctor.versions import DriverVersion


@rule(
    "FW111",
    "driver-too-old",
    cause="driver-too-old",
    needs=("driver.version", "target"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each framework's CUDA version against the driver."""
    if not state.has_gpu_to_use(snapshot):
        return
    for name, framework in presence.frameworks(snapshot.target).items():
        if framework.kind == "cuda" and framework.cuda is not None:
            yield from _check_one(name, framework, snapshot, matrices)


def _check_one(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> Iterator[Problem]:
    assert framework.cuda is not None  # noqa: S101  # checked by the caller
    driver = snapshot.driver.version
    speaks = presence.driver_cuda(snapshot)
    os_name = presence.driver_os(snapshot)
    verdict = compat.driver_runs(
        framework.cuda, matrices, driver=driver, driver_cuda=speaks, os_name=os_name
    )
    if verdict.ok is not False:
        return
    least = compat.least_driver(framework.cuda, matrices, os_name=os_name)
    product = presence.product_name(name, framework)
    spoken = f"; this driver speaks CUDA {speaks}" if speaks else ""
    works = presence.is_observed_working(framework) or framework.gpu_available is True
    seen = "; yet it was seen using the GPU" if works else ""
    yield Problem(
        subject=product,
        message=f"driver {driver} is too old for {product},"
        f" built for CUDA {framework.cuda}",
        detail=f"{verdict.reason}{spoken}{seen}",
        evidence=(
            Evidence(
                fact="driver_version",
                value=str(driver),
                source=snapshot.driver.version_source or "",
            ),
            Evidence(
                fact=f"{name}.cuda",
                value=framework.cuda_text or str(framework.cuda),
                source=framework.path or "",
            ),
        ),
        fix=(
            *working_builds(snapshot, matrices, name),
            *_upgrade(name, framework, least, snapshot, matrices),
        ),
        severity="warning" if works else None,
        blocks=() if works else (name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )


def _upgrade(
    name: str,
    framework: Framework,
    least: DriverVersion | None,
    snapshot: Snapshot,
    matrices: Matrices,
) -> tuple[Fix, ...]:
    """A newer driver, where it exists for these GPUs and the build has code for one."""
    capabilities = presence.capabilities(snapshot)
    served = [compat.build_runs(name, framework, cc, matrices) for cc in capabilities]
    if capabilities and all(verdict.ok is False for verdict in served):
        return ()
    if least is None:
        why = (
            f"install a driver that speaks CUDA {framework.cuda}; none in our data does"
        )
        return (Fix(effort="reboot", why=why, verify="nvidia-smi"),)
    if driver_branch_for(snapshot, matrices, least) is None:
        return ()
    return (fixes.driver_upgrade(snapshot, matrices, least),)
