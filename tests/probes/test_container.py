"""The container probe on small machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.model.snapshot import Container
from fwdoctor.probes import container
from fwdoctor.probes.container import ContainerProbe

if TYPE_CHECKING:
    from tests.probes.conftest import MakeSource

MOUNT = "812 790 8:1 /{0} /{0} ro,nosuid - ext4 /dev/sda1 rw\n"
ROOT = "790 700 0:45 / / rw,relatime - overlay overlay rw\n"
DOCKER_GROUP = "12:devices:/docker/4cf9fc069a5090ccc31fb04362a56c9a\n"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


def test_no_container(make_source: MakeSource) -> None:
    files = {"/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n"}
    assert ContainerProbe().start(make_source(files))() == Container()


@pytest.mark.parametrize(
    ("files", "env", "kind"),
    [
        ({"/.dockerenv": ""}, {}, "docker"),
        ({"/run/.containerenv": ""}, {}, "podman"),
        ({"/.dockerenv": "", SERVICE_ACCOUNT: "x"}, {}, "kubernetes"),
        ({"/.dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"/.singularity.d/actions/run": ""}, {}, "singularity"),
        ({}, {"APPTAINER_CONTAINER": "/x.sif"}, "singularity"),
        ({"/run/systemd/container": "lxc\n"}, {}, "lxc"),
        ({}, {"container": "systemd-nspawn"}, "other"),
        ({"/run/systemd/container": "wsl\n"}, {}, None),
        ({"/proc/self/cgroup": DOCKER_GROUP}, {}, "docker"),
        ({"/proc/self/cgroup": "0::/kubepods.slice/x\n"}, {}, "kubernetes"),
        ({"/proc/self/cgroup": "0::/machine.slice/libpod-1.scope\n"}, {}, "podman"),
        ({"/proc/self/cgroup": "0::/lxc/c1\n"}, {}, "lxc"),
        ({"/proc/self/cgroup": "0::/system.slice/docker.service\n"}, {}, None),
        ({"/proc/self/cgroup": "0::/system.slice/containerd.service\n"}, {}, None),
    ],
)
def test_kinds(
    make_source: MakeSource, files: dict[str, str], env: dict[str, str], kind: str
) -> None:
    assert ContainerProbe().start(make_source(files, env))().kind == kind


@pytest.mark.parametrize(
    ("mounted", "expected"),
    [
        ("usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14", True),
        ("usr/lib64/libnvidia-ml.so.1", True),
        ("usr/bin/nvidia-smi", True),
        ("dev/nvidia0", True),
        ("usr/local/nvidia", True),
        (".singularity.d/libs/libcuda.so.1", True),
        ("etc/hosts", False),
        ("data/nvidia-smi.txt", False),
    ],
)
def test_driver_mounts(make_source: MakeSource, mounted: str, expected: bool) -> None:
    mountinfo = ROOT + MOUNT.format(mounted)
    source = make_source({"/.dockerenv": "", "/proc/self/mountinfo": mountinfo})
    assert ContainerProbe().start(source)().has_driver_mounts is expected


def test_an_image_without_proc_leaves_mounts_open(make_source: MakeSource) -> None:
    source = make_source({"/.dockerenv": ""})
    assert ContainerProbe().start(source)().has_driver_mounts is None


def test_mounts_of_a_host_are_not_the_toolkits(make_source: MakeSource) -> None:
    source = make_source({"/proc/self/mountinfo": MOUNT.format("dev/nvidia0")})
    assert ContainerProbe().start(source)().has_driver_mounts is None


def test_what_was_asked_of_the_runtime(make_source: MakeSource) -> None:
    env = {
        "NVIDIA_VISIBLE_DEVICES": "GPU-8f2a1c3d-1234-5678-9abc-def012345678",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 brand=tesla,driver>=470",
    }
    facts = ContainerProbe().start(make_source(env=env))()
    assert facts.nvidia_visible_devices == "GPU-…"
    assert facts.nvidia_driver_capabilities == "compute,utility"
    assert facts.nvidia_require_cuda == "cuda>=12.4 brand=tesla,driver>=470"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SLURM_JOB_ID": "7"}, ("slurm", None)),
        (
            {"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0,1", "SLURM_STEP_GPUS": "1"},
            ("slurm", "SLURM_STEP_GPUS=1"),
        ),
        (
            {"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "2"},
            ("slurm", "SLURM_GPUS_ON_NODE=2"),
        ),
        (
            {"LSB_JOBID": "7", "CUDA_VISIBLE_DEVICES": "3"},
            ("lsf", "CUDA_VISIBLE_DEVICES=3"),
        ),
        ({"PBS_JOBID": "7.node"}, ("pbs", None)),
        ({"SLURM_JOB_GPUS": "0"}, (None, None)),
    ],
)
def test_scheduler(
    env: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    assert container.parse_scheduler(env) == expected


@given(text=st.text(), env=st.dictionaries(st.text(), st.text()))
def test_parsers_take_any_text(text: str, env: dict[str, str]) -> None:
    container.parse_cgroup(text)
    container.has_driver_mounts(text)
    container.parse_scheduler(env)
