"""`pixi.toml`: today's form with the CUDA of each platform, or the older one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fwdoctor.envs.header import commented, header_lines
from fwdoctor.envs.platforms import conda_subdir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Pin, Plan, PlanEnvironment

MANAGERS = ("pixi",)
NAMES = ("pixi.toml",)


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file. Without a declared CUDA pixi silently takes CPU builds."""
    subdir = conda_subdir(plan.target.platform)
    cuda = planned.virtual_packages.get("__cuda")
    body = ["[workspace]", f"name = {_text(planned.name)}"]
    body.append(f"channels = [{', '.join(map(_text, planned.channels))}]")
    body.extend(_platform(subdir, cuda, is_old=wish.is_old_pixi))
    body.extend(["", "[dependencies]", f"python = {_text(planned.python + '.*')}"])
    body.extend(f"{pin.name} = {_spec(pin)}" for pin in planned.pins)
    lines = header_lines(plan, planned, wish.file_name)
    if wish.is_old_pixi:
        lines[-1] += " --old-pixi"
    return commented(lines) + "\n".join(body) + "\n"


def _platform(subdir: str, cuda: str | None, *, is_old: bool) -> Iterator[str]:
    if cuda is None:
        yield f"platforms = [{_text(subdir)}]"
    elif is_old:
        yield f"platforms = [{_text(subdir)}]"
        yield ""
        yield "[system-requirements]"
        yield f"cuda = {_text(cuda)}"
    else:
        yield f"platforms = [{{ platform = {_text(subdir)}, cuda = {_text(cuda)} }}]"


def _spec(pin: Pin) -> str:
    wanted = f"=={pin.version}" if pin.is_exact else pin.version
    if pin.build:
        return f"{{ version = {_text(wanted)}, build = {_text(pin.build)} }}"
    if not pin.is_exact:
        return _text(wanted)
    if pin.role == "library":
        return _text(f"{pin.version}.*")
    return _text(f"=={pin.version}")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
