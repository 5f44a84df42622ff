"""From chosen builds to the exact pins of one environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat
from fwdoctor.model.plan import CONDA_FAMILY, Pin, PlanEnvironment
from fwdoctor.solve.gpu_extra import (
    AND_CUDA,
    build_pattern,
    held_cudnn,
    last_cudnn_line,
    line_after,
    listed_libraries,
    uses_extra,
)
from fwdoctor.solve.search import companion_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import Release
    from fwdoctor.model.plan import FrameworkName, Manager, Request
    from fwdoctor.solve.candidates import Candidate, Machine
    from fwdoctor.versions import CudaVersion, DriverVersion


def environment_of(  # one value each of what makes an environment
    name: str,
    builds: Sequence[Candidate],
    machine: Machine,
    matrices: Matrices,
    request: Request,
    *,
    manager: Manager,
    why: tuple[str, ...] = (),
) -> PlanEnvironment | None:
    """The environment holding these builds; None where no Python serves them all."""
    python = choose_python(builds, machine, matrices)
    if python is None:
        return None
    is_conda = manager in CONDA_FAMILY
    make = _conda_pins if is_conda else _pip_pins
    pins = tuple(make(builds, machine, matrices, request))
    cudas = [b.variant.cuda for b in builds if b.variant.cuda is not None]
    names: list[FrameworkName] = [framework_of(b) for b in builds]
    return PlanEnvironment(
        name=name,
        frameworks=tuple(names),
        manager=manager,
        python=python,
        pins=pins,
        channels=tuple(_channels(builds, is_conda=is_conda)),
        cuda=max(cudas, default=None),
        least_driver=_least_driver(cudas, machine, matrices),
        virtual_packages=(
            _virtual_packages(builds, machine)
            if is_conda
            else _macos_for_wheels(builds, machine)
        ),
        platform=machine.platform,
        why=(*why, *_reasons(builds, machine)),
    )


def framework_of(build: Candidate) -> FrameworkName:
    """The framework a build is of."""
    return "torch" if build.release.framework == "torch" else "tensorflow"


# Python


def choose_python(
    builds: Iterable[Candidate], machine: Machine, matrices: Matrices
) -> str | None:
    """The Python all builds have; the newest that both frameworks' newest have."""
    common: set[str] | None = None
    for build in builds:
        pythons = set(build.variant.python or build.release.python)
        common = pythons if common is None else common & pythons
    if machine.python is not None:
        return machine.python if machine.python in (common or ()) else None
    if not common:
        return None
    usual = usual_python(matrices)
    return max(
        (p for p in common if _order(p) <= _order(usual)),
        key=_order,
        default=min(common, key=_order),
    )


def usual_python(matrices: Matrices) -> str:
    """The newest Python that both frameworks' newest final releases have."""
    spans = [set(newest_final(name, matrices)) for name in ("torch", "tensorflow")]
    return max(spans[0] & spans[1] or spans[0], key=_order)


def newest_final(framework: str, matrices: Matrices) -> tuple[str, ...]:
    """Python versions of the newest final release."""
    for version in reversed(matrices.versions(framework)):
        release = matrices.find_release(framework, version)
        if release and not release.prerelease and not release.yanked:
            return release.python
    return ()


def _order(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))


# Wheels


def _pip_pins(
    builds: Sequence[Candidate],
    machine: Machine,
    matrices: Matrices,
    request: Request,
) -> Iterator[Pin]:
    for build in builds:
        variant, release = build.variant, build.release
        index = variant.index
        is_elsewhere = index.startswith("https://")
        yield Pin(
            name=variant.package,
            version=release.version,
            role="framework",
            index=index,
            local_label=variant.variant if is_elsewhere else None,
            extras=(AND_CUDA,) if uses_extra(build) else (),
            why=_pin_reason(build, machine),
        )
        if release.framework == "torch":
            yield from _companions(build, matrices, request)
        elif variant.cuda is not None and not uses_extra(build):
            yield from _listed_libraries(release)
    yield from _cudnn_wheel(builds, machine, matrices)
    yield from _numpy(builds, machine)


def _numpy(builds: Sequence[Candidate], machine: Machine) -> Iterator[Pin]:
    """A bound where a wheel was compiled for NumPy 1 and does not say so itself."""
    system = machine.platform.partition("-")[0]
    for build in builds:
        release = build.release
        if release.numpy2.get(system) is False and _takes_numpy_2(release):
            why = f"{release.framework} {release.version} was compiled for NumPy 1"
            yield Pin(name="numpy", version="<2", role="library", why=why)
            return


def _takes_numpy_2(release: Release) -> bool:
    """Whether what it requires leaves the resolver free to take NumPy 2."""
    from packaging.specifiers import SpecifierSet

    specs = [spec.partition(";")[0] for spec in release.numpy_specs]
    return not specs or any(SpecifierSet(spec).contains("2.0.0") for spec in specs)


def _listed_libraries(release: Release) -> Iterator[Pin]:
    why = f"named by {release.framework}[{AND_CUDA}], whose TensorRT is left out"
    for name, spec in listed_libraries(release).items():
        version = spec.removeprefix("==")
        yield Pin(name=name, version=version, role="library", why=why)


def _companions(
    build: Candidate, matrices: Matrices, request: Request
) -> Iterator[Pin]:
    for name in request.companions:
        version = companion_version(build.release, name)
        if version is None:
            continue
        index = build.variant.index
        is_labelled = index.startswith("https://") and _is_on_index(
            name, version, build, matrices
        )
        yield Pin(
            name=name,
            version=version,
            role="companion",
            index=index if is_labelled else "pypi",
            local_label=build.variant.variant if is_labelled else None,
            why=f"goes with torch {build.release.version}",
        )


def _is_on_index(name: str, version: str, build: Candidate, matrices: Matrices) -> bool:
    """Whether PyTorch's index of this CUDA has the partner: made with that release.

    torchaudio carries torch's number; one made for an older torch was only built for
    that release's CUDA variants.
    """
    if name != "torchaudio" or version == build.release.version:
        return True
    made_for = matrices.find_release("torch", version)
    variants = made_for.variants if made_for else ()
    return any(v.index == build.variant.index for v in variants)


def _cudnn_wheel(
    builds: Sequence[Candidate], machine: Machine, matrices: Matrices
) -> Iterator[Pin]:
    """TensorFlow leaves cuDNN open: hold it at the last line with these GPUs."""
    for build in builds:
        held = held_cudnn(build, machine, matrices)
        if held is None or any(held.name in b.variant.nvidia_pins for b in builds):
            continue  # pinned exactly by another build
        capability = min(machine.capabilities)
        yield Pin(
            name=held.name,
            version=held.version,
            role="library",
            why=f"cuDNN {held.line} is the last with compute capability {capability};"
            f" {build.release.framework} allows newer ones",
        )


# conda


def _conda_pins(
    builds: Sequence[Candidate],
    machine: Machine,
    matrices: Matrices,
    request: Request,
) -> Iterator[Pin]:
    cudas = [b.variant.cuda for b in builds if b.variant.cuda is not None]
    channel = builds[0].variant.index
    if cudas:
        yield Pin(
            name="cuda-version",
            version=str(max(cudas)),
            role="library",
            index=channel,
            why="one CUDA for all of them",
        )
    for build in builds:
        yield Pin(
            name=build.variant.package,
            version=build.release.version,
            role="framework",
            index=build.variant.index,
            build=build_pattern(build, machine, matrices),
            why=_pin_reason(build, machine),
        )
        if build.release.framework == "torch":
            for name in request.companions:
                version = companion_version(build.release, name)
                if version:
                    why = f"goes with torch {build.release.version}"
                    yield Pin(
                        name=name,
                        version=version,
                        role="companion",
                        index=channel,
                        why=why,
                    )
    yield from _cudnn_package(cudas, machine, matrices, channel)
    yield from _arm_variant(builds, matrices, channel)


def _arm_variant(
    builds: Sequence[Candidate], matrices: Matrices, channel: str
) -> Iterator[Pin]:
    """What lets conda's solver take builds for Jetson, which exclude those of servers.

    https://github.com/conda-forge/conda-forge-repodata-patches-feedstock/pull/973
    """
    tegra = {row.compute_capability for row in matrices.architectures() if row.is_tegra}
    targets = (set(build.variant.compute_capabilities) for build in builds)
    if any(found and found <= tegra for found in targets):
        yield Pin(
            name="arm-variant",
            version="*",
            role="library",
            index=channel,
            build="tegra",
            why="without it the solver takes builds for Arm servers",
        )


def _cudnn_package(
    cudas: list[CudaVersion], machine: Machine, matrices: Matrices, channel: str
) -> Iterator[Pin]:
    if not cudas:
        return
    line = last_cudnn_line(max(cudas), machine, matrices)
    if line is not None:
        bound = line_after(line, matrices)
        why = f"cuDNN {line} is the last with compute capability"
        yield Pin(
            name="cudnn",
            version=f"<{bound}",
            role="library",
            index=channel,
            why=f"{why} {min(machine.capabilities)}",
        )


# Facts of the environment


def _channels(builds: Sequence[Candidate], *, is_conda: bool) -> Iterator[str]:
    indexes = dict.fromkeys(b.variant.index for b in builds)
    yield from (i for i in indexes if is_conda or i.startswith("https://"))


def _least_driver(
    cudas: list[CudaVersion], machine: Machine, matrices: Matrices
) -> DriverVersion | None:
    floors = [
        floor
        for cuda in cudas
        if (floor := compat.least_driver(cuda, matrices, os_name=machine.os_name))
    ]
    return max(floors, default=None)


def _virtual_packages(builds: Sequence[Candidate], machine: Machine) -> dict[str, str]:
    """What conda's solver is told of the machine; where unknown, the least needed."""
    cudas = [b.variant.cuda for b in builds if b.variant.cuda is not None]
    found: dict[str, str] = {}
    if cudas:
        found["__cuda"] = str(machine.driver_cuda or max(cudas))
    least = [b.variant.glibc_min or b.release.glibc_min for b in builds]
    needed = [glibc for glibc in least if glibc]
    glibc = machine.glibc or max(needed, key=_order, default=None)
    if glibc and machine.platform.startswith("linux"):
        found["__glibc"] = glibc
    return found


def _macos_for_wheels(builds: Sequence[Candidate], machine: Machine) -> dict[str, str]:
    """The least macOS the wheels need: resolvers assume an older one."""
    needed = [b.release.macos_min for b in builds if b.release.macos_min]
    if not needed or not machine.platform.startswith("macos"):
        return {}
    return {"__osx": max(needed, key=_order)}


def _pin_reason(build: Candidate, machine: Machine) -> str:
    cuda = build.variant.cuda
    if cuda is None:
        return "the CPU build"
    codes = [
        f"{cc}: {verdict.reason}"
        for cc, verdict in zip(machine.capabilities, build.gpu_verdicts, strict=True)
    ]
    return f"built for CUDA {cuda}" + (f"; {'; '.join(codes)}" if codes else "")


def _reasons(builds: Sequence[Candidate], machine: Machine) -> Iterator[str]:
    for build in builds:
        verdict = build.driver_verdict
        if verdict is None or build.variant.cuda is None:
            continue
        name = f"{build.release.framework} {build.release.version}"
        if verdict.how == "minor-version":
            speaks = machine.driver_cuda
            spoken = f"; this one speaks CUDA {speaks} itself" if speaks else ""
            yield (
                f"{name}, built for CUDA {build.variant.cuda}, runs on this driver by"
                f" minor-version compatibility: {verdict.reason}{spoken}"
            )
