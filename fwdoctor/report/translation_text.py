"""A translated install line for a person: then, now, and what to type."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fwdoctor.solve.commands import install_commands, override_cuda
from fwdoctor.solve.planner import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.plan import Plan
    from fwdoctor.report.registry import RenderOptions
    from fwdoctor.solve.translate import Translation

_LABEL = 9


def render(translations: tuple[Translation, ...], options: RenderOptions) -> str:
    """Every line in turn."""
    blocks = ["\n".join(_lines(item, options)) for item in translations]
    text = "\n\n".join(blocks) + "\n"
    if options.is_ascii:
        return text.encode("ascii", "replace").decode("ascii")
    return text


def _lines(item: Translation, options: RenderOptions) -> Iterator[str]:
    bold, plain = ("\x1b[1m", "\x1b[0m") if options.is_colored else ("", "")
    yield f"{bold}{_headline(item)}{plain}"
    if options.verbosity >= 0:
        yield ""
        yield from _labelled("line", " ".join(item.text.split()), options)
        yield from _labelled("asked", item.asked, options)
        for era in item.eras:
            yield from _labelled("then", era.when, options)
        gives = [era.gives for era in item.eras if era.gives]
        for number, reason in enumerate([*gives, *item.why]):
            label = "today" if number == 0 else ""
            yield from _labelled(label, reason, options)
    yield from _plan_lines("now", item.plan, options)
    if item.kept is not None and options.verbosity >= 0:
        yield from _plan_lines("or keep", item.kept, options)
    if options.verbosity >= 0:
        for note in item.notes:
            yield from _labelled("note", note, options)


def _headline(item: Translation) -> str:
    where = describe(item.plan.target)
    if item.works is None:
        return f"It is not known whether this line still works on {where}."
    if item.works:
        return f"This line still works on {where}."
    return f"This line does not work on {where} today."


def _plan_lines(label: str, plan: Plan, options: RenderOptions) -> Iterator[str]:
    for planned in plan.environments:
        for command in install_commands(planned):
            yield f"{label:<{_LABEL}}{command}"
            label = ""
        cuda = override_cuda(planned)
        if cuda is not None and options.verbosity >= 0:
            text = f"(where no GPU is, with CONDA_OVERRIDE_CUDA={cuda} in front)"
            yield from _labelled("", text, options)
    if plan.outcome != "complete":
        yield from _labelled(label, plan.headline, options)
    for change in plan.changes:
        gives = f": gives {change.gives}" if change.gives else ""
        yield from _labelled("change", f"{change.what}{gives}", options)
    if options.verbosity > 0:
        for note in plan.notes:
            yield from _labelled("note", note, options)


def _labelled(label: str, text: str, options: RenderOptions) -> Iterator[str]:
    width = max(options.width - _LABEL, 30)
    wrapped = textwrap.wrap(
        text, width, break_long_words=False, break_on_hyphens=False
    ) or [""]
    for number, line in enumerate(wrapped):
        yield f"{label if number == 0 else '':<{_LABEL}}{line}"
