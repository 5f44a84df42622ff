"""`python -m fwdoctor.matrices.pages`: docs/matrix.md and docs/matrix.html.

The same tables in both, sorted so that a person finds their row: releases newest
first, drivers and toolkits newest first, GPUs by name.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fwdoctor.errors import FwdoctorError
from fwdoctor.matrices import query, query_pairs
from fwdoctor.matrices.load import Matrices
from fwdoctor.matrices.overview import data_date
from fwdoctor.matrices.record import Record
from fwdoctor.matrices.record_file import write_text
from fwdoctor.matrices.table_rows import whole_record
from fwdoctor.matrices.typed import read_code

Answer = dict[str, Any]
TITLE = "What runs with what"
INTRO = (
    "Made by `python -m fwdoctor.matrices.pages` from the data in `matrices/`, read on"
    " {date}. `fwdoctor matrix` shows the same with the source of each fact. An empty"
    " cell is not known or does not apply. Compute capabilities are those a build has"
    " machine code for; +PTX is code that the driver compiles. Drivers are the oldest"
    " that a build starts on. Two releases in one environment are clean, conflict (no"
    " version of a package suits both) or clobber (both install, and two packages write"
    " the same files); and-cuda is TensorFlow's extra that brings NVIDIA's libraries."
)
_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;max-width:100rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{padding:.2rem .6rem;border-bottom:1px solid #ccc;text-align:left;"
    "vertical-align:top}th{position:sticky;top:0;background:#f4f4f4}"
    "input{font:inherit;padding:.4rem;width:24rem;max-width:100%}"
)
_SCRIPT = (
    "const box=document.querySelector('input');box.oninput=()=>{"
    "const words=box.value.toLowerCase().split(/\\s+/);"
    "for(const row of document.querySelectorAll('tbody tr')){"
    "const text=row.textContent.toLowerCase();"
    "row.hidden=!words.every(word=>text.includes(word))}}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of the pages."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def anchor(self) -> str:
        """The name a link points to."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def find_sections(matrices: Matrices) -> tuple[Section, ...]:
    """Every table, in the order of the pages."""
    return (
        *_framework_sections(matrices, "torch", "PyTorch"),
        *_framework_sections(matrices, "tensorflow", "TensorFlow"),
        _pair_section(matrices),
        _gpu_section(matrices),
        _driver_section(matrices),
        _cuda_section(matrices),
        _cudnn_section(matrices),
        _code_section(matrices),
    )


def markdown_page(sections: Sequence[Section], date: str) -> str:
    """The tables as one Markdown file."""
    contents = [f"- [{s.title}](#{s.anchor})" for s in sections]
    lines = [f"# {TITLE}", "", INTRO.format(date=date), "", *contents]
    for section in sections:
        lines += ["", f"## {section.title}", "", _markdown_row(section.columns)]
        lines += [_markdown_row(["---"] * len(section.columns))]
        lines += [_markdown_row(row) for row in section.rows]
    return "\n".join(lines) + "\n"


def html_page(sections: Sequence[Section], date: str) -> str:
    """The tables as one HTML file with a box that filters the rows."""
    intro = html.escape(INTRO.format(date=date)).replace("`", "")
    links = ", ".join(f'<a href="#{s.anchor}">{s.title}</a>' for s in sections)
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>fwdoctor: {TITLE}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{TITLE}</h1><p>{intro}</p><p>{links}</p>",
        '<p><input type="search" aria-label="filter" placeholder="2.9.1 cu128"></p>',
    ]
    for section in sections:
        lines += [f'<h2 id="{section.anchor}">{section.title}</h2>', "<table>"]
        lines.append(f"<thead>{_html_row(section.columns, 'th')}</thead><tbody>")
        lines += [_html_row(row, "td") for row in section.rows]
        lines.append("</tbody></table>")
    return "\n".join([*lines, f"<script>{_SCRIPT}</script></body></html>"]) + "\n"


def make_pages(matrices: Matrices) -> dict[str, str]:
    """File name → text of each page."""
    sections = find_sections(matrices)
    date = str(data_date(matrices))
    return {
        "matrix.md": markdown_page(sections, date),
        "matrix.html": html_page(sections, date),
    }


def main(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, text in make_pages(Matrices()).items():
        write_text(folder / name, text)


def _framework_sections(
    matrices: Matrices, framework: str, title: str
) -> tuple[Section, ...]:
    releases = query.list_releases(matrices, framework)
    builds = [
        (release["version"], *_build_cells(build))
        for release in releases
        for build in [*release["variants"], *release["conda"]]
    ]
    columns = ("build", "from", "CUDA", "cuDNN", "compute capabilities")
    drivers = ("driver Linux", "driver Windows", "Python", "platforms")
    return (
        Section(
            title=f"{title} releases",
            columns=(
                *(framework, "released", "Python", "goes with"),
                *("NumPy", "NumPy 2", "glibc", "macOS"),
            ),
            rows=tuple(_release_cells(release) for release in releases),
        ),
        Section(
            title=f"{title} builds",
            columns=(framework, *columns, *drivers),
            rows=tuple(builds),
        ),
    )


def _release_cells(release: Answer) -> tuple[str, ...]:
    numpy, partners = release["numpy"], release["companions"].items()
    version = release["version"]
    return (
        f"{version} (yanked)" if release["yanked"] else version,
        _or(release["released"]),
        _span(release["python"]),
        ", ".join(f"{name} {', '.join(values)}" for name, values in partners),
        " or ".join(numpy["spec"]),
        ", ".join(name for name, ready in sorted(numpy["numpy2"].items()) if ready),
        _or(release["glibc_min"]),
        _or(release["macos_min"]),
    )


def _build_cells(build: Answer) -> tuple[str, ...]:
    targets = [*build["compute_capabilities"], *(f"{t}+PTX" for t in build["ptx"])]
    least, platforms = build["min_driver"], ", ".join(build["platforms"])
    return (
        f"{build['package']} {build.get('build') or build['variant']}",
        build["index"].removeprefix("https://"),
        _or(build["cuda"]),
        _or(build["cudnn"]),
        ", ".join(targets),
        _or(least.get("linux")) if "linux" in platforms else "",
        _or(least.get("windows")) if "windows" in platforms else "",
        _span(build["python"]),
        platforms,
    )


def _pair_section(matrices: Matrices) -> Section:
    """A row for each two releases; a build of PyTorch's index is named by its CUDA."""
    pairs: dict[tuple[str, str], list[Answer]] = {}
    for pair in query_pairs.list_pairs(matrices):
        pairs.setdefault((pair["torch"], pair["tensorflow"]), []).append(pair)
    return Section(
        title="PyTorch with TensorFlow",
        columns=(
            *("torch", "tensorflow", "Python", "PyPI, and-cuda"),
            *("PyTorch's index, and-cuda", "conda-forge", "PyPI without and-cuda"),
        ),
        rows=tuple((*names, *_pair_cells(found)) for names, found in pairs.items()),
    )


def _pair_cells(found: list[Answer]) -> tuple[str, ...]:
    places: tuple[tuple[str, str | None], ...] = (
        ("pypi", query.GPU_EXTRA),
        ("pytorch-index", query.GPU_EXTRA),
        ("conda-forge", None),
        ("pypi", None),
    )
    cells = (
        [pair for pair in found if (pair["origin"], pair["extra"]) == place]
        for place in places
    )
    return _span(found[0]["python"]), *map(_outcomes, cells)


def _outcomes(pairs: Iterable[Answer]) -> str:
    """What becomes of a pair, and over which pins; builds that agree together."""
    told: dict[str, list[str]] = {}
    for pair in pairs:
        text = ": ".join(filter(None, (pair["outcome"], ", ".join(pair["colliding"]))))
        told.setdefault(text, []).append(pair["variant"])
    return "; ".join(
        f"{', '.join(names)} {text}" if all(names) else text
        for text, names in told.items()
    )


def _gpu_section(matrices: Matrices) -> Section:
    gpus = sorted(query.list_gpus(matrices), key=lambda gpu: _by_name(gpu["name"]))
    return Section(
        title="GPUs",
        columns=(
            *("GPU", "compute capability", "architecture", "CUDA toolkits"),
            *("first driver branch", "last driver branch", "device ids"),
        ),
        rows=tuple(
            (
                gpu["name"],
                gpu["compute_capability"],
                _or(gpu["architecture"]),
                f"{_or(gpu['first_cuda'])} to {gpu['last_cuda'] or 'newest'}",
                _branch(gpu["first_driver_branch"]),
                _branch(gpu["last_driver_branch"]) or "newest",
                " ".join(gpu["pci_device_ids"]),
            )
            for gpu in gpus
        ),
    )


def _by_name(name: str) -> str:
    """GPUs are looked for by their series, not by the maker."""
    return name.removeprefix("NVIDIA ").lower()


def _driver_section(matrices: Matrices) -> Section:
    return Section(
        title="Driver branches",
        columns=("branch", "CUDA", "kind", "end of life", "Windows", "architectures"),
        rows=tuple(
            (
                f"R{row['branch']}" + (" (Jetson)" if row["os"] == "jetson" else ""),
                _or(row["cuda"]),
                _or(row["kind"]),
                _or(row["end_of_life"]),
                ", ".join(f"{number}.x" for number in row["windows_branches"]),
                ", ".join(row["architectures"]),
            )
            for row in query.list_drivers(matrices)
        ),
    )


def _cuda_section(matrices: Matrices) -> Section:
    rows = []
    for line in query.list_cuda(matrices):
        least = line["least_driver"]
        for release in reversed(line.get("releases", ())):
            own = release.get("min_driver", {})
            drivers = (own.get("linux"), own.get("windows"))
            floors = (least.get("linux"), least.get("windows"))
            note = f" ({release['note']})" if "note" in release else ""
            texts = [_or(text) for text in (*drivers, *floors)]
            targets = (line.get("ptx_isa", ""), ", ".join(line.get("sass", ())))
            rows.append((release["version"] + note, *texts, *targets))
    return Section(
        title="CUDA toolkits",
        columns=(
            *("CUDA", "own driver Linux", "own driver Windows", "starts on Linux"),
            *("starts on Windows", "PTX", "compute capabilities"),
        ),
        rows=tuple(rows),
    )


def _cudnn_section(matrices: Matrices) -> Section:
    return Section(
        title="cuDNN",
        columns=("cuDNN", "CUDA", "compute capabilities", "notes"),
        rows=tuple(
            (
                row["version"],
                ", ".join(str(major) for major in row["cuda_majors"]),
                ", ".join(row.get("compute_capabilities", ())),
                row.get("notes", ""),
            )
            for row in query.list_cudnn(matrices)
        ),
    )


def _code_section(matrices: Matrices) -> Section:
    codes = whole_record(matrices, "nvidia/codes.json")
    return Section(
        title="Error codes",
        columns=("family", "code", "name", "meaning", "kind", "what helps"),
        rows=tuple(codes.rows("records", _code_cells)),
    )


def _code_cells(row: Record) -> tuple[str, ...]:
    code = read_code(row)
    return (
        code.family,
        str(code.code),
        code.name,
        code.meaning,
        {True: "hardware", False: "software", None: ""}[code.is_hardware],
        row.get("advice", str) or "",
    )


def _span(values: Sequence[str]) -> str:
    """First to last of a sorted list."""
    ends = list(dict.fromkeys([values[0], values[-1]])) if values else []
    return " to ".join(ends)


def _branch(number: int | None) -> str:
    return f"R{number}" if number else ""


def _or(value: object) -> str:
    return "" if value is None else str(value)


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _html_row(cells: Iterable[str], tag: str) -> str:
    inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inner}</tr>"


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs"))
    except FwdoctorError as error:
        sys.stderr.write(f"error: {error.message}\n")
        sys.exit(error.exit_code)
