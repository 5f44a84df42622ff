"""The grid of targets that plans are tried on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fwdoctor.matrices.load import Matrices
from fwdoctor.model.plan import Plan, PlanEnvironment
from fwdoctor.solve.planner import solve
from fwdoctor.solve.requests import parse_request
from fwdoctor.target import parse_target

GPUS = (
    "Tesla K80",
    "GTX 980",
    "Tesla P100",
    "GTX 1080",
    "Tesla V100",
    "Tesla T4",
    "A100",
    "RTX 3090",
    "RTX 4090",
    "H100",
    "B200",
    "RTX 5090",
)
DRIVERS = (450, 470, 510, 525, 535, 550, 560, 570, 575, 580, 590, 595, 610)
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
FRAMEWORKS = (("torch",), ("tensorflow",), ("torch", "tensorflow"))

Point = tuple[str, int, str, tuple[str, ...]]


def whole() -> Iterator[Point]:
    """Every combination: 2,808 of them."""
    return product(GPUS, DRIVERS, PYTHONS, FRAMEWORKS)


def part() -> Iterator[Point]:
    """Every seventh point: each GPU, driver, Python and wish comes up often."""
    for number, point in enumerate(whole()):
        if number % 7 == 0:
            yield point


def named(point: Point) -> str:
    gpu, driver, python, frameworks = point
    return f"{gpu}-{driver}-{python}-{'+'.join(frameworks)}"


def environments(
    matrices: Matrices, manager: str | None = None
) -> list[tuple[PlanEnvironment, Plan]]:
    """The grid's distinct environments, each with one of its plans."""
    found: dict[tuple[object, ...], tuple[PlanEnvironment, Plan]] = {}
    for gpu, driver, python, frameworks in whole():
        request = parse_request(
            matrices, frameworks=frameworks, python=python, manager=manager
        )
        target = f"gpu={gpu},driver={driver},python={python}"
        plan = solve(parse_target(target, matrices), matrices, request)
        for planned in plan.environments:
            pins = tuple((p.name, p.full_version, p.build) for p in planned.pins)
            key = (planned.manager, planned.python, planned.channels, pins)
            found.setdefault(key, (planned, plan))
    return list(found.values())
