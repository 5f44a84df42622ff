"""`pyproject.toml` for uv: a new one, or an existing one with its comments kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fwdoctor.envs.header import commented, header_lines
from fwdoctor.envs.platforms import marker

if TYPE_CHECKING:
    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Plan, PlanEnvironment

MANAGERS = ("uv", "pip")
NAMES = ("pyproject.toml",)
# Of a project that has none of its own; uv wants both.
NAME, VERSION = "gpu-environment", "0.1.0"


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file: exact pins, PyTorch's index for its packages only, one platform."""
    header = header_lines(plan, planned, wish.file_name)
    header.append("Use it with: uv sync")
    if wish.existing is not None:
        from fwdoctor.envs.pyproject_merge import merged

        text = merged(wish.existing, plan, planned)
        return _with_line_ends(f"{commented(header)}\n{text}", wish.existing)
    lines = ["", "[project]", f"name = {_text(NAME)}", f"version = {_text(VERSION)}"]
    lines.append(f"requires-python = {_text(f'=={planned.python}.*')}")
    lines.append("dependencies = [")
    lines.extend(f"    {_text(pin.requirement)}," for pin in planned.pins)
    lines.extend(["]", "", "[tool.uv]"])
    lines.append(f"environments = [{_text(marker(plan.target.platform))}]")
    if pages(planned):
        lines.append(f"find-links = [{', '.join(map(_text, pages(planned)))}]")
    for url in indexes(planned):
        lines.extend(["", "[[tool.uv.index]]", f"name = {_text(index_name(url))}"])
        lines.extend([f"url = {_text(url)}", "explicit = true"])
    found = sources(planned)
    if found:
        lines.extend(["", "[tool.uv.sources]"])
        lines.extend(
            f"{name} = {{ index = {_text(index)} }}" for name, index in found.items()
        )
    return commented(header) + "\n".join(lines) + "\n"


def pages(planned: PlanEnvironment) -> list[str]:
    """Pages of links, where PyTorch kept its older wheels."""
    return [url for url in planned.channels if url.endswith(".html")]


def indexes(planned: PlanEnvironment) -> list[str]:
    """Package indexes beside PyPI."""
    return [url for url in planned.channels if not url.endswith(".html")]


def index_name(url: str) -> str:
    """A name for PyTorch's index: pytorch-cu126."""
    return f"pytorch-{url.rstrip('/').rpartition('/')[2]}"


def sources(planned: PlanEnvironment) -> dict[str, str]:
    """The name of the index for each package that does not come from PyPI."""
    return {
        pin.name: index_name(pin.index)
        for pin in planned.pins
        if pin.index in indexes(planned)
    }


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _with_line_ends(text: str, existing: str) -> str:
    """The text with the line ends most lines of the existing file have."""
    is_windows = existing.count("\r\n") * 2 > existing.count("\n")
    plain = text.replace("\r\n", "\n")
    return plain.replace("\n", "\r\n") if is_windows else plain
