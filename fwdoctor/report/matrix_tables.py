"""Answers of `matrices/query.py` as tables for a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from fwdoctor.report.pair_tables import partners_line
from fwdoctor.report.tables import make_table, render, source_lines, span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwdoctor.report.registry import RenderOptions

Answer = dict[str, Any]

# Columns of each list: heading → how a row fills it.
_RELEASES = ("version", "released", "Python", "CUDA on PyPI", "other CUDA builds")
_CUDA = ("CUDA", "driver Linux", "driver Windows", "starts on", "GPUs", "PTX")
_CUDNN = ("cuDNN", "CUDA", "GPUs", "first", "notes")
_DRIVERS = ("branch", "CUDA", "kind", "end of life", "Windows", "architectures")
_GPUS = ("GPU", "capability", "architecture", "CUDA", "last driver")
_VARIANTS = ("build", "from", "Python", "GPUs", "driver Linux", "driver Windows")


def render_list(topic: str, answers: list[Answer], options: RenderOptions) -> str:
    """A table of all releases, toolkits, cuDNN lines, driver branches or GPUs."""
    columns, fill = {
        "cuda": (_CUDA, _cuda_cells),
        "cudnn": (_CUDNN, _cudnn_cells),
        "driver": (_DRIVERS, _driver_cells),
        "gpu": (_GPUS, _gpu_cells),
    }.get(topic, (_RELEASES, _release_cells))
    return render([make_table(columns, [fill(a) for a in answers])], options)


def render_overview(overview: Answer, note: str | None, options: RenderOptions) -> str:
    """What there is, and how old it is."""
    rows = [
        (
            t["topic"],
            str(t["records"]),
            span(t["first"], t["last"]),
            _or(t["retrieved"]),
        )
        for t in overview["tables"]
    ]
    table = make_table(("topic", "records", "from – to", "read on"), rows)
    ask = "fwdoctor matrix TOPIC [VERSION or NAME]"
    parts: list[Table | Text] = [table, Text(), Text(ask, style="dim")]
    if note:
        parts.append(Text(f"warning {note}"))
    return render(parts, options)


def render_one(topic: str, answer: Answer, options: RenderOptions) -> str:
    """One record: its facts line by line, its builds, and where they come from."""
    title = {
        "cuda": f"CUDA {answer.get('version')}",
        "cudnn": f"cuDNN {answer.get('version')}",
        "driver": f"driver {answer.get('version')}",
        "gpu": str(answer.get("name")),
    }.get(topic, f"{topic} {answer.get('version')}")
    facts = Table.grid(padding=(0, 2))
    for label, value in _facts(topic, answer):
        facts.add_row(Text(label, style="dim"), Text(value))
    parts: list[Table | Text] = [Text(title, style="bold"), facts]
    builds = [*answer.get("variants", ()), *answer.get("conda", ())]
    if builds:
        rows = [variant_cells(build) for build in builds]
        parts += [Text(), make_table(_VARIANTS, rows)]
    if options.verbosity > 0:
        parts += [Text(), *source_lines(answer["sources"])]
    return render(parts, options)


def _facts(topic: str, answer: Answer) -> list[tuple[str, str]]:
    shown = {
        "cuda": _cuda_facts,
        "driver": _driver_facts,
        "gpu": _gpu_facts,
        "cudnn": _cudnn_facts,
    }.get(topic, _release_facts)(answer)
    return [(label, value) for label, value in shown if value]


def _release_facts(answer: Answer) -> list[tuple[str, str]]:
    numpy = answer["numpy"]
    companions = answer["companions"].items()
    return [
        ("released", _or(answer["released"])),
        ("yanked", answer["yanked"] or ""),
        ("Python", span_of(answer["python"])),
        ("free-threaded", span_of(answer["python_free_threaded"])),
        ("needs glibc", answer["glibc_min"] or ""),
        ("needs macOS", answer["macos_min"] or ""),
        ("NumPy", " or ".join(numpy["spec"])),
        ("NumPy 2 ready", _yes(k for k, ok in numpy["numpy2"].items() if ok)),
        ("triton", _triton(answer["triton"])),
        ("goes with", _yes(f"{n} {', '.join(v)}" for n, v in companions)),
        partners_line(answer),
    ]


def _triton(value: object) -> str:
    if isinstance(value, dict):
        return f"{value.get('package', 'triton')} {value.get('spec', '')}".strip()
    return str(value or "")


def _cuda_facts(answer: Answer) -> list[tuple[str, str]]:
    rows = [
        ("starts on driver", _by_os(answer["least_driver"])),
        ("own driver", _by_os(answer.get("min_driver", {}))),
        ("compiles for", ", ".join(answer.get("sass", ()))),
        ("PTX version", answer.get("ptx_isa", "")),
        ("newest GCC", str(answer.get("max_gcc", ""))),
    ]
    for release in answer.get("releases", ()):
        least, note = _by_os(release.get("min_driver", {})), release.get("note", "")
        text = ", ".join(part for part in (least, note, release.get("date")) if part)
        rows.append((release["version"], text or "no driver named"))
    return rows


def _cudnn_facts(answer: Answer) -> list[tuple[str, str]]:
    least = answer.get("min_driver", {}).items()
    return [
        ("CUDA", ", ".join(map(str, answer["cuda_majors"]))),
        ("GPUs", ", ".join(answer.get("compute_capabilities", ())) or "not known"),
        ("notes", answer.get("notes", "")),
        ("on PyPI", ", ".join(answer.get("wheels", ()))),
        *((f"driver, CUDA {major}", _by_os(drivers)) for major, drivers in least),
    ]


def _driver_facts(answer: Answer) -> list[tuple[str, str]]:
    windows = answer["windows_branches"]
    needing = answer.get("open_modules_required_for", ())
    return [
        ("branch", f"R{answer['branch']} ({answer['os']})"),
        ("speaks CUDA", _or(answer["cuda"])),
        ("kind", _or(answer["kind"])),
        ("end of life", _or(answer["end_of_life"])),
        ("drives", ", ".join(answer["architectures"])),
        ("open modules", answer.get("open_modules", "")),
        ("only open for", ", ".join(needing)),
        ("on Windows", ", ".join(f"{number}.x" for number in windows)),
        ("cuda-compat", _compat(answer.get("forward_compat", ()))),
        ("seen", ", ".join(answer.get("known", ()))),
    ]


def _compat(packages: Sequence[str]) -> str:
    return f"{span_of(packages)} (data-centre GPUs)" if packages else ""


def _gpu_facts(answer: Answer) -> list[tuple[str, str]]:
    first, last = answer["first_driver"], answer["last_driver_branch"]
    branch = answer["first_driver_branch"]
    return [
        ("compute capability", answer["compute_capability"]),
        ("architecture", _or(answer["architecture"])),
        ("kind", _or(answer["segment"])),
        ("CUDA toolkits", span(answer["first_cuda"], answer["last_cuda"] or "newest")),
        ("first driver branch", f"R{branch}" if branch else ""),
        ("first listed in", first or ""),
        ("last driver branch", f"R{last}" if last else "newest"),
        ("cuda-compat", {True: "yes", False: "no"}.get(answer["forward_compat"], "")),
        ("fabric manager", "needed" if answer["nvswitch"] else ""),
        ("device ids", ", ".join(answer["pci_device_ids"])),
        ("also", ", ".join(answer["aliases"])),
    ]


def _release_cells(answer: Answer) -> Sequence[str]:
    gpu = [v for v in answer["variants"] if v["cuda"]]
    pypi = {v["cuda"] for v in gpu if v["index"] == "pypi"}
    other = {v["cuda"] for v in gpu} - pypi
    return (
        answer["version"],
        _or(answer["released"]),
        span_of(answer["python"]),
        _versions(pypi) or "none",
        _versions(other),
    )


def _cuda_cells(answer: Answer) -> Sequence[str]:
    own, least = answer.get("min_driver", {}), answer["least_driver"]
    return (
        answer["version"],
        _or(own.get("linux")),
        _or(own.get("windows")),
        _or(least.get("linux")),
        span_of(answer.get("sass", ())),
        _or(answer.get("ptx_isa")),
    )


def _cudnn_cells(answer: Answer) -> Sequence[str]:
    majors = ", ".join(map(str, answer["cuda_majors"]))
    gpus = span_of(answer.get("compute_capabilities", ()))
    return (
        answer["version"],
        majors,
        gpus,
        _or(answer.get("first")),
        answer.get("notes", ""),
    )


def _driver_cells(answer: Answer) -> Sequence[str]:
    return (
        f"R{answer['branch']}",
        _or(answer["cuda"]),
        _or(answer["kind"]),
        _or(answer["end_of_life"]),
        span_of(answer["windows_branches"]),
        span_of(answer["architectures"]),
    )


def _gpu_cells(answer: Answer) -> Sequence[str]:
    last = answer["last_driver_branch"]
    return (
        answer["name"],
        answer["compute_capability"],
        _or(answer["architecture"]),
        span(answer["first_cuda"], answer["last_cuda"] or "newest"),
        f"R{last}" if last else "newest",
    )


def variant_cells(variant: Answer) -> Sequence[str]:
    """One published build: name, index, Python, GPUs, drivers."""
    name = f"{variant['package']} {variant.get('build') or variant['variant']}"
    platforms = variant["platforms"]
    gpus = ", ".join(variant["compute_capabilities"])
    ptx = ", ".join(f"{target}+PTX" for target in variant["ptx"])
    unknown = "?" if variant["cuda"] else "-"
    return (
        f"{name} ({', '.join(platforms)})" if platforms else name,
        variant["index"].removeprefix("https://download.pytorch.org/"),
        span_of(variant["python"]),
        ", ".join(part for part in (gpus, ptx) if part) or unknown,
        *(
            variant["min_driver"].get(name, unknown) if _is_on(name, platforms) else "-"
            for name in ("linux", "windows")
        ),
    )


def _is_on(os_name: str, platforms: Sequence[str]) -> bool:
    """Whether there is a build for a system, or that is not known."""
    return not platforms or any(text.startswith(os_name) for text in platforms)


def _versions(values: Iterable[str]) -> str:
    def key(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split("."))

    return ", ".join(sorted(values, key=key))


def _by_os(drivers: Answer) -> str:
    return ", ".join(f"{drivers[name]} ({name})" for name in sorted(drivers))


def _yes(values: Iterable[str]) -> str:
    return ", ".join(values)


def _or(value: object) -> str:
    return "?" if value is None else str(value)
