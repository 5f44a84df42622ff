"""`environment.yml` for conda, mamba and micromamba."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.envs.header import commented, header_lines
from fwdoctor.solve.commands import override_cuda

if TYPE_CHECKING:
    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Plan, PlanEnvironment

MANAGERS = ("conda",)
NAMES = ("environment*.yml", "environment*.yaml")


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file: conda-forge alone, exact versions, the CUDA build named."""
    lines = header_lines(plan, planned, wish.file_name)
    cuda = override_cuda(planned)
    create = f"conda env create -f {wish.file_name}"
    lines.append(f"Use it with: {create}")
    if cuda is not None:
        lines.append("Where no GPU is (CI, docker build) say what the driver speaks:")
        lines.append(f"  CONDA_OVERRIDE_CUDA={cuda} {create}")
    channels = list(planned.channels)
    if "defaults" not in channels:
        channels.append("nodefaults")
    body = [f"name: {planned.name}", "channels:", *(f"  - {c}" for c in channels)]
    body.append("dependencies:")
    body.append(f"  - python={planned.python}")
    body.extend(f"  - {_yaml(pin.match_spec)}" for pin in planned.pins)
    return commented(lines) + "\n".join(body) + "\n"


def _yaml(spec: str) -> str:
    """A match spec as a YAML value; a star or a sign in front needs quotes."""
    return f'"{spec}"' if any(sign in spec for sign in "*<>!") else spec
