"""The batch job was not given a GPU.

What it checks
--------------
Inside a Slurm job: CUDA_VISIBLE_DEVICES is `NoDevFiles`, which Slurm writes for a job
without GPU; or the job has no GPUs and the driver's device files are refused to it.

Why it matters
--------------
A job sees the GPUs that it asked for. Without a request it runs on a GPU node and finds
none, while `nvidia-smi` on the node lists them.

How to fix
----------
Ask for a GPU when the job is submitted, in the partition that has them.

References
----------
- https://slurm.schedmd.com/gres.html
- https://slurm.schedmd.com/sbatch.html
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
    from fwdoctor.model.snapshot import Snapshot

_VARIABLE = "CUDA_VISIBLE_DEVICES"
_NO_GPU = "NoDevFiles"


@rule(
    "FW707",
    "scheduler-job-without-gpu",
    cause="visible-devices",
    needs=("container.scheduler",),
    explains=("FW119", "FW123", "FW125", "FW126", "FW128"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A job without GPUs on a node that has some."""
    container = snapshot.container
    if container is None or container.scheduler != "slurm":
        return
    is_told = snapshot.env_vars.get(_VARIABLE) == _NO_GPU
    refused = any(n.open_error == "EPERM" for n in snapshot.device_nodes or ())
    has_none = container.scheduler_gpus is None and refused
    if not (is_told or has_none) or state.cuda_works(snapshot):
        return
    if not state.has_gpu_to_use(snapshot):
        return
    code = state.init_code(snapshot)
    shown = f"{_VARIABLE}={_NO_GPU}" if is_told else "device files refused"
    yield Problem(
        subject="job",
        message=f"this Slurm job was not given a GPU ({shown})",
        evidence=(
            Evidence(fact="job", value=shown, source="env-vars"),
            *((state.code_evidence("cuda-driver", code, matrices),) if code else ()),
        ),
        fix=(
            Fix(
                effort="environment",
                commands=("srun --gres=gpu:1 --pty bash",),
                why="ask for a GPU, here or by `#SBATCH --gres=gpu:1` in the script",
                verify=fixes.check_command(snapshot.target),
            ),
        ),
        blocks=state.BOTH,
    )
