"""What to ask the reporter for, when a paste does not decide the cause.

One or two commands whose output would tell the possible causes apart, and nothing
that the paste already answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.model.finding import Finding
    from fwdoctor.model.snapshot import Snapshot

MOST_QUESTIONS = 2
_SMI = "nvidia-smi"
_TORCH = "python -m torch.utils.collect_env"
_TENSORFLOW = (
    'python -c "import tensorflow as tf; print(tf.version.VERSION,'
    " tf.sysconfig.get_build_info(), tf.config.list_physical_devices('GPU'))\""
)
_VISIBLE = "python -c \"import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))\""
_KERNEL_LOG = "sudo dmesg | grep -iE 'nvrm|xid|nvidia' | tail -50"
_PIP = "python -m pip list"
_PIP_TAGS = "python -VV; python -m pip debug --verbose | head -40"
_CONTAINER = "docker inspect --format '{{json .HostConfig.DeviceRequests}}' CONTAINER"
_EVERYTHING = "uvx fwdoctor check --format markdown"
# Cause → the command whose output shows or excludes it.
_ASKED = {
    "driver-missing": _SMI,
    "driver-not-loaded": _SMI,
    "driver-library-mismatch": _SMI,
    "driver-too-old": _SMI,
    "forward-compat": _SMI,
    "gpu-memory": _SMI,
    "shm-or-limits": "nvidia-smi -q -d COMPUTE",
    "mig-config": "nvidia-smi -L",
    "visible-devices": _VISIBLE,
    "hardware-fault": _KERNEL_LOG,
    "uvm-or-suspend": _KERNEL_LOG,
    "device-permission": "ls -l /dev/nvidia*",
    "fabric-manager": "systemctl status nvidia-fabricmanager",
    "container-no-gpu": _CONTAINER,
    "wsl-specific": "ls -l /usr/lib/wsl/lib && ldconfig -p | grep libcuda",
    "companion-mismatch": _PIP,
    "duplicate-or-shadowed-install": _PIP,
    "numpy-abi": _PIP,
    "protobuf-abi": _PIP,
    "python-unsupported": _PIP_TAGS,
    "wrong-index-or-pin": _PIP_TAGS,
    "no-wheel-for-platform": _PIP_TAGS,
    "compiler-toolchain": "nvcc --version; gcc --version",
}
_BUILD_CAUSES = frozenset(
    {
        *("gpu-arch-too-new", "gpu-arch-too-old", "cpu-only-build", "cuda-lib-missing"),
        *("cuda-lib-conflict", "cudnn-mismatch", "driver-too-old"),
    }
)


def questions_for(snapshot: Snapshot, findings: Iterable[Finding]) -> tuple[str, ...]:
    """At most two commands, those first that decide between the likeliest causes."""
    wanted = dict.fromkeys(_wanted(snapshot, findings))
    return tuple(wanted)[:MOST_QUESTIONS]


def _wanted(snapshot: Snapshot, findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.cause in _BUILD_CAUSES:
            yield from _about_builds(snapshot)
        question = _ASKED.get(finding.cause)
        if question is not None and not _is_answered(question, snapshot):
            yield question
    yield from _about_builds(snapshot)
    if not _is_answered(_SMI, snapshot):
        yield _SMI
    yield _EVERYTHING


def _about_builds(snapshot: Snapshot) -> Iterator[str]:
    """Ask for the build of a framework that is named, but not known well enough."""
    frameworks = presence.frameworks(snapshot.target)
    if any(framework.cuda is not None for framework in frameworks.values()):
        return
    origins = {message.id.partition("-")[0] for message in snapshot.messages}
    if "tensorflow" in frameworks or "tf" in origins:
        yield _TENSORFLOW
    if "torch" in frameworks or "torch" in origins:
        yield _TORCH


def _is_answered(question: str, snapshot: Snapshot) -> bool:
    if question == _SMI:
        return snapshot.driver.version is not None and snapshot.gpus is not None
    if question == _VISIBLE:
        return "CUDA_VISIBLE_DEVICES" in snapshot.env_vars
    if question == _PIP:
        target = snapshot.target
        return bool(target and target.packages)
    return False
