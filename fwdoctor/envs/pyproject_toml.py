"""`pyproject.toml` for uv: a new one, or an existing one with its comments kept."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fwdoctor.envs.header import MARK, commented, header_lines
from fwdoctor.envs.platforms import marker
from fwdoctor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from fwdoctor.envs.registry import FileWish
    from fwdoctor.model.plan import Plan, PlanEnvironment

MANAGERS = ("uv", "pip")
NAMES = ("pyproject.toml",)


def render(plan: Plan, planned: PlanEnvironment, wish: FileWish) -> str:
    """The file: exact pins, PyTorch's index for its packages only, one platform."""
    header = header_lines(plan, planned, wish.file_name)
    if wish.existing is not None:
        return _merged(wish.existing, plan, planned, header)
    lines = ["[project]", 'name = "gpu-environment"', 'version = "0.1.0"']
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
    sources = dict(_sources(planned))
    if sources:
        lines.extend(["", "[tool.uv.sources]"])
        lines.extend(
            f"{name} = {{ index = {_text(index)} }}" for name, index in sources.items()
        )
    header.append("Use it with: uv sync")
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


def _sources(planned: PlanEnvironment) -> Iterator[tuple[str, str]]:
    for pin in planned.pins:
        if pin.index in indexes(planned):
            yield pin.name, index_name(pin.index)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


# Into a file that is there already


def _merged(
    existing: str, plan: Plan, planned: PlanEnvironment, header: list[str]
) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document: Any = tomlkit.parse(_without_header(existing))
        _merge_project(document, planned)
        _merge_uv(document, plan, planned)
    except (TOMLKitError, AttributeError, TypeError) as error:
        raise UsageError(
            "pyproject-unreadable", f"the existing pyproject.toml: {error}"
        ) from error
    text: str = tomlkit.dumps(document)
    return f"{commented(header)}\n{text}"


def _without_header(text: str) -> str:
    """The file without the comment an earlier fwdoctor put in front."""
    if not text.startswith(f"# {MARK}"):
        return text
    lines = text.splitlines(keepends=True)
    kept = next((i for i, line in enumerate(lines) if line[:1] != "#"), len(lines))
    if kept < len(lines) and not lines[kept].strip():
        kept += 1  # the blank line that parts it from the file's own comments
    return "".join(lines[kept:])


def _merge_project(
    document: MutableMapping[str, Any], planned: PlanEnvironment
) -> None:
    import tomlkit

    project = document.setdefault("project", tomlkit.table())
    _check_python(project.get("requires-python"), planned.python)
    project.setdefault("requires-python", f"=={planned.python}.*")
    present = project.setdefault("dependencies", tomlkit.array())
    present.multiline(True)  # tomlkit's own signature
    ours = {_normal(pin.name): pin.requirement for pin in planned.pins}
    for number, requirement in enumerate(list(present)):
        name = _normal(str(requirement))
        if name in ours:
            present[number] = ours.pop(name)
    for requirement in ours.values():
        present.append(requirement)


def replaced_requirements(existing: str, planned: PlanEnvironment) -> tuple[str, ...]:
    """Requirements of the existing file that a merge would change."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document: Any = tomlkit.parse(existing)
        present = document.get("project", {}).get("dependencies", [])
        found = [str(item) for item in present]
    except (TOMLKitError, AttributeError, TypeError) as error:
        raise UsageError(
            "pyproject-unreadable", f"the existing pyproject.toml: {error}"
        ) from error
    ours = {_normal(pin.name): pin.requirement for pin in planned.pins}
    return tuple(r for r in found if ours.get(_normal(r), r) != r)


def _normal(requirement: str) -> str:
    """The normalised name a requirement begins with."""
    found = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else requirement


def _check_python(spec: object, python: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if spec is None:
        return
    try:
        if SpecifierSet(str(spec)).contains(f"{python}.99"):
            return
    except InvalidSpecifier:
        pass
    raise UsageError(
        "python-differs",
        f"the existing pyproject.toml requires Python {spec}, the plan has {python}",
        hint=f"ask for one with --python, or change requires-python to =={python}.*",
    )


def _merge_uv(
    document: MutableMapping[str, Any], plan: Plan, planned: PlanEnvironment
) -> None:
    import tomlkit

    tool = document.setdefault("tool", tomlkit.table(is_super_table=True))
    uv = tool.setdefault("uv", tomlkit.table())
    if "environments" not in uv:
        uv["environments"] = [marker(plan.target.platform)]
    if pages(planned):
        uv.setdefault("find-links", tomlkit.array()).extend(pages(planned))
    sources = dict(_sources(planned))
    if not sources:
        return
    present = uv.setdefault("index", tomlkit.aot())
    known = {str(item.get("name")) for item in present}
    for url in indexes(planned):
        if index_name(url) not in known:
            entry = tomlkit.table()
            entry.update({"name": index_name(url), "url": url, "explicit": True})
            present.append(entry)
    table = uv.setdefault("sources", tomlkit.table())
    for name, index in sources.items():
        source = tomlkit.inline_table()
        source["index"] = index
        table[name] = source
