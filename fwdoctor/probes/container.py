"""The container and the batch job around us, and what they asked of the GPU runtime."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from fwdoctor.model.snapshot import Container
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwdoctor.probes.source import Source

Kind = Literal["docker", "podman", "kubernetes", "singularity", "lxc", "other"]
Scheduler = Literal["slurm", "lsf", "pbs"]

_VALUE_LIMIT = 500
_SINGULARITY_VARIABLES = (
    "SINGULARITY_CONTAINER",
    "SINGULARITY_NAME",
    "APPTAINER_CONTAINER",
    "APPTAINER_NAME",
)
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_MARKS: tuple[tuple[str, Kind], ...] = (
    ("/.singularity.d", "singularity"),
    (_SERVICE_ACCOUNT, "kubernetes"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
)
# What systemd and the runtimes write in $container and /run/systemd/container.
_MANAGERS: dict[str, Kind] = {
    "docker": "docker",
    "podman": "podman",
    "lxc": "lxc",
    "lxc-libvirt": "lxc",
    "oci": "other",
    "systemd-nspawn": "other",
}
_GROUPS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"/kubepods"), "kubernetes"),
    (re.compile(r"/libpod|/machine\.slice/libpod"), "podman"),
    (re.compile(r"/docker/[0-9a-f]{12}|/docker-[0-9a-f]{12}"), "docker"),
    (re.compile(r"/lxc/|/lxc\.payload"), "lxc"),
    (re.compile(r"/containerd/|cri-containerd|/crio-"), "other"),
)
_DRIVER_MOUNT = re.compile(
    r"/libcuda\.so|/libnvidia-ml\.so|/nvidia-smi$|^/dev/nvidia|^/usr/local/nvidia$"
)
_SCHEDULERS: tuple[tuple[str, Scheduler, tuple[str, ...]], ...] = (
    (
        "SLURM_JOB_ID",
        "slurm",
        (
            "SLURM_STEP_GPUS",
            "SLURM_JOB_GPUS",
            "SLURM_GPUS_ON_NODE",
            "GPU_DEVICE_ORDINAL",
        ),
    ),
    ("LSB_JOBID", "lsf", ("CUDA_VISIBLE_DEVICES",)),
    ("PBS_JOBID", "pbs", ("CUDA_VISIBLE_DEVICES",)),
)


class ContainerProbe:
    """The container, its driver mounts and the batch job."""

    name = "container"

    def start(self, source: Source) -> Callable[[], Container]:
        """Nothing runs; the files are read in `finish`."""
        return lambda: read_container(source)


def read_container(source: Source) -> Container:
    """The container around the examined root, and the batch job."""
    kind = _find_kind(source)
    scheduler, gpus = parse_scheduler(source.env)
    mounts = source.find_text("/proc/self/mountinfo") if kind is not None else None
    return Container(
        kind=kind,
        nvidia_visible_devices=_variable(source.env, "NVIDIA_VISIBLE_DEVICES"),
        nvidia_driver_capabilities=_variable(source.env, "NVIDIA_DRIVER_CAPABILITIES"),
        nvidia_require_cuda=_variable(source.env, "NVIDIA_REQUIRE_CUDA"),
        has_driver_mounts=None if mounts is None else has_driver_mounts(mounts),
        scheduler=scheduler,
        scheduler_gpus=gpus,
    )


def _find_kind(source: Source) -> Kind | None:
    """By variables, then files, then the init system's word, then control groups."""
    if any(source.env.get(name) for name in _SINGULARITY_VARIABLES):
        return "singularity"
    if source.env.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    for path, kind in _MARKS:
        if source.exists(path):
            return kind
    written = source.find_text("/run/systemd/container") or ""
    named = _MANAGERS.get(source.env.get("container") or written.strip())
    return named or parse_cgroup(source.find_text("/proc/self/cgroup") or "")


def parse_cgroup(text: str) -> Kind | None:
    """The container that /proc/self/cgroup names: `12:devices:/docker/4cf9fc069a50…`.

    With a private control-group namespace it names none.
    """
    return next((kind for pattern, kind in _GROUPS if pattern.search(text)), None)


def has_driver_mounts(text: str) -> bool:
    """Whether /proc/self/mountinfo shows driver files or device nodes mounted in.

    812 790 8:1 /usr/lib/libcuda.so.550.54.14 /usr/lib/libcuda.so.550.54.14 ro - ext4 …
    """
    lines = (line.split(maxsplit=5) for line in text.splitlines())
    return any(len(words) > 4 and _DRIVER_MOUNT.search(words[4]) for words in lines)


def parse_scheduler(env: Mapping[str, str]) -> tuple[Scheduler | None, str | None]:
    """The batch system and the GPUs it gave, as `SLURM_JOB_GPUS=0,1`."""
    for mark, scheduler, names in _SCHEDULERS:
        if env.get(mark):
            given = (f"{name}={_variable(env, name)}" for name in names if name in env)
            return scheduler, next(given, None)
    return None, None


def _variable(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if value is None:
        return None
    text = value[:_VALUE_LIMIT].encode("utf-8", "replace").decode("utf-8")
    return redact(text, home=env.get("HOME"), user=None)
