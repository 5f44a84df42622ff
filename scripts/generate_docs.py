"""Writes every generated document: rule pages, JSON schemas, CLI reference, picture.

python scripts/generate_docs.py            write them
python scripts/generate_docs.py --check    exit 1 when one is not current
"""

from __future__ import annotations

import dataclasses
import io
import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from fwdoctor.model.finding import Report
from fwdoctor.model.snapshot import SCHEMA_VERSION, Snapshot
from fwdoctor.rules.pages import page_markdown
from fwdoctor.rules.registry import load_rules
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
_TEXT_TYPES = (DriverVersion, CudaVersion, ComputeCapability)


def documents() -> dict[Path, str]:
    """Every generated file and its text."""
    return {
        **rule_pages(),
        DOCS / "report.schema.json": schema_text(Report, "fwdoctor report"),
        DOCS / "snapshot.schema.json": schema_text(Snapshot, "fwdoctor snapshot"),
        DOCS / "cli.md": cli_reference(),
        DOCS / "check.svg": picture(),
    }


def rule_pages() -> dict[Path, str]:
    """One page per rule, and their list."""
    rules = load_rules()
    pages = {DOCS / "rules" / f"{rule.code}.md": page_markdown(rule) for rule in rules}
    rows = "".join(
        f"| [{r.code}]({r.code}.md) | {r.name} | {r.cause} | {r.severity} |\n"
        for r in rules
    )
    head = "# Rules\n\n| code | name | cause | severity |\n| --- | --- | --- | --- |\n"
    pages[DOCS / "rules" / "README.md"] = head + rows
    return pages


def schema_text(kind: type[Any], title: str) -> str:
    """The JSON Schema of a record and of everything inside it."""
    definitions: dict[str, Any] = {}
    root = _schema(kind, definitions)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{title}, schema version {SCHEMA_VERSION}",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(schema, indent=2) + "\n"


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(arg for arg in get_args(kind) if arg is not type(None))
        return {"anyOf": [_schema(inner, definitions), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(kind)[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        values = _schema(get_args(kind)[1], definitions)
        return {"type": "object", "additionalProperties": values}
    if kind in _TEXT_TYPES:
        return {"type": "string"}
    if dataclasses.is_dataclass(kind):
        return _record(kind, definitions)
    return {"type": _PLAIN[kind]}


def _record(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = get_type_hints(kind)
        properties = {
            f.name: _schema(hints[f.name], definitions)
            for f in dataclasses.fields(kind)
        }
        if kind is Report:
            properties = {"schema_version": {"const": SCHEMA_VERSION}} | properties
        required = [field for field in properties if field != "input"]
        definitions[name] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip().splitlines()[0],
            "properties": properties,
            "required": required,
        }
    return {"$ref": f"#/$defs/{name}"}


def cli_reference() -> str:
    """`--help` of every command, as a reader at 88 columns sees it."""
    import os

    os.environ["COLUMNS"] = "88"
    os.environ["NO_COLOR"] = "1"
    from typer.testing import CliRunner

    from fwdoctor.cli import make_app

    runner = CliRunner()
    names = sorted(
        c.name or c.callback.__name__
        for c in make_app().registered_commands
        if c.callback
    )
    parts = ["# Commands\n"]
    for words in ([], *([name] for name in names)):
        result = runner.invoke(make_app(), [*words, "--help"], prog_name="fwdoctor")
        title = " ".join(["fwdoctor", *words])
        text = "\n".join(line.rstrip() for line in result.output.splitlines()).strip()
        parts.append(f"## {title}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def picture() -> str:
    """The README's picture: a real report on a recorded machine, drawn by rich."""
    from rich.console import Console
    from rich.text import Text

    from fwdoctor.cli.snapshot_file import read_snapshot
    from fwdoctor.judge import judge
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.report.registry import RenderOptions, render

    snapshot = read_snapshot(
        str(ROOT / "tests" / "machines" / "picture" / "snapshot.json")
    )
    report = judge(snapshot, Matrices())
    look = RenderOptions(width=100, is_colored=True, seconds=None)
    console = Console(
        record=True,
        width=118,
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
    )
    console.print(Text("$ fwdoctor check", style="bold"))
    console.print(Text.from_ansi(render(report, "terminal", look)))
    return console.export_svg(title="fwdoctor check", unique_id="fwdoctor")


def main() -> int:
    """Write or check; the number of files that are not current."""
    is_check = "--check" in sys.argv[1:]
    stale = 0
    for path, text in documents().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{'stale' if is_check else 'written'}: {path.relative_to(ROOT)}")
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return stale if is_check else 0


if __name__ == "__main__":
    sys.exit(min(main(), 1))
