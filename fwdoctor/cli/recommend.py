"""`fwdoctor recommend`: which builds to install on this machine, and why not others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fwdoctor.cli import options, planning
from fwdoctor.cli.boundary import command

if TYPE_CHECKING:
    from fwdoctor.model.plan import Plan
    from fwdoctor.report.registry import RenderOptions

FORMATS = ("terminal", "json")


@command
def recommend(
    constraints: Annotated[
        list[str] | None,
        typer.Argument(help="Constraints: 'torch>=2.6,<2.9'.", metavar="[CONSTRAINT]…"),
    ] = None,
    frameworks: planning.For = None,
    target: planning.TargetOption = None,
    snapshot: planning.SnapshotOption = None,
    python: planning.Python = None,
    manager: planning.ManagerOption = None,
    companions: planning.With = None,
    prefer: planning.Prefer = "newest",
    format_name: options.TextOrJson = "terminal",
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """The PyTorch and TensorFlow builds that will work on this driver and GPU.

    Uses no network. Exit codes: 0 everything asked for is possible, 1 it is not (what
    would make it so is said), 2 usage error, 4 the machine's GPU is not known.
    """
    from fwdoctor.cli.boundary import emit
    from fwdoctor.matrices.load import Matrices

    chosen = options.one_of(format_name, FORMATS, "--format")
    wish = planning.PlanWish(
        constraints=tuple(constraints or ()),
        frameworks=frameworks,
        companions=companions,
        target=target,
        snapshot=snapshot,
        manager=manager,
        python=python,
        prefer=prefer,
    )
    plan = planning.make_plan(wish, Matrices())
    look = options.render_options(
        color=color, output=output, quiet=quiet, verbose=verbose
    )
    emit(_text(plan, chosen, look), output)
    raise typer.Exit(0 if plan.outcome == "complete" else 1)


def _text(plan: Plan, format_name: str, look: RenderOptions) -> str:
    if format_name == "json":
        import json

        from fwdoctor.model.codec import encode
        from fwdoctor.solve.commands import install_commands

        data = encode(plan)
        for planned, shown in zip(plan.environments, data["environments"], strict=True):
            shown["commands"] = list(install_commands(planned))
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    from fwdoctor.report.plan_text import render

    return render(plan, look)
