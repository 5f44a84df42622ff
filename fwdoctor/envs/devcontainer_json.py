"""`devcontainer.json`: a development container that takes a GPU where there is one."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from fwdoctor.envs.dockerfile import GPU_VARIABLES
from fwdoctor.envs.header import commented, header_lines
from fwdoctor.solve.commands import index_option, override_cuda

if TYPE_CHECKING:
    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Plan, PlanEnvironment

MANAGERS = ("pip", "uv", "conda")
NAMES = ("devcontainer.json", ".devcontainer.json")


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file: JSON with a comment in front, as its readers allow."""
    data: dict[str, Any] = {"name": planned.name}
    if planned.is_conda:
        data["image"] = "condaforge/miniforge3"
    else:
        data["image"] = f"mcr.microsoft.com/devcontainers/python:{planned.python}"
    if planned.cuda is not None:
        data["hostRequirements"] = {"gpu": "optional"}
        data["containerEnv"] = dict(GPU_VARIABLES)
    data["postCreateCommand"] = _install(planned)
    header = commented(header_lines(plan, planned, wish.file_name), "//")
    return header + json.dumps(data, indent=2) + "\n"


def _install(planned: PlanEnvironment) -> str:
    if planned.is_conda:
        cuda = override_cuda(planned)
        words = [f"CONDA_OVERRIDE_CUDA={cuda}"] if cuda else []
        words += ["conda", "create", "-y", "-n", planned.name, "--override-channels"]
        for channel in planned.channels:
            words += ["-c", channel]
        specs = [f"python={planned.python}", *(p.match_spec for p in planned.pins)]
        return " ".join([*words, *map(shlex.quote, specs)])
    words = ["pip", "install"]
    for url in planned.channels:
        words.append(index_option(url))
    return " ".join([*words, *(shlex.quote(pin.requirement) for pin in planned.pins)])
