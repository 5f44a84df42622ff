"""Versions and machines named in sentences, the weakest source of all.

«On Ubuntu 22.04 with an RTX 3090, driver 535.54, Python 3.10 and torch 2.0.1+cu118.»

A sentence may as well be about another machine, about what a program needs, or about
what somebody tried; such mentions are passed over, and of the others the first counts.
A CUDA version has no known origin, unless the words name one («nvidia-smi says»).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fwdoctor.intake.facts import Collector
from fwdoctor.intake.gpu_names import (
    find_capability,
    find_count,
    find_gpus,
    find_vendors,
)
from fwdoctor.intake.os_names import DISTRIBUTION_PATTERN, parse_os
from fwdoctor.intake.python_line import parse_python
from fwdoctor.intake.whose import is_elsewhere, is_own
from fwdoctor.model.snapshot import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fwdoctor.intake.facts import FactName, Facts

    Reader = Callable[[Collector, str, int], None]

SOURCE = "prose"
_HEAD: Final = 48_000
_TAIL: Final = 16_000
_LINE_LIMIT: Final = 600
# What machines print, and what people type to them.
_MACHINE_LINE = re.compile(
    r"[ \t]{0,40}(?:[$>|+#\[({]|\.\.\.|File \"|Traceback|\d{4}-\d\d-\d\d|[IWEF]\d{4} "
    r"|\w+ = "
    r"|RUN |FROM |ENV |export |https?://|/|nvidia-|libc?\w+\.so"
    r"|Downloading|Collecting|Using cached|Requirement already|Successfully"
    r"|(?:sudo |python[\d.]* -m )?(?:pip[\d.]*|conda|mamba|uv|docker|apt(?:-get)?"
    r"|import|poetry|pixi|git|ii) )"
)
_MACHINE_WORDS: Final = (
    *(".cc:", ".cpp:", ".cu:", ".h:", ".py:", '.py"', ".py'", ".so", ".dll", ".whl"),
    *("Error:", "Error(", "Warning:", "ERROR", "WARNING", "dlerror", "site-packages"),
    *("unsatisfied condition", "=="),
)
_EXAMPLE = re.compile(r"\((?:e\.?g\b|for example)[^()\n]{0,120}\)", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)")
_START = r"(?<![\w./=\\-])"
_IS = r"(?:[ ]?(?:is|was|version|ver\.?|release))?[ ]?(?:[:=-]{1,2}>?)?[ ]?[v`'\"]?"
_RELEASE = (
    r"(?P<value>\d{1,2}\.\d{1,3}(?:\.\d{1,3})?(?:\.?(?:dev|post|rc|a|b)\d{0,10})?"
    r"(?:\+[\w.]{1,40})?)(?![\w]|\.\d)"
)
_SHORT = r"(?P<value>\d{1,2}(?:\.\d{1,2}(?:\.\d{1,3})?)?)(?![\w]|\.\d)"


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(_START + words, re.IGNORECASE)


# Fact, words of which its pattern needs one, pattern.
_PATTERNS: tuple[tuple[FactName, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "torch_cuda",
        ("torch.version",),
        _pattern(rf"torch\.version\.cuda{_IS}(?P<value>\d{{1,2}}\.\d{{1,2}})"),
    ),
    (
        "torch",
        ("torch",),
        _pattern(rf"(?:py)?torch(?:\.__version__)?(?:{_IS}| ?\(){_RELEASE}"),
    ),
    (
        "tensorflow",
        ("tensorflow", "tf"),
        _pattern(
            rf"(?:tensorflow(?:[ -](?:gpu|cpu))?|tf)(?:\.__version__)?{_IS}{_RELEASE}"
        ),
    ),
    (
        "driver",
        ("driver", "\u9a71\u52a8"),
        _pattern(
            rf"(?:(?:nvidia[ -]|gpu )?drivers?|\u9a71\u52a8){_IS}(?:nvidia[ -])?"
            r"(?P<value>\d{3}(?:\.\d{1,3}){0,2})(?![\w]|\.\d)"
        ),
    ),
    (
        "driver_cuda",
        ("nvidia-smi",),
        _pattern(
            rf"nvidia-smi[`'\"]?[^.\n]{{0,24}}? CUDA{_IS}(?P<value>\d{{1,2}}(?:\.\d)?)"
        ),
    ),
    (
        "nvcc",
        ("nvcc", "cuda "),
        _pattern(
            rf"(?:nvcc(?: --version| -V)?|cuda (?:runtime|toolkit"
            rf"|compiler)){_IS}{_SHORT}"
        ),
    ),
    (
        "cuda_name",
        ("cuda",),
        _pattern(rf"cuda(?! ?(?:capability|compute)){_IS}{_SHORT}"),
    ),
    (
        "cudnn",
        ("cudnn",),
        _pattern(rf"cudnn{_IS}(?P<value>\d(?:\.\d{{1,2}}){{0,3}})(?![\w]|\.\d)"),
    ),
    (
        "libc_version",
        ("libc",),
        _pattern(r"g?libc[ -]?(?:version )?(?P<value>\d\.\d{1,2})(?!\d)"),
    ),
)
_PYTHON = _pattern(r"python[ -]?(?:version )?v?[=:]?(?=[23]\.\d)")
_TENSORFLOW_PACKAGE = re.compile(
    r"\b(tf-nightly(?:-gpu)?|nvidia-tensorflow|tensorflow-(?:gpu|cpu|macos|directml))\b"
)
_AVAILABLE = re.compile(
    r"torch\.cuda\.is_available\(\)[`'\") ]{0,4}\s{0,3}(?:(?:is|returns?|returned"
    r"|gives?"
    r"|prints?|=|==|:|->|=>|shows?|outputs?|keeps|still|always|returning)\s{0,3}){0,3}"
    r"[`'\"*(]{0,2}(true|false)",
    re.IGNORECASE,
)
_PLACES: Final = (
    *(
        "linux",
        "windows",
        "win1",
        "mac",
        "wsl",
        "jetson",
        "jetpack",
        "l4t",
        "os x",
        "ubuntu",
    ),
    *("debian", "centos", "red", "rhel", "rocky", "alma", "fedora", "amazon", "arch"),
    *(
        "scientific",
        "oracle",
        "manjaro",
        "endeavour",
        "cachy",
        "garuda",
        "suse",
        "sles",
    ),
    *("pop", "mint", "elementary", "zorin", "kali", "deepin", "nix", "gentoo", "void"),
    *("alpine", "raspbian", "slackware", "unraid", "proxmox", "photon", "azure"),
    *("mariner", "flatcar", "devuan"),
)
_PLACE = re.compile(
    r"(?:^[ \t*-]{0,8}|\b(?:on|under|in|inside|within|using|use|running|run|have|with"
    r"|via|is)"
    r"[ :]{1,2})(?:an? |my |the |native |bare |fresh |headless ){0,2}"
    rf"(?=(?:nvidia )?(?:wsl|windows|win1[01]|mac ?os|mac ?book|mac|os ?x|linux|jetson"
    rf"|jetpack|l4t|{DISTRIBUTION_PATTERN})"
    r"(?![a-z]))",
    re.IGNORECASE,
)
_OWN_SYSTEM = rf"wsl ?2?|windows|win1[01]|mac ?os|os ?x|linux|{DISTRIBUTION_PATTERN}"
_BRACKETED = re.compile(
    rf"[(\[]((?:{_OWN_SYSTEM}|apple m[1-5])(?:[ -]?\d[\d.]{{0,8}})?)[)\]]",
    re.IGNORECASE,
)
_SEVERAL_SYSTEMS = re.compile(
    r"\b(?:linux|windows)\b.{0,60}\b(?:or|and)\b.{0,60}\bmac ?os\b"
    r"|\bmac ?os\b.{0,60}\b(?:or|and)\b.{0,60}\b(?:linux|windows)\b",
    re.IGNORECASE,
)
_VERSIONED_OS = re.compile(
    rf"(?<![\w:/-])(?:{DISTRIBUTION_PATTERN}|windows|macos)[ -]?(?:leap )?\d{{1,2}}"
    r"(?:\.\d{1,2}){0,2}(?![\d.]*-\d)",
    re.IGNORECASE,
)
_CONTAINERS: Final = (
    *("docker", "podman", "singularity", "apptainer", "kubernetes", "k8s", "lxc"),
    *("kubectl", "pod", "container"),
)
_CONTAINER = re.compile(
    r"\b(?:in|inside|within|via|using|from|under) (?:an? |the |my |our )?"
    r"(?:[\w./:-]{1,40} ){0,2}?(docker|podman|singularity|apptainer|kubernetes|k8s"
    r"|lxc)\b"
    r"|\b(docker|podman|singularity|apptainer|lxc) (?:container|image)\b"
    r"|\b(kubernetes|k8s)\b|\bkubectl\b"
    r"|\b(?:in|inside|within) (?:a|the|my|our) (pod|container)\b",
    re.IGNORECASE,
)
_CONTAINER_KINDS = {
    "k8s": "kubernetes",
    "pod": "kubernetes",
    "apptainer": "singularity",
    "container": "docker",
}
_NOTEBOOK = re.compile(
    r"\b(?:(?:in|on|using) (?:a |google )?|google )(colab|kaggle)\b", re.IGNORECASE
)
_CARDS: Final = (
    *(
        "gpu",
        "card",
        "nvidia",
        "rtx",
        "gtx",
        "gts",
        "gt",
        "mx",
        "geforce",
        "quadro",
        "nvs",
    ),
    *("titan", "tesla", "grid", "jetson", "dgx", "drive", "cmp", "radeon", "amd", "rx"),
    *("instinct", "mi", "gfx", "vega", "intel", "iris", "arc", "uhd", "apple", "mps"),
    *("mac", "a10", "a30", "a40", "a80", "h10", "h20", "h80", "b10", "b20", "b30"),
    *("gb", "gh", "l4", "l20", "v100", "t4", "k10", "k20", "k40", "k80", "p100", "p4"),
)
_CARD_WITH_CAPABILITY = re.compile(
    r"\b(?:gpus?|cards?|pascal|turing|ampere|volta|maxwell|kepler|blackwell|hopper)\b"
    r"[ ,:]{0,2}(?:\(|with |of |has |is )?(?:the |a )?(?:(?:compute|cuda) capability"
    r"(?: of)?[ :=]{1,3}\d{1,2}\.\d|sm_\d{2,3}|cc[ :=]{1,2}\d{1,2}\.\d)\b",
    re.IGNORECASE,
)
_NOTEBOOKS = {"colab": "Google Colab", "kaggle": "Kaggle"}


def parse(text: str) -> Facts | None:
    """What the sentences of a text say of machine and versions."""
    told = text if len(text) <= _HEAD + _TAIL else text[:_HEAD] + "\n" + text[-_TAIL:]
    told = _EXAMPLE.sub(lambda match: " " * len(match[0]), told)
    found = Collector(SOURCE, told)
    available = _AVAILABLE.search(told) if "is_available" in told else None
    if available:
        found.add("torch_gpu", available[1].lower(), available.start())
    topics = _topics_of(told.lower())
    _read_title(found, told)
    for sentence, offset in _iter_sentences(told):
        lower = sentence.lower()
        if is_elsewhere(lower):
            continue
        _read_versions(found, sentence, lower, offset)
        for words, read in topics:
            if any(word in lower for word in words):
                read(found, sentence, offset)
    return found.facts()


def _read_title(found: Collector, text: str) -> None:
    """A title may quote an error; what it says of the place is the reporter's own."""
    blank = len(text) - len(text.lstrip())
    title = text[blank : blank + _LINE_LIMIT].partition("\n")[0]
    if _is_told(title, _MACHINE_WORDS) and _BRACKETED.search(title) is None:
        return  # a sentence as any other
    _read_place(found, title, blank)
    place = _BRACKETED.search(title)
    if place:
        _add_os(found, parse_os(place[1]), blank + place.start(1))
    found.vendors.extend(find_vendors(title))


def _topics_of(lower: str) -> list[tuple[tuple[str, ...], Reader]]:
    """The topics of a text, each with those of its words that occur."""
    topics = []
    for words, read in _TOPICS:
        met = tuple(word for word in words if word in lower)
        if met:
            topics.append((met, read))
    return topics


def _iter_sentences(text: str) -> Iterator[tuple[str, int]]:
    marks = tuple(word for word in _MACHINE_WORDS if word in text)
    start = 0
    for line in text.split("\n"):
        if _is_told(line, marks):
            begin = 0
            for end in (*_SENTENCE_END.finditer(line), None):
                stop = end.start() if end else len(line)
                if stop > begin:
                    yield line[begin:stop], start + begin
                begin = stop + 1
        start += len(line) + 1


def _is_told(line: str, marks: tuple[str, ...]) -> bool:
    """Whether a person may have written the line, which has none of the marks."""
    if not line or len(line) > _LINE_LIMIT or line.isspace():
        return False
    if any(mark in line for mark in marks):
        return False
    return _MACHINE_LINE.match(line) is None


def _read_versions(found: Collector, sentence: str, lower: str, offset: int) -> None:
    if _DIGIT.search(sentence) is None:
        return
    for name, words, pattern in _PATTERNS:
        if not any(word in lower for word in words):
            continue
        for match in pattern.finditer(sentence):
            if is_own(sentence, match.start()):
                found.add(name, match["value"], offset + match.start("value"))
                break
    if "torch_cuda" in found.values:
        found.add("torch_kind", "cuda", offset)
    python = _PYTHON.search(sentence) if "python" in lower else None
    if python and is_own(sentence, python.start()):
        found.add_all(parse_python(sentence[python.end() :]), offset + python.end())
    package = _TENSORFLOW_PACKAGE.search(sentence)
    if package and "tensorflow" in found.values:
        found.add("tensorflow_package", package[1], offset + package.start())


def _read_place(found: Collector, sentence: str, offset: int) -> None:
    if _SEVERAL_SYSTEMS.search(sentence):
        return  # advice for everyone, or a list of what is supported
    for pattern in (_PLACE, _VERSIONED_OS):
        match = pattern.search(sentence)
        if match and is_own(sentence, match.start()):
            at = match.end() if pattern is _PLACE else match.start()
            _add_os(found, parse_os(sentence[at : at + 80]), offset + at)


def _add_os(found: Collector, facts: Mapping[FactName, str], offset: int) -> None:
    """«On macOS.» says less than «macOS 12.7.6» in a later sentence."""
    known, told = found.values.get("distribution"), facts.get("distribution", "")
    if known and told.startswith(f"{known.value} "):
        del found.values["distribution"]
    found.add_all(facts, offset)


def _read_container(found: Collector, sentence: str, offset: int) -> None:
    container = _CONTAINER.search(sentence)
    if container and is_own(sentence, container.start()):
        word = next((group for group in container.groups() if group), "k8s").lower()
        found.add("container", _CONTAINER_KINDS.get(word, word), offset)


def _read_notebook(found: Collector, sentence: str, offset: int) -> None:
    notebook = _NOTEBOOK.search(sentence)
    if notebook:
        found.add("os", "linux", offset)
        found.add("distribution", _NOTEBOOKS[notebook[1].lower()], offset)


def _read_gpus(found: Collector, sentence: str, offset: int) -> None:
    if not found.gpus:
        found.gpus.extend(_own_gpus(sentence) or _unnamed_gpu(sentence))
    found.vendors.extend(v for v in find_vendors(sentence) if v not in found.vendors)
    count = find_count(sentence)
    if count and not found.gpus:
        found.add("gpu_count", str(count), offset)


def _own_gpus(sentence: str) -> list[Gpu]:
    """The GPUs of a sentence but for those that something else needs or works on."""
    return [
        gpu
        for gpu in find_gpus(sentence)
        if is_own(sentence, max(0, sentence.find(gpu.name or "")))
    ]


def _unnamed_gpu(sentence: str) -> tuple[Gpu, ...]:
    """«A Pascal card (sm_61)»: no model, and the capability is all that matters."""
    card = _CARD_WITH_CAPABILITY.search(sentence)
    capability = find_capability(card[0]) if card else None
    if card is None or capability is None or not is_own(sentence, card.start()):
        return ()
    return (Gpu(index=0, compute_capability=capability),)


_TOPICS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (_PLACES, _read_place),
    (_CONTAINERS, _read_container),
    (tuple(_NOTEBOOKS), _read_notebook),
    (_CARDS, _read_gpus),
)
