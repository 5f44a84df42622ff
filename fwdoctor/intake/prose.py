"""Facts that people tell in sentences: «I use torch 2.0.1 on Ubuntu 20.04, an RTX 3090».

The least trusted source. A CUDA version told in a sentence has no known origin, unless
the words name one («nvidia-smi says CUDA 12.2», «nvcc 11.8»).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.gpu_names import find_count, find_gpus, find_vendors
from fwdoctor.intake.os_names import parse_os
from fwdoctor.intake.python_line import parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.intake.facts import FactName, Facts

SOURCE = "prose"
_HEAD: Final = 48_000
_TAIL: Final = 16_000
_LINE_LIMIT: Final = 2_000
_START = r"(?<![\w/.\\+=-])"
_IS = r"(?:[ ]?(?:is|was|=|==|:|->|of|version|ver\.?|v|at|says|shows|reports)){0,3}[ ]?[v(]?[ ]?"
_FRAMEWORK = (
    r"(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?(?:\.?(?:a|b|rc)\d{1,3})?(?:\.post\d)?"
    r"(?:\.dev\d{1,10})?(?:\+[\w.]{2,40})?)(?![\w]|\.\d)"
)
_PATTERNS: tuple[tuple[FactName, re.Pattern[str]], ...] = (
    (
        "torch_cuda",
        re.compile(
            rf"torch\.version\.cuda['\"]?[)]?{_IS}['\"]?(\d{{1,2}}\.\d{{1,2}})", re.I
        ),
    ),
    (
        "torch",
        re.compile(
            rf"{_START}(?:py)?torch(?:\.__version__)?['\")]{{0,2}}{_IS}['\"]?{_FRAMEWORK}",
            re.I,
        ),
    ),
    (
        "tensorflow",
        re.compile(
            rf"{_START}(?:tensorflow|tf)(?:[ -]gpu)?(?:\.__version__)?['\")]{{0,2}}{_IS}"
            rf"['\"]?{_FRAMEWORK}",
            re.I,
        ),
    ),
    (
        "driver",
        re.compile(
            rf"(?:nvidia|gpu|graphics|cuda|display)?[ -]?drivers?{_IS}(?:nvidia[- ])?"
            r"(\d{3}(?:\.\d{1,3}){0,2})(?![\w]|\.\d)",
            re.I,
        ),
    ),
    (
        "driver_cuda",
        re.compile(
            rf"nvidia[ -]?smi[^.\n]{{0,40}}?CUDA(?: version)?{_IS}(\d{{1,2}}\.\d{{1,2}})",
            re.I,
        ),
    ),
    (
        "nvcc",
        re.compile(
            rf"(?:nvcc(?: --version| -V)?|CUDA (?:runtime|toolkit|compiler)(?: version)?)"
            rf"{_IS}(?:CUDA )?(?:release )?(\d{{1,2}}\.\d{{1,2}}(?:\.\d{{1,4}})?)",
            re.I,
        ),
    ),
    (
        "cudnn",
        re.compile(rf"cudnn{_IS}(\d(?:\.\d{{1,2}}){{0,3}})(?![\w]|\.\d)", re.I),
    ),
    (
        "cuda_name",
        re.compile(
            r"(?<![\w./\\:-])(?<!says )(?<!version\.)cuda(?![ ]?(?:capability|compute))"
            rf"{_IS}(\d{{1,2}}\.\d{{1,2}}(?:\.\d{{1,3}})?)(?![\w]|\.\d)",
            re.I,
        ),
    ),
    (
        "libc_version",
        re.compile(r"glibc[ -]?(?:version )?(\d\.\d{1,2})(?!\d)", re.I),
    ),
)
_PYTHON = re.compile(
    rf"{_START}(?:python|py)[ -]?(?:version )?v?([23]\.\d{{1,2}}(?:\.\d{{1,2}})?"
    r"(?:(?: \(| \|)[^,\n]{0,160})?)",
    re.I,
)
_AVAILABLE = re.compile(
    r"torch\.cuda\.is_available\(\)[`'\") ]{0,4}\s{0,3}(?:(?:is|returns?|returned|gives?|"
    r"prints?|=|==|:|->|=>|shows?|outputs?|keeps|still|always|returning)\s{0,3}){0,3}"
    r"[`'\"*(]{0,2}(true|false)",
    re.I,
)
_CONTAINER = re.compile(
    r"\b(?:in|inside|within|using|via|from)(?: of)?(?: an?| the| my)?"
    r"(?: [\w-]{1,20}){0,2} (?:docker|container)s?\b|\bdocker (?:container|image)\b",
    re.I,
)
_KUBERNETES = re.compile(r"\bkubernetes\b|\bk8s\b|\bkubectl\b|\bin a pod\b", re.I)
_COLAB = re.compile(r"\b(?:google )?colab\b|\bkaggle\b", re.I)
_OS_WORDS = re.compile(
    r"linux|windows|\bwin ?(?:7|8|10|11)\b|mac ?os|os ?x\b|\bmac(?:book| mini| studio)?\b|ubuntu"
    r"|debian|centos|fedora|\barch\b|red ?hat|rhel|rocky|suse|mint\b|pop!?_?os|wsl|jetson|l4t"
    r"|jetpack|tegra|manjaro|alpine|kali\b|nixos|gentoo|alma",
    re.I,
)
# Lines of programs: what stands in them is not told by the reporter.
_MACHINE_LINE = re.compile(
    r"[ \t]*(?:[$#>%][ \t]|\||\+-|\d{4}-\d\d-\d\d|[IWEF]\d{0,4} |\[|export |FROM |RUN |ENV |File "
    r"|Downloading|Collecting|Using cached|Requirement|ERROR:|WARNING|Traceback|https?://|/|nvidia-"
    r"|Failed|Could not|libc?\w+\.so|ImportError|RuntimeError|OSError|.{0,40}(?:Error|Warning):)"
)


def parse(text: str) -> Facts | None:
    """The facts that the sentences of a text tell."""
    told = text if len(text) <= _HEAD + _TAIL else text[:_HEAD] + "\n" + text[-_TAIL:]
    found = Collector(SOURCE, told)
    for name, pattern in _PATTERNS:
        match = pattern.search(told)
        found.add_match(name, match)
        if match and name == "torch_cuda":
            found.add("torch_kind", "cuda", match.start())
    python = _PYTHON.search(told)
    if python:
        found.add_all(parse_python(python[1]), python.start())
    available = _AVAILABLE.search(told)
    if available:
        found.add("torch_gpu", available[1].lower(), available.start())
    _read_place(found, told)
    _read_gpus(found, told)
    return found.facts()


def _iter_sentences(text: str) -> Iterator[tuple[int, str]]:
    """Lines that a person may have written, each with its offset."""
    offset = 0
    for line in text.split("\n"):
        if line.strip() and not _MACHINE_LINE.match(line):
            yield offset, line[:_LINE_LIMIT]
        offset += len(line) + 1


def _read_place(found: Collector, text: str) -> None:
    for offset, line in _iter_sentences(text):
        if _OS_WORDS.search(line):
            facts = parse_os(line)
            if "is_wsl" in facts or "is_tegra" in facts or "os" not in found.values:
                if found.values.get("os") and facts.get("os") == "linux":
                    del found.values["os"]
                found.add_all(facts, offset)
        container = _CONTAINER.search(line)
        if container:
            found.add("container", "docker", offset)
        elif _KUBERNETES.search(line):
            found.add("container", "kubernetes", offset)
        if _COLAB.search(line):
            found.add("os", "linux", offset)
            found.add("distribution", "Google Colab", offset)


def _read_gpus(found: Collector, text: str) -> None:
    sentences = "\n".join(line for _, line in _iter_sentences(text))
    found.gpus.extend(find_gpus(sentences))
    found.vendors.extend(find_vendors(sentences))
    count = find_count(sentences)
    if count and not found.gpus:
        found.add("gpu_count", str(count))
