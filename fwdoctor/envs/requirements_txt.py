"""`requirements.txt` for pip and uv, safe with a second index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.envs.header import commented, header_lines
from fwdoctor.solve.commands import index_option

if TYPE_CHECKING:
    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Plan, PlanEnvironment

MANAGERS = ("pip", "uv")
NAMES = ("requirements*.txt", "requirements*.in", "constraints*.txt")


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file; its local labels keep a second index from slipping a build in."""
    lines = header_lines(plan, planned, wish.file_name)
    lines.append(f"Use it with Python {planned.python}:")
    lines.append(f"  pip install -r {wish.file_name}")
    strategy = " --index-strategy unsafe-best-match" if planned.channels else ""
    if strategy:
        lines.append(f"  uv pip install -r {wish.file_name}{strategy}")
        lines.append(
            "The +labels below are on that index only: no other build slips in."
        )
    body = [index_option(url) for url in planned.channels]
    for pin in planned.pins:
        if pin.role == "library":
            body.append(f"# {pin.why}")
        body.append(pin.requirement)
    return commented(lines) + "\n".join(body) + "\n"
