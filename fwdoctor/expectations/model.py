"""The expectations of one file. docs/expectations.schema.json says the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from fwdoctor.model.finding import Severity

FRAMEWORKS = ("torch", "tensorflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMember:
    """A kind of host that must be served: a GPU and the driver beside it."""

    name: str
    gpu: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A finding whose severity was changed on purpose, for a reason, for a time."""

    rule: str  # code or name
    level: Severity
    reason: str
    until: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What is required, of which hosts, and what is forbidden or tolerated."""

    path: str
    frameworks: Mapping[str, str] = field(default_factory=dict)  # name → specifiers
    gpus: int | None = None
    fleet: tuple[FleetMember, ...] = ()
    forbidden_causes: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
