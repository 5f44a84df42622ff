"""`Dockerfile`: wheels bring CUDA along, the host's driver is mounted in."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from fwdoctor.envs.header import commented, header_lines
from fwdoctor.solve.commands import index_option, override_cuda

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Plan, PlanEnvironment

MANAGERS = ("pip", "uv", "conda")
NAMES = ("Dockerfile*", "*.dockerfile", "Containerfile*")
GPU_VARIABLES = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file; the image holds no driver and no CUDA of its own."""
    lines = header_lines(plan, planned, wish.file_name)
    lines.append("Build and try it:")
    lines.append(f"  docker build -t {planned.name} -f {wish.file_name} .")
    gpus = " --gpus all" if planned.cuda else ""
    lines.append(
        f"  docker run --rm{gpus} {planned.name} {_TRY[planned.frameworks[0]]}"
    )
    body = list(_conda(planned) if planned.is_conda else _pip(planned))
    return commented(lines) + "\n".join(body) + "\n"


_TRY = {
    "torch": "python -c 'import torch; print(torch.cuda.is_available())'",
    "tensorflow": "python -c 'import tensorflow as tf;"
    ' print(tf.config.list_physical_devices("GPU"))\'',
}


def _pip(planned: PlanEnvironment) -> Iterator[str]:
    yield f"FROM python:{planned.python}-slim"
    yield from _variables(planned)
    words = ["RUN pip install --no-cache-dir"]
    words.extend(f"    {index_option(url)}" for url in planned.channels)
    words.extend(f"    {shlex.quote(pin.requirement)}" for pin in planned.pins)
    yield " \\\n".join(words)


def _conda(planned: PlanEnvironment) -> Iterator[str]:
    yield "FROM condaforge/miniforge3"
    yield from _variables(planned)
    override = override_cuda(planned)
    if override is not None:
        yield "# No GPU is seen while the image is built: this names the driver's CUDA."
        yield f"ARG CONDA_OVERRIDE_CUDA={override}"
    channels = " ".join(f"-c {channel}" for channel in planned.channels)
    words = [f"RUN conda create -y -n {planned.name} --override-channels {channels}"]
    words.append(f"    python={planned.python}")
    words.extend(f"    {shlex.quote(pin.match_spec)}" for pin in planned.pins)
    words[-1] += " && conda clean -afy"
    yield " \\\n".join(words)
    yield f"ENV PATH=/opt/conda/envs/{planned.name}/bin:$PATH"


def _variables(planned: PlanEnvironment) -> Iterator[str]:
    """What NVIDIA's container toolkit reads; plain Python images lack it."""
    if planned.cuda is not None:
        pairs = [f"{name}={value}" for name, value in GPU_VARIABLES.items()]
        yield "ENV " + " \\\n    ".join(pairs)
