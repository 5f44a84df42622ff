"""Progress of a smoke test on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fwdoctor.presence import FRAMEWORK_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.progress import Progress, TaskID

    from fwdoctor.smoke.plan import Plan

    Record = Mapping[str, object]
    Listener = Callable[[Plan, Record], None]


@contextmanager
def progress(*, is_quiet: bool) -> Iterator[Listener | None]:
    """A listener for the runner's records."""
    if is_quiet:
        yield None
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield _Bars(bars)
    else:
        yield _Lines()


class _Lines:
    """One line for each stage that ends."""

    def __init__(self) -> None:
        self._said = 0
        self._plan: Plan | None = None

    def __call__(self, plan: Plan, record: Record) -> None:
        if plan is not self._plan:
            self._plan, self._said = plan, 0
        results = record.get("results")
        for item in (results if isinstance(results, list) else [])[self._said :]:
            self._said += 1
            if isinstance(item, dict):
                print(_line(plan, item), file=sys.stderr, flush=True)


def _line(plan: Plan, item: Record) -> str:
    stage = " ".join(
        str(part) for part in (item.get("stage"), item.get("preset")) if part
    )
    lead = f"{FRAMEWORK_NAMES[plan.framework]} on {plan.device}: {stage}"
    return f"{lead} {item.get('status')}, {item.get('seconds')} s, {item.get('detail')}"


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<44}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Bars:
    """One bar a child, moved by stages and epochs."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._plan: Plan | None = None
        self._task: TaskID | None = None

    def __call__(self, plan: Plan, record: Record) -> None:
        from fwdoctor.smoke.outcome import stages_of

        if plan is not self._plan or self._task is None:
            self._plan = plan
            self._task = self._bars.add_task("", total=float(len(stages_of(plan))))
        stage = record.get("stage")
        now = stage if isinstance(stage, dict) else {}
        results = record.get("results")
        done = float(len(results)) if isinstance(results, list) else 0.0
        epoch, epochs = now.get("epoch"), now.get("epochs")
        text = f"{FRAMEWORK_NAMES[plan.framework]} on {plan.device}: {now.get('name')}"
        if now.get("preset"):
            text += f" {now.get('preset')}"
        if isinstance(epoch, int) and isinstance(epochs, int) and epochs:
            done += epoch / epochs
            text += f", epoch {epoch} of {epochs}"
        self._bars.update(self._task, completed=done, description=text)
