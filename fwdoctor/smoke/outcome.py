"""What became of a child: the stages in its result file, and the one it died in.

Pure: takes how the child ended and the record it left. The record is written by a
program that may have been killed or gone wild, so nothing in it is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

from fwdoctor.model.snapshot import SmokeKind, SmokeResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwdoctor.process import ChildResult
    from fwdoctor.smoke.plan import Plan

_BEFORE: Final = ("import", "device", "allocate", "matmul", "convolution")
_TOGETHER: Final = ("import", "device", "allocate", "all-reduce")
_EACH: Final = ("train", "accuracy", "placement")
_AFTER: Final = ("mixed-precision", "compile")
_STATUSES: Final = ("passed", "failed", "skipped")
_KINDS: Final[tuple[str, ...]] = get_args(SmokeKind)
_LAST_WORDS = 300

Stage = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One child's stages, and the losses and facts it left."""

    results: tuple[SmokeResult, ...]
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_failed(self) -> bool:
        """Whether any stage failed."""
        return any(result.status == "failed" for result in self.results)


def stages_of(plan: Plan) -> tuple[Stage, ...]:
    """Every stage a sound child goes through, in order."""
    names = [preset.name for preset in plan.presets]
    if plan.world > 1:
        return (*((s, None) for s in _TOGETHER), ("together", names[0]))
    if plan.max_steps is not None:
        return (*((s, None) for s in _BEFORE[:3]), *(("train", name) for name in names))
    return (
        *((stage, None) for stage in _BEFORE),
        *((stage, name) for name in names for stage in _EACH),
        *((stage, names[0]) for stage in _AFTER),
        ("memory-released", None),
    )


def explain_task(
    plan: Plan, child: ChildResult, record: Mapping[str, object]
) -> TaskRun:
    """All stages of the plan: done, died in, or not reached."""
    done = list(_recorded(plan, record))
    if not record.get("is_finished") and all(r.status != "failed" for r in done):
        done.append(_died_in(plan, child, record))
    seen = {(result.stage, result.preset) for result in done}
    last = next((r.stage for r in reversed(done) if r.status == "failed"), "")
    missed = [
        _result(plan, stage, "skipped", detail=f"not reached: {last} failed")
        for stage in stages_of(plan)
        if stage not in seen
    ]
    return TaskRun(
        results=(*done, *missed),
        curves=dict(_curves(record)),
        facts=_mapping(record.get("facts")),
    )


def _recorded(plan: Plan, record: Mapping[str, object]) -> Iterator[SmokeResult]:
    results = record.get("results")
    for item in results if isinstance(results, list) else []:
        entry = _mapping(item)
        status, name = entry.get("status"), entry.get("stage")
        if status not in _STATUSES or not isinstance(name, str):
            continue
        kind, seconds = entry.get("kind"), entry.get("seconds")
        yield SmokeResult(
            framework=plan.framework,
            device=plan.devices,
            stage=name,
            preset=_text(entry.get("preset")),
            status=status,
            kind=kind if kind in _KINDS else None,  # type: ignore[arg-type]  # likewise
            detail=_text(entry.get("detail")) or "",
            seconds=float(seconds) if isinstance(seconds, (int, float)) else 0.0,
        )


def _died_in(
    plan: Plan, child: ChildResult, record: Mapping[str, object]
) -> SmokeResult:
    """The stage that was under way when the child ended."""
    now = _mapping(record.get("stage"))
    stage = (_text(now.get("name")) or "start", _text(now.get("preset")))
    kind, detail = _end_of(child)
    epoch = now.get("epoch")
    if isinstance(epoch, int):
        detail += f", after epoch {epoch} of {now.get('epochs')}"
    return _result(plan, stage, "failed", kind=kind, detail=detail, child=child)


def _end_of(child: ChildResult) -> tuple[SmokeKind, str]:
    if child.status == "timeout":
        return "timeout", child.reason
    if child.signal_name == "SIGKILL":
        return "killed", "killed from outside, most often because memory ran out"
    words = _last_words(child.stderr)
    if child.status == "signalled":
        return "crashed", f"{child.reason}{words}"
    if child.status == "exited" and child.returncode == 0:
        return "error", "it ended before its work was done"
    return "error", f"{child.reason}{words}"


def _last_words(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return f": {lines[-1][:_LAST_WORDS]}" if lines else ""


def _result(
    plan: Plan,
    stage: Stage,
    status: str,
    *,
    kind: SmokeKind | None = None,
    detail: str = "",
    child: ChildResult | None = None,
) -> SmokeResult:
    return SmokeResult(
        framework=plan.framework,
        device=plan.devices,
        stage=stage[0],
        preset=stage[1],
        status=status,  # type: ignore[arg-type]  # a literal at each call
        kind=kind,
        detail=detail,
        signal=child.signal_name if child else None,
        seconds=round(child.seconds, 3) if child else 0.0,
    )


def _curves(record: Mapping[str, object]) -> Iterator[tuple[str, tuple[float, ...]]]:
    for name, values in _mapping(record.get("curves")).items():
        if isinstance(values, list):
            try:
                yield name, tuple(float(value) for value in values)  # "nan" as well
            except (TypeError, ValueError):
                continue


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
