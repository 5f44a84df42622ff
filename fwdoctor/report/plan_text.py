"""A plan for a person: what to install, what to type, why, and why not newer."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from fwdoctor.solve.commands import install_commands, override_cuda

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.plan import PassedOver, Plan, PlanEnvironment
    from fwdoctor.report.registry import RenderOptions

_LABEL = 9  # columns before the text of a line
_MOST = 6  # reasons shown without -v
_ASCII = str.maketrans({"·": "-", "«": '"', "»": '"', "→": "->", "…": "..."})


def render(plan: Plan, options: RenderOptions) -> str:
    """The plan as text for a terminal."""
    bold, plain = ("\x1b[1m", "\x1b[0m") if options.is_colored else ("", "")
    lines = [f"{bold}{plan.headline}{plain}"]
    if options.verbosity < 0:
        lines.extend(_commands_only(plan))
    else:
        lines.append("")
        lines.extend(_lines(plan, options))
    text = "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"
    if options.is_ascii:
        return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
    return text


def _commands_only(plan: Plan) -> Iterator[str]:
    for planned in plan.environments:
        yield from (" " * _LABEL + line for line in install_commands(planned))
    # Two frameworks may need the same one; here what each gives is left out.
    for what in dict.fromkeys(change.what for change in plan.changes):
        yield f"{'change':<{_LABEL}}{what}"


def _lines(plan: Plan, options: RenderOptions) -> Iterator[str]:
    for planned in plan.environments:
        yield from _environment_lines(planned, options)
    for gpu in plan.left_out:
        yield from _labelled("left out", f"{gpu} is served by none of this", options)
    for change in plan.changes:
        gives = f": gives {change.gives}" if change.gives else ""
        yield from _labelled("change", f"{change.what}{gives}", options)
        yield from (" " * (_LABEL + 4) + command for command in change.commands)
    for note in plan.notes:
        yield from _labelled("note", note, options)
    yield from _why_not(plan, options)
    if options.verbosity > 0:
        yield from _sources(plan, options)


def _environment_lines(
    planned: PlanEnvironment, options: RenderOptions
) -> Iterator[str]:
    for number, command in enumerate(install_commands(planned)):
        yield f"{'install' if number == 0 else '':<{_LABEL}}{command}"
    cuda = override_cuda(planned)
    if cuda is not None:
        text = (
            f"where no GPU is (CI, docker build) put CONDA_OVERRIDE_CUDA={cuda} first"
        )
        yield from _labelled("", text, options)
    yield from _labelled("with", ", ".join(_facts(planned)), options)
    for pin in planned.pins:
        shown = pin.match_spec if planned.is_conda else pin.requirement
        if pin.role == "framework" or options.verbosity > 0:
            source = "PyPI" if pin.index == "pypi" else pin.index
            text = f"{shown} from {source}: {pin.why}"
            yield from _labelled("why", text, options)
    for reason in planned.why:
        yield from _labelled("why", reason, options)
    yield ""


def _facts(planned: PlanEnvironment) -> Iterator[str]:
    yield f"Python {planned.python}"
    if planned.cuda is not None:
        yield f"CUDA {planned.cuda}"
    if planned.least_driver is not None:
        yield f"driver {planned.least_driver} or newer"


def _why_not(plan: Plan, options: RenderOptions) -> Iterator[str]:
    groups = list(group_reasons(plan.passed_over))
    shown = groups if options.verbosity > 0 else groups[:_MOST]
    for text in shown:
        yield from _labelled("why not", text, options)
    if len(groups) > len(shown):
        more = f"{len(groups) - len(shown)} more reasons (-v shows them)"
        yield from _labelled("", more, options)


def group_reasons(passed: tuple[PassedOver, ...]) -> Iterator[str]:
    """Neighbouring releases with the same reason in one line."""

    def key(item: PassedOver) -> tuple[str, tuple[str, ...], str]:
        return item.framework, item.variants, item.reason

    kept = sorted(passed, key=lambda item: item.framework, reverse=True)
    for (framework, variants, reason), items in groupby(kept, key):
        versions = [item.version for item in items]
        span = versions[0] if len(versions) == 1 else f"{versions[-1]} to {versions[0]}"
        builds = f" ({', '.join(variants)})" if variants else ""
        yield f"{framework} {span}{builds}: {reason}"


def _sources(plan: Plan, options: RenderOptions) -> Iterator[str]:
    for note in plan.sources:
        read = f", read {note.retrieved}" if note.retrieved else ""
        text = f"{note.subject}: {note.source} ({note.confidence}{read})"
        yield from _labelled("source", text, options)


def _labelled(label: str, text: str, options: RenderOptions) -> Iterator[str]:
    width = max(options.width - _LABEL, 30)
    wrapped = textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False
    ) or [""]
    for number, line in enumerate(wrapped):
        yield f"{label if number == 0 else '':<{_LABEL}}{line}"
