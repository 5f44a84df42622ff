"""Our pins in a `pyproject.toml` that is there already; the rest stays as it is.

A file that cannot hold them without losing or breaking something is refused.
"""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING, Any

from fwdoctor.envs.header import MARK
from fwdoctor.envs.platforms import marker, marker_values
from fwdoctor.envs.pyproject_toml import NAME, VERSION, index_name, indexes, pages
from fwdoctor.envs.pyproject_toml import sources as sources_of
from fwdoctor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from packaging.requirements import Requirement

    from fwdoctor.model.plan import Pin, Plan, PlanEnvironment

# What a merge may touch; everything else has to come out as it went in.
_OURS = (
    ("project", "name"),
    ("project", "version"),
    ("project", "requires-python"),
    ("project", "dependencies"),
    ("tool", "uv", "environments"),
    ("tool", "uv", "find-links"),
    ("tool", "uv", "index"),
    ("tool", "uv", "sources"),
)
_NOT_TO_MERGE = "write it elsewhere and copy what you need: fwdoctor env … --stdout"


def merged(existing: str, plan: Plan, planned: PlanEnvironment) -> str:
    """The file with our pins, index and platform; UsageError where it has no room."""
    import tomlkit

    document = _parsed(_without_header(existing))
    before = document.unwrap()
    try:
        _check_room(before, planned)
        _merge_project(document, plan, planned)
        _merge_uv(document, plan, planned)
    except (AttributeError, TypeError, ValueError) as error:
        raise _unmergeable(str(error)) from error
    text: str = tomlkit.dumps(document)
    if _rest(_loaded(text)) != _rest(before):
        raise _unmergeable("its layout leaves no room for our tables")
    return text


def replaced(existing: str, plan: Plan, planned: PlanEnvironment) -> tuple[str, ...]:
    """What the existing file says that a merge would change."""
    before = _parsed(_without_header(existing)).unwrap()
    try:
        present = before.get("project", {}).get("dependencies", [])
        values = marker_values(plan.target.platform, planned.python)
        pins = _by_name(planned)
        found = [t for t in map(str, present) if _with_pin(t, pins, values) != t]
        table = before.get("tool", {}).get("uv", {}).get("sources", {})
        wanted = {name: {"index": i} for name, i in sources_of(planned).items()}
        return (
            *found,
            *(
                f"tool.uv.sources.{name}"
                for name, source in table.items()
                if wanted.get(_normal(name), source) != source
            ),
        )
    except (AttributeError, TypeError) as error:
        raise _unmergeable(str(error)) from error


# Reading


def _parsed(text: str) -> Any:  # tomlkit's own document
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise _unmergeable(str(error)) from error


def _loaded(text: str) -> dict[str, Any]:
    """The text as another reader understands it."""
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    reader = importlib.import_module(name)
    try:
        found: dict[str, Any] = reader.loads(text)
    except ValueError as error:
        raise _unmergeable("its layout leaves no room for our tables") from error
    return found


def _rest(values: Any, path: tuple[str, ...] = ()) -> Any:  # any TOML
    """The values without what a merge may touch, and without tables left empty."""
    if not isinstance(values, dict):
        return values
    kept = {
        name: _rest(value, (*path, name))
        for name, value in values.items()
        if (*path, name) not in _OURS
    }
    above = path in {ours[:n] for ours in _OURS for n in range(len(ours))}
    return {name: v for name, v in kept.items() if v != {} or not above}


def _unmergeable(reason: str) -> UsageError:
    return UsageError(
        "pyproject-unreadable",
        f"the existing pyproject.toml: {reason}",
        hint=_NOT_TO_MERGE,
    )


def _without_header(text: str) -> str:
    """The file without the comment an earlier fwdoctor put in front."""
    if not text.startswith(f"# {MARK}"):
        return text
    lines = text.splitlines(keepends=True)
    kept = next((i for i, line in enumerate(lines) if line[:1] != "#"), len(lines))
    if kept < len(lines) and not lines[kept].strip():
        kept += 1  # the blank line that parts it from the file's own comments
    return "".join(lines[kept:])


def _check_room(before: dict[str, Any], planned: PlanEnvironment) -> None:
    """Raise where pins in `[project]` would break the project."""
    project = before.get("project")
    if project is None and "poetry" in before.get("tool", {}):
        raise _unmergeable("it is Poetry's, which keeps its own list of dependencies")
    project = project or {}
    if "dependencies" in project.get("dynamic", ()):
        raise _unmergeable("its dependencies are dynamic: the build tool sets them")
    _check_python(project.get("requires-python"), planned.python)


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


# Writing


def _merge_project(
    document: MutableMapping[str, Any], plan: Plan, planned: PlanEnvironment
) -> None:
    import tomlkit

    project = document.setdefault("project", tomlkit.table())
    for name, value in (("name", NAME), ("version", VERSION)):
        if name not in project.get("dynamic", ()):
            project.setdefault(name, value)
    project.setdefault("requires-python", f"=={planned.python}.*")
    if "dependencies" not in project:
        project["dependencies"] = tomlkit.array().multiline(True)  # tomlkit's signature
    present = project["dependencies"]
    values = marker_values(plan.target.platform, planned.python)
    pins = _by_name(planned)
    held: set[str] = set()
    for number, text in enumerate(map(str, list(present))):
        wanted = _with_pin(text, pins, values)
        if wanted != text:
            present[number] = wanted
        if _normal(text) in pins and _applies(text, values):
            held.add(_normal(text))
    for name, pin in pins.items():
        if name not in held:
            present.append(pin.requirement)


def _merge_uv(
    document: MutableMapping[str, Any], plan: Plan, planned: PlanEnvironment
) -> None:
    import tomlkit

    tool = document.setdefault("tool", tomlkit.table(is_super_table=True))
    uv = tool.setdefault("uv", tomlkit.table())
    if "environments" not in uv:
        uv["environments"] = [marker(plan.target.platform)]
    links = uv.setdefault("find-links", tomlkit.array()) if pages(planned) else []
    links.extend(page for page in pages(planned) if page not in links)
    sources = sources_of(planned)
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
        if table.get(name) != {"index": index}:
            source = tomlkit.inline_table()
            source["index"] = index
            table[name] = source


# Requirements


def _by_name(planned: PlanEnvironment) -> dict[str, Pin]:
    return {_normal(pin.name): pin for pin in planned.pins}


def _normal(requirement: str) -> str:
    """The normalised name a requirement begins with."""
    found = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else requirement


def _with_pin(text: str, pins: dict[str, Pin], values: dict[str, str]) -> str:
    """The requirement held at our pin, its own extras and marker kept."""
    pin = pins.get(_normal(text))
    if pin is None or not _applies(text, values):
        return text
    mine, its = _requirement(pin.requirement), _requirement(text)
    if mine is None or its is None:
        return pin.requirement
    mine.extras |= its.extras
    mine.marker = its.marker
    return text if str(mine) == str(its) else _spelled(mine)


def _spelled(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    condition = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}{requirement.specifier}{condition}"


def _applies(text: str, values: dict[str, str]) -> bool:
    """Whether a requirement's marker holds on the planned platform."""
    found = _requirement(text)
    if found is None or found.marker is None:
        return True
    return found.marker.evaluate({**values, "extra": ""})


def _requirement(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None
