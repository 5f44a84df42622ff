"""The only place that says «this runs on that».

Pure functions over matrix data, asked by rules and by the solver alike, so that a
diagnosis and a recommendation cannot contradict each other. Unknown is None, and
something newer than our tables is never «incompatible».

Sources of the rules applied here: NVIDIA's CUDA compatibility guide (minor-version
compatibility, https://docs.nvidia.com/deploy/cuda-compatibility/) and the CUDA
programming guide (cubin and PTX compatibility).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fwdoctor.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release, Variant
    from fwdoctor.model.snapshot import Framework
    from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

OsName = Literal["linux", "windows"]


def driver_runs(
    cuda: CudaVersion,
    matrices: Matrices,
    *,
    driver: DriverVersion | None = None,
    driver_cuda: CudaVersion | None = None,
    os_name: OsName = "linux",
) -> Verdict:
    """Can a build for `cuda` start on this driver?

    `driver_cuda` is what the driver itself said it speaks; it outranks tables. Under
    WSL the driver's number is a Windows one: pass `os_name="windows"`.
    """
    floor = least_driver(cuda, matrices, os_name=os_name)
    if driver_cuda is not None and driver_cuda >= cuda:
        return Verdict(ok=True, how="native", reason=f"it speaks CUDA {driver_cuda}")
    if driver_cuda is not None and not _is_below(driver, floor):
        return _speaks_less(cuda, driver_cuda, matrices, floor)
    if driver is None or floor is None:
        return Verdict(ok=None, reason=f"the driver CUDA {cuda} needs is not known")
    toolkit = matrices.find_toolkit(cuda)
    own = toolkit.min_driver.get(os_name) if toolkit else None
    if own is not None and driver >= own:
        return Verdict(ok=True, how="native", reason=f"CUDA {cuda} needs {own}")
    if driver >= floor:
        how: Literal["minor-version", "native"] = "minor-version" if own else "native"
        return Verdict(ok=True, how=how, reason=f"CUDA {cuda.major}.x needs {floor}")
    return _too_old(cuda, matrices, floor)


def _is_below(driver: DriverVersion | None, floor: DriverVersion | None) -> bool:
    """The branch has minor-version compatibility from `floor` on: 450.80.02 in R450.

    Of a branch alone, "450", the version is not known.
    """
    if driver is None or floor is None or len(driver.parts) == 1:
        return False
    return driver.branch == floor.branch and driver < floor


def _speaks_less(
    cuda: CudaVersion,
    driver_cuda: CudaVersion,
    matrices: Matrices,
    floor: DriverVersion | None,
) -> Verdict:
    if driver_cuda.major == cuda.major and _has_minor_versions(cuda, matrices):
        return Verdict(
            ok=True,
            how="minor-version",
            reason=f"CUDA {driver_cuda} drivers run CUDA {cuda.major}.x builds",
        )
    return _too_old(cuda, matrices, floor)


def _too_old(
    cuda: CudaVersion, matrices: Matrices, floor: DriverVersion | None
) -> Verdict:
    family = f"{cuda.major}.x" if _has_minor_versions(cuda, matrices) else str(cuda)
    need = f"driver {floor} or newer" if floor else "a newer driver"
    return Verdict(
        ok=False,
        reason=f"CUDA {family} needs {need}",
        needs=str(floor) if floor else None,
    )


def _has_minor_versions(cuda: CudaVersion, matrices: Matrices) -> bool:
    """Whether minor-version compatibility exists for this CUDA major."""
    return any(
        toolkit.minor_version_floor
        for toolkit in matrices.toolkits()
        if toolkit.version.major == cuda.major
    )


def least_driver(
    cuda: CudaVersion, matrices: Matrices, *, os_name: OsName = "linux"
) -> DriverVersion | None:
    """The least driver version a build for `cuda` starts on."""
    toolkit = matrices.find_toolkit(cuda)
    if toolkit is not None:
        floor = toolkit.minor_version_floor.get(os_name)
        return floor or toolkit.min_driver.get(os_name)
    same_major = (
        toolkit.minor_version_floor[os_name]
        for toolkit in matrices.toolkits()
        if toolkit.version.major == cuda.major
        and os_name in toolkit.minor_version_floor
    )
    return max(same_major, default=None)


def driver_speaks(
    driver: DriverVersion, matrices: Matrices, *, os_name: OsName = "linux"
) -> CudaVersion | None:
    """The CUDA driver API version of a driver, from the table of branches."""
    branch = matrices.find_driver_branch(driver, os_name=os_name)
    return branch.cuda if branch else None


def gpu_runs(
    cc: ComputeCapability,
    matrices: Matrices,
    *,
    sass: Iterable[ComputeCapability],
    ptx: Iterable[ComputeCapability] = (),
    build_cuda: CudaVersion | None = None,
    driver_cuda: CudaVersion | None = None,
) -> Verdict:
    """Has a build with these SASS and PTX targets code for a GPU of capability `cc`?"""
    cubins, virtual = tuple(sass), tuple(ptx)
    if not cubins and not virtual:
        return Verdict(ok=None, reason="the build's compute capabilities are not known")
    if cc in cubins:
        return Verdict(ok=True, how="native", reason=f"the build has {cc.sm}")
    for cubin in sorted(cubins, reverse=True):  # the driver takes the nearest
        if _cubin_runs(cubin, cc, matrices, build_cuda):
            reason = f"{cubin.sm} code runs on compute capability {cc}"
            return Verdict(ok=True, how="same-major-cubin", reason=reason)
    return _ptx_verdict(cc, virtual, cubins, matrices, build_cuda, driver_cuda)


def build_runs(
    name: str,
    framework: Framework,
    cc: ComputeCapability,
    matrices: Matrices,
    *,
    driver_cuda: CudaVersion | None = None,
) -> Verdict:
    """Has the installed framework code for a GPU of capability `cc`?"""
    sass, ptx = build_targets(name, framework, matrices)
    if not sass:
        return Verdict(ok=None, reason="the build's compute capabilities are not known")
    return gpu_runs(
        cc,
        matrices,
        sass=sass,
        ptx=ptx,
        build_cuda=framework.cuda,
        driver_cuda=driver_cuda,
    )


def build_targets(
    name: str, framework: Framework, matrices: Matrices
) -> tuple[tuple[ComputeCapability, ...], tuple[ComputeCapability, ...]]:
    """SASS and PTX targets of the installed framework; empty when not known.

    The build's own record (where that was not read, the matrix's), with the PTX that
    was measured in the release's kernels.
    """
    release = matrices.find_release(name, framework.version or "")
    sass, ptx = framework.compute_capabilities, framework.ptx or ()
    if sass is None:
        sass, ptx = _published_targets(framework, release)
    measured = release.kernel_ptx if release else None
    return sass, ptx if measured is None else measured


def _published_targets(
    framework: Framework, release: Release | None
) -> tuple[tuple[ComputeCapability, ...], tuple[ComputeCapability, ...]]:
    """SASS and PTX of every published build for the same CUDA, taken together.

    Which of them is installed is not known, so any of them may serve.
    """
    if release is None or framework.cuda is None:
        return (), ()
    is_conda = framework.source in ("conda-forge", "pytorch", "defaults")
    builds = [
        build
        for build in (release.conda if is_conda else release.variants)
        if build.cuda == framework.cuda
    ]
    if not all(build.compute_capabilities for build in builds):
        return (), ()
    sass = {cc for build in builds for cc in build.compute_capabilities}
    ptx = {cc for build in builds for cc in build.ptx}
    return tuple(sorted(sass)), tuple(sorted(ptx))


def _cubin_runs(
    cubin: ComputeCapability,
    cc: ComputeCapability,
    matrices: Matrices,
    build_cuda: CudaVersion | None,
) -> bool:
    if cubin.suffix == "a" or cubin.major != cc.major or cubin.minor > cc.minor:
        return (cubin.major, cubin.minor) == (cc.major, cc.minor)
    device = matrices.find_architecture(cc)
    if device is None or cubin not in device.rejects_cubins_of:
        return True
    until = device.rejects_until_cuda
    return until is not None and build_cuda is not None and build_cuda >= until


def _ptx_verdict(
    cc: ComputeCapability,
    ptx: tuple[ComputeCapability, ...],
    sass: tuple[ComputeCapability, ...],
    matrices: Matrices,
    build_cuda: CudaVersion | None,
    driver_cuda: CudaVersion | None,
) -> Verdict:
    usable = [target for target in ptx if _ptx_runs(target, cc)]
    if not usable:
        listed = ", ".join(dict.fromkeys(str(target) for target in (*sass, *ptx)))
        return Verdict(
            ok=False, reason=f"the build has code for {listed}, none of it for {cc}"
        )
    device = matrices.find_architecture(cc)
    first = device.first_cuda if device else None
    if build_cuda and first and build_cuda.major < first.major:
        # Its own kernels would compile, but the CUDA libraries beside them have none.
        return Verdict(
            ok=False,
            reason=f"the libraries of CUDA {build_cuda} were made before this GPU,"
            f" which needs CUDA {first}",
        )
    if build_cuda and driver_cuda and driver_cuda < build_cuda:
        # The PTX may be of an older language version than the toolkit's own: some
        # kernels are generated by a compiler of their own. Hence unknown, not no.
        return Verdict(
            ok=None,
            how="ptx-jit",
            reason=f"its PTX may need a driver that speaks CUDA {build_cuda};"
            f" this one speaks CUDA {driver_cuda}",
        )
    return Verdict(
        ok=True,
        how="ptx-jit",
        reason=f"the driver compiles its PTX for {max(usable)} at first use",
    )


def _ptx_runs(target: ComputeCapability, cc: ComputeCapability) -> bool:
    if target.suffix == "a":
        return (target.major, target.minor) == (cc.major, cc.minor)
    if target.suffix == "f":
        return target.major == cc.major and target.minor <= cc.minor
    return (target.major, target.minor) <= (cc.major, cc.minor)


def is_gpu_too_old(
    cc: ComputeCapability,
    targets: Iterable[ComputeCapability],
    matrices: Matrices,
    build_cuda: CudaVersion | None,
) -> bool:
    """Of a GPU a build has no code for: did it come before the build's targets?"""
    known = sorted((t.major, t.minor) for t in targets)
    if not known or (cc.major, cc.minor) < known[0]:
        return True
    if (cc.major, cc.minor) > known[-1]:
        return False
    device = matrices.find_architecture(cc)
    first = device.first_cuda if device else None
    return not (first and build_cuda and first > build_cuda)


def driver_drives(
    cc: ComputeCapability, driver: DriverVersion, matrices: Matrices
) -> Verdict:
    """Does this driver branch still (or already) support the GPU?"""
    device = matrices.find_architecture(cc)
    if device is None:
        return Verdict(ok=None, reason=f"compute capability {cc} is not in our data")
    last, first = device.last_driver_branch, device.first_driver_branch
    generation = device.architecture.capitalize()
    if last is not None and driver.branch > last:
        return Verdict(
            ok=False,
            reason=f"R{last} is the last driver branch for {generation} GPUs",
            needs=str(last),
        )
    if first is not None and driver.branch < first:
        return Verdict(
            ok=False,
            reason=f"R{first} is the first driver branch for compute capability {cc}",
            needs=str(first),
        )
    return Verdict(ok=True, reason=f"R{driver.branch} supports {generation}")


def cudnn_runs(cudnn: str, cc: ComputeCapability, matrices: Matrices) -> Verdict:
    """Does this cuDNN release support the GPU?"""
    release = matrices.find_cudnn(cudnn)
    if release is None or not release.compute_capabilities:
        return Verdict(ok=None, reason=f"cuDNN {cudnn} is not in our data")
    oldest = min(release.compute_capabilities)
    if cc < oldest:
        return Verdict(
            ok=False,
            reason=f"cuDNN {release.version} needs compute capability {oldest}",
            needs=str(oldest),
        )
    return Verdict(ok=True, reason=f"cuDNN {release.version} supports {cc}")


def cudnn_agrees(built: str, loaded: str) -> Verdict:
    """May a framework built for cuDNN `built` run with `loaded`?

    The same major and at least the same minor (cuDNN 8 and newer; its own API
    versioning rules, and the check in PyTorch's torch/backends/cudnn).
    """
    want, have = (_numbers(text) for text in (built, loaded))
    if not want or not have:
        return Verdict(ok=None, reason="a cuDNN version is not known")
    if want[0] != have[0]:
        return Verdict(
            ok=False, reason=f"built for cuDNN {want[0]}, loaded {loaded}", needs=built
        )
    if len(want) > 1 and len(have) > 1 and have[1] < want[1]:
        return Verdict(
            ok=False,
            reason=f"built for cuDNN {built}, loaded the older {loaded}",
            needs=built,
        )
    return Verdict(ok=True, reason=f"cuDNN {loaded} serves a build for {built}")


def _numbers(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def python_runs(release: Release, python: str, variant: Variant | None) -> Verdict:
    """Is there a wheel of this release (of this variant) for Python "X.Y"?"""
    pythons = variant.python if variant and variant.python else release.python
    name = f"{release.framework} {release.version}"
    if not pythons:
        return Verdict(ok=None, reason=f"the Python versions of {name} are not known")
    if python in pythons:
        return Verdict(ok=True, reason=f"{name} has wheels for Python {python}")
    span = pythons[0] if len(pythons) == 1 else f"{pythons[0]} to {pythons[-1]}"
    return Verdict(ok=False, reason=f"{name} has wheels for Python {span}", needs=span)


def glibc_runs(release: Release, glibc: str, variant: Variant | None = None) -> Verdict:
    """Is this glibc new enough for the release's Linux wheels, or this one of them?"""
    least = (variant.glibc_min if variant else None) or release.glibc_min
    if least is None:
        return Verdict(ok=None, reason="the glibc it needs is not known")
    ok = _numbers(glibc) >= _numbers(least)
    return Verdict(
        ok=ok,
        reason=f"{release.framework} {release.version} needs glibc {least}",
        needs=None if ok else least,
    )
