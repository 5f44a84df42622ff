"""The image brings driver libraries of another version than the host's driver.

What it checks
--------------
Inside a container where CUDA does not start: driver packages installed in the image, or
a libcuda that is not the host's, of another version than the host's kernel module.

Why it matters
--------------
A container uses the host's kernel module, so the driver's libraries must be the host's
too; the runtime mounts them. Libraries that a package put into the image stand in front
of them and fit one host version only. A restart of the host does not help.

How to fix
----------
Build the image without driver packages: install `cuda-toolkit` or single CUDA
libraries, never `cuda`, `cuda-drivers` or `nvidia-driver-*`.

References
----------
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html
- https://github.com/tensorflow/tensorflow/issues/51641
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules import driver_state as state
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import DriverPackage, Snapshot

_USER_SPACE = ("libnvidia-compute", "libcuda1", "libnvidia-ml1", "nvidia-utils")


@rule(
    "FW706",
    "driver-baked-into-image",
    cause="driver-library-mismatch",
    needs=("container.kind", "driver.kernel_module"),
    explains=("FW105", "FW125", "FW126"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Driver packages of the image beside a kernel module of another version."""
    driver = snapshot.driver
    if state.cuda_works(snapshot) or state.has_own_driver_kind(snapshot):
        return
    fails = driver.nvml_code not in (0, None) or state.cuda_fails(snapshot)
    package = _foreign_package(snapshot)
    if not fails or package is None:
        return
    version = state.version_in(package.version)
    names = [p.name for p in state.driver_packages(snapshot) if p.manager != "dkms"]
    yield Problem(
        subject="container",
        message=f"the image holds driver libraries {version}, and the host's kernel"
        f" module is {driver.kernel_module}",
        detail="a container must use the host's driver libraries",
        evidence=(
            Evidence(
                fact="package",
                value=f"{package.name} {package.version}",
                source=package.manager,
            ),
            state.version_evidence(
                "kernel_module", driver.kernel_module, "host's kernel"
            ),
            state.code_evidence("nvml", driver.nvml_code, matrices),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=fixes.remove_packages(snapshot, names),
                why="remove the driver from the image, and start the container with"
                " the GPU",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        blocks=state.BOTH,
    )


def _foreign_package(snapshot: Snapshot) -> DriverPackage | None:
    """A package with the driver's libraries, of another version than the module."""
    module = str(snapshot.driver.kernel_module)
    return next(
        (
            package
            for package in state.driver_packages(snapshot)
            if package.name.startswith(_USER_SPACE)
            and state.version_in(package.version) != module
        ),
        None,
    )
