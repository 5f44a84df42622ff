"""Fixes that replace a build agree with what `recommend` plans."""

from __future__ import annotations

from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import (
    Driver,
    Environment,
    Framework,
    Gpu,
    Host,
    Snapshot,
)
from fwdoctor.solve.candidates import find_build, machine_of
from fwdoctor.solve.remedy import working_builds
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

OLD = Snapshot(
    host=Host(os="linux", machine="x86_64", libc="glibc", libc_version="2.39"),
    driver=Driver(
        version=DriverVersion.parse("450.80.02"),
        cuda_driver_version=CudaVersion(11, 0),
    ),
    gpus=(Gpu(index=0, compute_capability=ComputeCapability(7, 5)),),
    environments=(
        Environment(
            prefix="/srv/env",
            kind="conda",
            manager="conda",
            python_version="3.11.9",
            is_target=True,
            packages=(),
            torch=Framework(version="2.9.1", kind="cuda", package="torch"),
        ),
    ),
)


def test_conda_builds_are_looked_for_on_conda_forge_first() -> None:
    found = find_build("torch", machine_of(OLD), Matrices())
    assert found is not None
    assert (found.variant.index, found.release.version) == ("conda-forge", "2.4.1")
    (fix,) = working_builds(OLD, Matrices(), "torch")
    # Any build of this CUDA major, as `recommend` asks for it.
    assert fix.commands[0].endswith('-c conda-forge "pytorch=2.4.1=cuda11*"')
