"""What `recommend`, `env` and `translate` share: a machine, a request, a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.plan import Plan, Request
    from fwdoctor.model.snapshot import Snapshot

TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="Plan for another machine: 'gpu=RTX 5090,driver=580.65.06,os=linux,"
        "arch=x86_64,python=3.12,glibc=2.35'; gpu=none for the CPU.",
        metavar="FACTS",
    ),
]
For = Annotated[
    str | None,
    typer.Option("--for", help="torch, tensorflow or both.", metavar="LIST"),
]
With = Annotated[
    str | None,
    typer.Option("--with", help="Also torchvision, torchaudio.", metavar="LIST"),
]
ManagerOption = Annotated[
    str | None,
    typer.Option(
        help="pip, uv, conda or pixi; else the environment's own.", metavar="NAME"
    ),
]
Python = Annotated[
    str | None, typer.Option(help="The Python version to keep to.", metavar="X.Y")
]
Prefer = Annotated[
    str,
    typer.Option(
        help="newest, or native: code for this GPU, nothing compiled at the start.",
        metavar="WHAT",
    ),
]
SnapshotOption = Annotated[
    str | None,
    typer.Option(
        "--snapshot",
        help="Plan for a saved snapshot; - is standard input.",
        metavar="FILE",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWish:
    """The options of the command line, as typed."""

    constraints: tuple[str, ...] = ()
    frameworks: str | None = None
    companions: str | None = None
    target: str | None = None
    snapshot: str | None = None
    manager: str | None = None
    python: str | None = None
    prefer: str = "newest"


def make_plan(wish: PlanWish, matrices: Matrices) -> Plan:
    """The plan for the wished or this machine; UsageError for what is not clear."""
    from fwdoctor.solve.planner import solve

    snapshot = machine_snapshot(wish, matrices)
    return solve(snapshot, matrices, make_request(wish, snapshot, matrices))


def make_request(wish: PlanWish, snapshot: Snapshot, matrices: Matrices) -> Request:
    """What was wished, with the Python that a --target names."""
    from fwdoctor.solve.requests import parse_request

    return parse_request(
        matrices,
        frameworks=words(wish.frameworks),
        constraints=wish.constraints,
        companions=words(wish.companions),
        manager=wish.manager,
        python=wish.python or _target_python(wish, snapshot),
        prefer=wish.prefer,
    )


def _target_python(wish: PlanWish, snapshot: Snapshot) -> str | None:
    """A Python named in --target is meant; one that was merely found may change."""
    found = snapshot.target.python_version if snapshot.target else None
    if wish.target is None or found is None:
        return None
    return ".".join(found.split(".")[:2])


def machine_snapshot(wish: PlanWish, matrices: Matrices) -> Snapshot:
    """The target's snapshot, a saved one, or this machine's."""
    if wish.target is not None and wish.snapshot is not None:
        from fwdoctor.errors import UsageError

        raise UsageError("bad-option", "give --target or --snapshot, not both")
    if wish.target is not None:
        from fwdoctor.target import parse_target

        return parse_target(wish.target, matrices, created_at=now())
    from fwdoctor.cli.checking import CheckRequest, take_snapshot

    return take_snapshot(CheckRequest(snapshot=wish.snapshot))


def now() -> str:
    """The present second in UTC; SOURCE_DATE_EPOCH holds it still."""
    import datetime as dt
    import os

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = (
        dt.datetime.fromtimestamp(int(epoch), tz=dt.timezone.utc)
        if epoch.isdigit()
        else dt.datetime.now(tz=dt.timezone.utc)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def words(text: str | None) -> tuple[str, ...]:
    """Words of a comma-separated option."""
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))
