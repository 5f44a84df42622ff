"""Write the gallery `envs/`: files for reference machines, and the table to pick from.

    python scripts/generate_envs.py           write it
    python scripts/generate_envs.py --check   exit 1 when it is stale

The date in the files is that of the newest source in the matrices, so that the gallery
changes when the data do and not with the day.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fwdoctor.envs import registry
from fwdoctor.envs.registry import FileWish
from fwdoctor.matrices.load import Matrices
from fwdoctor.matrices.query import data_date
from fwdoctor.solve.planner import solve
from fwdoctor.solve.requests import parse_request
from fwdoctor.target import parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.plan import Manager, Plan, PlanEnvironment

ROOT = Path(__file__).resolve().parent.parent / "envs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A reference machine: its folder, and how it is called."""

    folder: str
    title: str
    target: str


# Drivers are the least releases of their branch that our data name.
MACHINES = (
    Machine(
        folder="k80-470", title="Tesla K80", target="gpu=Tesla K80,driver=470.42.01"
    ),
    Machine(
        folder="p100-535",
        title="Tesla P100",
        target="gpu=Tesla P100-PCIE-16GB,driver=535.54.03",
    ),
    Machine(
        folder="gtx1080-580",
        title="GeForce GTX 1080",
        target="gpu=GTX 1080,driver=580.65.06",
    ),
    Machine(
        folder="v100-535",
        title="Tesla V100",
        target="gpu=Tesla V100-SXM2-16GB,driver=535.54.03",
    ),
    Machine(folder="t4-525", title="Tesla T4", target="gpu=Tesla T4,driver=525.60.13"),
    Machine(folder="a100-535", title="A100", target="gpu=A100,driver=535.54.03"),
    Machine(
        folder="rtx3090-550",
        title="GeForce RTX 3090",
        target="gpu=RTX 3090,driver=550.54.14",
    ),
    Machine(
        folder="rtx4090-550",
        title="GeForce RTX 4090",
        target="gpu=RTX 4090,driver=550.54.14",
    ),
    Machine(
        folder="rtx4090-580",
        title="GeForce RTX 4090",
        target="gpu=RTX 4090,driver=580.65.06",
    ),
    Machine(folder="h100-570", title="H100", target="gpu=H100,driver=570.26"),
    Machine(folder="b200-580", title="B200", target="gpu=B200,driver=580.65.06"),
    Machine(
        folder="rtx5090-580",
        title="GeForce RTX 5090",
        target="gpu=RTX 5090,driver=580.65.06",
    ),
    Machine(
        folder="gh200-580",
        title="GH200 (aarch64)",
        target="gpu=GH200,driver=580.65.06,arch=aarch64",
    ),
    Machine(folder="no-gpu", title="no NVIDIA GPU", target="gpu=none"),
)
WISHES = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow",),
    "both": ("torch", "tensorflow"),
}
FILES: tuple[tuple[str, Manager], ...] = (
    ("requirements.txt", "pip"),
    ("pyproject.toml", "uv"),
    ("environment.yml", "conda"),
    ("pixi.toml", "pixi"),
)


def plan_for(
    machine: Machine, wish: tuple[str, ...], manager: Manager, matrices: Matrices
) -> Plan:
    """The plan behind the gallery's files."""
    companions = ("torchvision",) if "torch" in wish else ()
    request = parse_request(
        matrices, frameworks=wish, manager=manager, companions=companions
    )
    date = data_date(matrices)
    moment = f"{date}T00:00:00Z" if date else None
    snapshot = parse_target(machine.target, matrices, created_at=moment)
    return solve(snapshot, matrices, request)


def files(matrices: Matrices) -> Iterator[tuple[str, str]]:
    """Every file of the gallery: path below envs/, text."""
    rows: list[str] = []
    for machine in MACHINES:
        for name, wish in WISHES.items():
            plans = {
                kind: plan_for(machine, wish, manager, matrices)
                for kind, manager in FILES
            }
            for kind, plan in plans.items():
                yield from _rendered(machine, name, kind, plan)
            rows.append(_row(machine, name, plans))
    yield "README.md", _README.format(rows="\n".join(rows))


def _rendered(
    machine: Machine, name: str, kind: str, plan: Plan
) -> Iterator[tuple[str, str]]:
    if plan.outcome != "complete":
        return
    is_only = len(plan.environments) == 1
    for planned in plan.environments:
        wish = FileWish(file_name=kind)
        text = registry.render(kind, plan, planned, wish)
        path = f"{machine.folder}/{name}/{kind}"
        yield registry.path_for(path, kind, planned, is_only=is_only), text


def _row(machine: Machine, name: str, plans: dict[str, Plan]) -> str:
    driver = plans["requirements.txt"].target.driver
    cells = [f"{machine.title}", str(driver or "none"), name]
    for kind in ("requirements.txt", "environment.yml"):
        plan = plans[kind]
        if plan.outcome != "complete":
            cells.append(f"no: {plan.changes[0].what if plan.changes else 'no build'}")
            continue
        shown = " · ".join(map(_short, plan.environments))
        where = f"{machine.folder}/{name}"
        apart = "" if len(plan.environments) == 1 else " (two environments)"
        cells.append(f"[{shown}]({where}){apart}")
    return f"| {' | '.join(cells)} |"


def _short(planned: PlanEnvironment) -> str:
    pins = [pin for pin in planned.pins if pin.role == "framework"]
    names = ", ".join(f"{pin.name} {pin.full_version}" for pin in pins)
    return f"{names}, Python {planned.python}"


_README = """\
# Environments known to fit

Made by `python scripts/generate_envs.py` from the compatibility matrices: one folder a
machine, in it `torch` (with torchvision), `tensorflow` and `both`, each with
`requirements.txt`, `pyproject.toml` (uv), `environment.yml` and `pixi.toml` where such
an environment exists. The driver is the least of its branch: a newer one is as good.
For another machine:

```
fwdoctor env environment.yml --target "gpu=RTX 4090,driver=550.54.14"
```

| GPU | driver | for | wheels (pip, uv) | conda (conda-forge, pixi) |
| --- | --- | --- | --- | --- |
{rows}

Files of wheels from PyPI alone are resolved by uv (`pytest -m network tests/envs`).
Builds on PyTorch's own index and on conda channels follow from the published build
tables; resolve one with `fwdoctor env FILE --verify`.
"""


def stale(matrices: Matrices) -> list[str]:
    """Paths that are missing, outdated or left over."""
    wanted = dict(files(matrices))
    there = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in ROOT.rglob("*")
        if path.is_file()
    }
    return sorted(
        name for name in {*wanted, *there} if wanted.get(name) != there.get(name)
    )


def main() -> int:
    """Write or check."""
    matrices = Matrices()
    if "--check" in sys.argv[1:]:
        found = stale(matrices)
        for name in found:
            print(f"stale: envs/{name}")
        return 1 if found else 0
    shutil.rmtree(ROOT, ignore_errors=True)
    for name, text in files(matrices):
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
