"""Fixes that replace a framework's build by one that works on this machine."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Fix
from fwdoctor.solve.candidates import (
    find_build,
    find_rebuild,
    machine_of,
    without_python,
)
from fwdoctor.solve.gpu_extra import requirements_of
from fwdoctor.solve.pairs import find_clean_pair

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, FileClash, Snapshot
    from fwdoctor.solve.candidates import Candidate, Machine

_CUDA_MAJOR = re.compile(r"-cu(\d+)$")
_VERIFY = {
    "torch": "import torch; print(torch.cuda.is_available())",
    "tensorflow": "import tensorflow as tf; "
    "print(tf.config.list_physical_devices('GPU'))",
}


def working_builds(
    snapshot: Snapshot, matrices: Matrices, framework: str
) -> tuple[Fix, ...]:
    """Ways to install a build that works here: the same release first, else another.

    Where the frameworks' libraries overwrote each other, a pair that does not comes
    before them: a build for one of the two would leave the other's files as they are.
    Empty when no release in our data has one; a rule then offers something else.
    """
    if snapshot.host.is_tegra:  # published Arm builds are for servers' GPUs
        why = "take NVIDIA's wheel or container for this JetPack release"
        return (Fix(effort="environment", why=why),)
    pair = shared_pair(snapshot, matrices)
    machine = machine_of(snapshot)
    installed = presence.frameworks(snapshot.target).get(framework)
    offered: list[Candidate] = []
    if installed is not None and installed.version:
        same = find_rebuild(framework, installed.version, machine, matrices)
        if same is not None:
            offered.append(same)
    if not offered:
        newest = find_build(framework, machine, matrices)
        if newest is not None:
            offered.append(newest)
    if not offered and not machine.is_conda:
        return (
            *_from_conda(framework, machine, matrices),
            *_with_other_python(framework, snapshot, machine, matrices),
        )
    builds = (_fix_for(c, snapshot, machine, matrices) for c in offered)
    return (*((pair,) if pair else ()), *builds)


def mixed_clashes(target: Environment | None) -> list[FileClash]:
    """The files that wheels for two CUDA majors share, and at least one still has."""
    clashes = (target.clashes if target else None) or ()
    return [clash for clash in clashes if _is_mixed(clash)]


def _is_mixed(clash: FileClash) -> bool:
    majors = {cuda_major_of(owner) for owner in clash.owners}
    return not clash.is_missing and len(majors) > 1


def cuda_major_of(owner: str) -> int | None:
    """The CUDA major in the name of NVIDIA's wheel: 13 of nvidia-cudnn-cu13."""
    found = _CUDA_MAJOR.search(owner)
    return int(found[1]) if found else None


def shared_pair(snapshot: Snapshot, matrices: Matrices) -> Fix | None:
    """Both frameworks in releases that share one CUDA major, where theirs do not.

    It mends all that is wrong with the installed releases: they overwrote each
    other's libraries, and none of them stays.
    """
    target = snapshot.target
    frameworks = presence.frameworks(target).values()
    built = {f.cuda.major if f.cuda else None for f in frameworks if f.kind != "cpu"}
    clashes = mixed_clashes(target)
    if not clashes or len(built) < 2:
        return None
    pair = find_clean_pair(snapshot, matrices)
    if pair is None:
        return None
    owners = sorted({owner for clash in clashes for owner in clash.owners})
    pins = [f"torch=={pair[0]}", f"tensorflow[and-cuda]=={pair[1]}"]
    return Fix(
        effort="environment",
        commands=(
            fixes.uninstall_command(target, owners),
            fixes.install_command(target, pins),
        ),
        why="keep both here, in releases that fit this machine and one CUDA major",
        verify=fixes.check_command(target),
    )


def is_without_build(snapshot: Snapshot, found: tuple[Fix, ...]) -> bool:
    """Whether a CPU build is the right one: known GPUs, and no CUDA build for them."""
    is_seen = snapshot.origin != "pasted" and bool(presence.capabilities(snapshot))
    return is_seen and not found


def makes_environment(fix: Fix) -> bool:
    """Whether the fix leaves this environment alone and makes another."""
    first = fix.commands[0] if fix.commands else ""
    return first.startswith(("conda create ", "uv venv ")) or " -m venv " in first


def _from_conda(
    framework: str, machine: Machine, matrices: Matrices
) -> tuple[Fix, ...]:
    """A new conda environment, where no wheel has code for these GPUs."""
    found = find_build(framework, replace(machine, is_conda=True), matrices)
    if found is None:
        return ()
    channel = found.variant.index
    words = ["conda create", f"-n {framework}", fixes.channel_options(channel)]
    if machine.python:
        words.append(f'"python={machine.python}"')
    wanted = requirements_of(found, machine, matrices)
    words.extend(fixes.shell_word(word) for word in wanted)
    return (
        Fix(
            effort="environment",
            commands=(" ".join(words),),
            why=f"no wheel in our data fits this machine; {channel} has"
            f" {framework} {found.release.version} for CUDA {found.variant.cuda}",
        ),
    )


def _with_other_python(
    framework: str, snapshot: Snapshot, machine: Machine, matrices: Matrices
) -> tuple[Fix, ...]:
    """A new virtual environment with a Python that a working build has wheels for."""
    if machine.python is None:
        return ()
    found = find_build(framework, without_python(machine), matrices)
    if found is None:
        return ()
    pythons = found.variant.python or found.release.python
    if not pythons:
        return ()
    folder = f".venv-{framework}"
    make = f"python{pythons[-1]} -m venv {folder}"
    wanted = requirements_of(found, machine, matrices)
    words = " ".join(fixes.shell_word(word) for word in wanted)
    install = f"{folder}/bin/pip install {words}"
    if fixes.manager_of(snapshot.target) == "uv":
        make = f"uv venv --python {pythons[-1]} {folder}"
        install = f"uv pip install --python {folder} {words}"
    if found.index_url:
        install = f"{install} {fixes.index_option(found.index_url)}"
    return (
        Fix(
            effort="environment",
            commands=(make, install),
            why=f"{framework} {found.release.version} for CUDA {found.variant.cuda}"
            f" works here, with Python {pythons[-1]} in an environment of its own",
        ),
    )


def _fix_for(
    candidate: Candidate, snapshot: Snapshot, machine: Machine, matrices: Matrices
) -> Fix:
    target, framework = snapshot.target, candidate.release.framework
    requirements = [
        *requirements_of(candidate, machine, matrices),
        *_companions(candidate, target),
    ]
    command = fixes.install_command(
        target,
        requirements,
        index_url=candidate.index_url,
        channel=candidate.variant.index,
        force=_is_same_version(candidate, target, framework),
    )
    cuda = candidate.variant.cuda
    gpus = " and ".join(str(cc) for cc in machine.capabilities)
    for_gpu = f" for a compute capability {gpus} GPU" if gpus else ""
    return Fix(
        effort="environment",
        commands=(command,),
        why=f"install the CUDA {cuda} build of {framework}"
        f" {candidate.release.version}{for_gpu}",
        verify=fixes.python_command(target, _VERIFY[framework]),
    )


def _is_same_version(
    candidate: Candidate, target: Environment | None, framework: str
) -> bool:
    """Whether the version number stays: then pip must be told to reinstall."""
    installed = presence.frameworks(target).get(framework)
    return installed is not None and installed.version == candidate.release.version


def _companions(candidate: Candidate, target: Environment | None) -> list[str]:
    """Installed partners that must change with the framework, at their own version."""
    pins: list[str] = []
    for name, versions in sorted(candidate.release.companions.items()):
        if not versions or presence.find_package(target, name) is None:
            continue
        if versions[0][:1].isdigit():
            joint = "=" if candidate.variant.build else "=="
            pins.append(f"{name}{joint}{versions[-1]}")
    return pins
