"""TensorFlow on a machine with an NVIDIA GPU is a build without CUDA.

What it checks
--------------
TensorFlow's own build record (`build_info.py`) says it was built without CUDA, on Linux
x86_64 with an NVIDIA GPU. Windows and aarch64, where no CUDA build exists, have rules
of their own (FW502, FW503). `tensorflow-cpu` beside a PyTorch for CUDA is only noted:
whoever installs it by that name leaves the GPU to PyTorch.

Why it matters
--------------
`tf.config.list_physical_devices("GPU")` stays empty, without any error. It is what
`tensorflow-cpu` contains, what `tensorflow` 1.15.2 to 1.15.5 and 2.0 contain (the GPU
build was called `tensorflow-gpu` then), and what conda takes when it sees no GPU.

How to fix
----------
Replace it by the package with CUDA. Uninstall the CPU package first: both own the same
folder.

References
----------
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.fw701_container_without_gpu_runtime import is_left_without
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import (
    is_without_build,
    makes_environment,
    working_builds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Snapshot


@rule(
    "FW501",
    "tensorflow-cpu-build",
    cause="cpu-only-build",
    needs=("target.tensorflow",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A CPU build of TensorFlow where an NVIDIA GPU is and a CUDA build exists."""
    target = snapshot.target
    tensorflow = target.tensorflow if target else None
    if tensorflow is None or tensorflow.kind != "cpu":
        return
    is_served = snapshot.host.os == "linux" and snapshot.host.machine == "x86_64"
    if not is_served or presence.has_nvidia_gpu(snapshot) is not True:
        return
    if is_left_without(snapshot) or presence.other_way(target, "tensorflow"):
        return
    product = presence.product_name("tensorflow", tensorflow)
    gpu = next((gpu.name for gpu in snapshot.gpus or () if gpu.name), "an NVIDIA GPU")
    found = _fixes(tensorflow, snapshot, matrices)
    is_hopeless = is_without_build(snapshot, found)
    is_calm = is_hopeless or _is_chosen(tensorflow, snapshot)
    yield Problem(
        subject=product,
        message=f"{product} was built without CUDA, and this machine has {gpu}",
        detail="no CUDA build in our data fits this machine" if is_hopeless else "",
        severity="info" if is_calm else None,
        evidence=(
            Evidence(fact="is_cuda_build", value="False", source=tensorflow.path or ""),
        ),
        fix=found,
        blocks=() if is_calm else ("tensorflow",),
    )


def _is_chosen(tensorflow: Framework, snapshot: Snapshot) -> bool:
    """`tensorflow-cpu` beside a PyTorch for CUDA: the GPU is left to the latter."""
    torch = snapshot.target.torch if snapshot.target else None
    is_named = (tensorflow.package or "").endswith("-cpu")
    is_for_torch = torch is not None and torch.kind == "cuda"
    return is_named and is_for_torch and snapshot.origin != "pasted"


def _fixes(
    tensorflow: Framework, snapshot: Snapshot, matrices: Matrices
) -> tuple[Fix, ...]:
    """The working build, after the CPU package that owns the same files is gone."""
    package = tensorflow.package or "tensorflow"
    found = working_builds(snapshot, matrices, "tensorflow")
    if package == "tensorflow":
        return found
    remove = fixes.uninstall_command(snapshot.target, [package])
    return tuple(
        fix
        if makes_environment(fix)
        else Fix(
            effort=fix.effort,
            commands=(remove, *fix.commands),
            why=fix.why,
            verify=fix.verify,
        )
        for fix in found
    )
