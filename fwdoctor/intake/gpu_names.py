"""GPUs as people and programs name them, and what the matrices say of them.

"8x A100", "GTX 1050 Ti 4GB", "NVIDIA GeForce RTX 3060 Laptop GPU", "Tesla K80",
"NVIDIA GB10 (DGX Spark)", "Jetson AGX Orin", "AMD Radeon RX 6800", "Intel UHD 630"
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fwdoctor.model.snapshot import Gpu
from fwdoctor.versions import ComputeCapability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.intake.facts import Vendor
    from fwdoctor.matrices.load import Matrices

GIBIBYTE: Final = 1024**3
MOST_GPUS: Final = 64
_TEXT_LIMIT: Final = 40_000
_SUFFIX = (
    r"(?:[ -]?(?:ti|super|(?:with )?max[- ]?q|mobile|laptop(?: gpu)?|design|ada"
    r"|generation|sff|embedded(?: gpu)?|a(?= laptop)"
    r"|blackwell|edition|workstation|server|boost|xp|black|founders|notebook"
    r"|pcie?|sxm\d?|nvl|hbm\d?e?|dgxs|\d{1,3} ?gi?b)(?![A-Za-z0-9])){0,6}"
)
_BORDER = r"(?<![A-Za-z0-9_.+/-])"
_NVIDIA = re.compile(
    _BORDER
    + r"(?:(?P<count>\d{1,2}) ?(?:x|\*|\u00d7) ?)?"
    + r"(?P<name>(?:nvidia[ -]+)?(?:"
    # consumer: GeForce RTX 3090 Ti, gtx1080ti, GT 740M, MX150, GeForce 940MX
    r"(?:geforce[ -]*)?gtx[ -]?560 se"
    r"|(?:geforce[ -]*)?(?:rtx|gtx|gts|gt|mx)[ -]?\d{3,4}(?:mx?|[ads]|ti)?(?![0-9])"
    r"|geforce[ -]\d{3,4}(?:mx?|a)?(?![0-9A-Za-z])"
    # workstations: RTX A6000, RTX 6000 Ada, RTX PRO 6000 Blackwell, Quadro M2000M
    r"|(?:quadro[ -]*)?rtx[ -]?(?:pro )?a?\d{3,4}[a-z]{0,2}(?![0-9A-Za-z])"
    r"|(?:a2000|a4000|a4500|a5000|a5500|a6000)(?![0-9A-Za-z])"
    r"|quadro[ -][a-z]{0,3} ?\d{2,4}[a-z]{0,2}|nvs[ -]\d{3,4}m?"
    r"|(?:gtx )?titan[ -]?(?:rtx|xp|x|v|z|black)?(?: \(?(?:maxwell|pascal)\)?)?"
    r"(?![A-Za-z])"
    # data centres
    r"|(?:tesla|grid)[ -][a-z]{1,2}\d{1,4}[a-z]{0,2}(?:-\d{1,2}[a-z]|-\d{3})?"
    r"|(?:k10|k20[cmx]?|k40[cmt]?|k80|p100c?|p40|p4|v100(?:s|dx)?|t4g?|a100d?x?|a10g?|a16|a30x?|a40"
    r"|a800(?:dx)?|ax800|a10m|h100|h200|h800|h20|gh200|b100|b200|b300|gb200|gb300|gb10|l4"
    r"|l40[sg]?|l20|l2|p10[246]-\d{3})(?![A-Za-z0-9_=]|\.\d)"
    # embedded and other
    r"|jetson[ -](?:(?:agx|xavier|orin|nano|tx1|tx2i?|thor|tk1|nx|super"
    r"|t\d{3,4})[ ]?){1,4}"
    r"|dgx[ -](?:spark|a100|h100|1|2)|drive[ -](?:px|agx)[ ]?\w{0,8}"
    r"|cmp \d{2,3}(?:hx|-\d{3})|tegra x[12](?![0-9A-Za-z])"
    r")"
    + _SUFFIX
    # named by its maker only: NVIDIA T600, NVIDIA A2, NVIDIA 940MX, NVIDIA 1080Ti …
    + r"|nvidia[ -](?:\d{3}mx?|(?:[2-5]0[5-9]0|1[06][3-8]0)(?: ?ti)?|t\d{3,4}e?|a2|thor"
    r"|pg\d{3}-\d{3}|(?:agx )?(?:orin|xavier)(?: n(?:x|ano))?"
    r"|a[1-5]\d00|rtx[ -]\d{3})(?![0-9A-Za-z])" + _SUFFIX + r")(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_NUMBER_ALONE = re.compile(
    r"(?<![\w.])(?:(?P<count>\d{1,2}) ?x ?)?(?P<name>(?:[2-5]0[5-9]0|1[06][3-8]0"
    r"|t\d{3,4})(?: ?ti)?(?: ?super)?)(?![\w.]|[ ]?(?:mb|mib|gb|gib))",
    re.IGNORECASE,
)
_OWNED = re.compile(r"\b(?:my|an?|the|two|dual|single|our|this|one) $", re.IGNORECASE)
# The chips that are easily met as other words count only after a word of NVIDIA's.
_AMBIGUOUS = re.compile(
    r"gt[ -]?(?!10[13]0)\d{4}"
    r"|(?:[ltp]4|t4g|l2|l20|h20|a2|a10|a16|a30|a40|a2000|titan)$",
    re.IGNORECASE,
)
_GPU_WORD = re.compile(
    r"gpu|nvidia|geforce|tesla|quadro|cuda|card|graphics|vram|colab|device|\bgb\b",
    re.IGNORECASE,
)
_AMD = re.compile(
    r"\bradeon\b|\bamd (?:gpu|graphics|instinct|rx|vega|navi)"
    r"|(?<![A-Za-z])RX ?(?:[4567]\d0|Vega|[5679][0-9]\d0)(?!\d)"
    r"|\binstinct\b|(?<![A-Za-z0-9])MI ?(?:25|50|60|100|210|250X?|300[XA]?|325X)(?!\d)"
    r"|\bgfx(?:8|9|10|11|12)\d{1,2}\b|\bvega ?(?:56|64|[678])\b"
    r"|\bAMD\b[^.\n]{0,20}\bGPU|AMD ?\u663e\u5361",
    re.IGNORECASE,
)
_INTEL = re.compile(
    r"\bintel\b[^,.;\n]{0,20}\b(?:u?hd(?: graphics)?|iris|arc|gpu|graphics|xe)\b"
    r"|\biris (?:plus|pro|xe)\b|\barc a\d{3}m?\b|\buhd graphics\b",
    re.IGNORECASE,
)
_APPLE = re.compile(
    r"\bapple (?:silicon|M[1-5])\b|(?<![A-Za-z0-9.])M[1-5](?: (?:pro|max|ultra))?"
    r"(?= (?:mac|chip|macbook|pro|max|ultra)|[^\w]{0,3}mac)"
    r"|(?<![A-Za-z])mac[a-z ]{0,12} \(?M[1-5](?![A-Za-z0-9])"
    r"|\bmps\b (?:device|backend)",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"(?<![\d.A-Za-z])(\d{1,3}) ?(?:GB|GiB|G)(?![A-Za-z])", re.IGNORECASE
)
_SM = re.compile(r"\bsm_?(\d{2,3}[af]?)\b", re.IGNORECASE)
_CAPABILITY = re.compile(
    r"(?:compute|cuda) ?capability(?: of)?[ :=]{1,3}(\d{1,2}\.\d)\b"
    r"|\bcc[ :=]{1,2}(\d{1,2}\.\d)\b",
    re.IGNORECASE,
)
_COUNT_ONLY = re.compile(r"\b(\d{1,2}) ?(?:x )?(?:nvidia )?gpus?\b", re.IGNORECASE)
_SPACES = re.compile(r"[ \t]+")


def find_gpus(text: str, *, is_field: bool = False) -> tuple[Gpu, ...]:
    """NVIDIA GPUs named in a text, in order; the same name twice counts once.

    `is_field`: the text is the value of a field for GPUs, so every chip is one.
    """
    text = text[:_TEXT_LIMIT]
    found: dict[str, int] = {}
    for match in _iter_names(text, is_field=is_field):
        name = _SPACES.sub(" ", match["name"]).strip(" -")
        if not is_field and _AMBIGUOUS.match(name) and not _is_about_gpus(text, match):
            continue
        if _is_aside(text, match, found) or _is_amd_card(text, match):
            continue
        if len(found) < MOST_GPUS:
            count = int(match["count"] or 1) or 1
            found[name] = max(count, found.get(name, 0))
    names = [name for name, count in found.items() for _ in range(min(count, 64))]
    gpus = [
        Gpu(index=i, name=name, memory_bytes=_memory_of(name) or _only_memory(text))
        for i, name in enumerate(names[:MOST_GPUS])
    ]
    return _with_capability(gpus, text) if is_field else tuple(gpus)


def _iter_names(text: str, *, is_field: bool) -> Iterator[re.Match[str]]:
    """Names of models; a bare number («2080 Ti») is one where GPUs are spoken of."""
    is_named = False
    for match in _NVIDIA.finditer(text):
        is_named = True
        yield match
    if not is_named:
        for match in _NUMBER_ALONE.finditer(text):
            if is_field or _is_card(text, match):
                yield match


def _is_card(text: str, match: re.Match[str]) -> bool:
    """«my 3090», «two 4090s», near a word about GPUs."""
    before = text[max(0, match.start() - 12) : match.start()]
    return _OWNED.search(before) is not None and _is_about_gpus(text, match)


def _is_about_gpus(text: str, match: re.Match[str]) -> bool:
    around = text[max(0, match.start() - 40) : match.end() + 30]
    return _GPU_WORD.search(around) is not None


def _is_aside(text: str, match: re.Match[str], found: dict[str, int]) -> bool:
    """Whether it is a second name: "NVIDIA GB10 (DGX Spark)" is one GPU."""
    return bool(found) and text[: match.start()].endswith("(")


def _is_amd_card(text: str, match: re.Match[str]) -> bool:
    return "radeon" in text[max(0, match.start() - 12) : match.start()].lower()


def _memory_of(name: str) -> int | None:
    found = _MEMORY.search(name)
    return int(found[1]) * GIBIBYTE if found else None


def _only_memory(text: str) -> int | None:
    """The one size in a short field: "GTX 1050 Ti, 4GB"."""
    sizes = {match[1] for match in _MEMORY.finditer(text)} if len(text) < 80 else set()
    return int(sizes.pop()) * GIBIBYTE if len(sizes) == 1 else None


def _with_capability(gpus: list[Gpu], text: str) -> tuple[Gpu, ...]:
    """A capability written beside the name: "Ampere sm_86" names no more than that."""
    capability = find_capability(text)
    if capability is None or len(gpus) > 1:
        return tuple(gpus)
    if not gpus:
        name = " ".join(text.split())[:80]
        return (Gpu(index=0, name=name, compute_capability=capability),)
    return (replace(gpus[0], compute_capability=capability),)


def find_capability(text: str) -> ComputeCapability | None:
    """The first compute capability written as sm_86, or with these words."""
    try:
        sm = _SM.search(text)
        if sm:
            return ComputeCapability.from_sm(f"sm_{sm[1].lower()}")
        found = _CAPABILITY.search(text)
        return ComputeCapability.parse(found[1] or found[2]) if found else None
    except ValueError:
        return None


def find_vendors(text: str) -> tuple[Vendor, ...]:
    """Makers other than NVIDIA whose GPUs are named."""
    text = text[:_TEXT_LIMIT]
    pairs: tuple[tuple[Vendor, re.Pattern[str]], ...] = (
        ("amd", _AMD),
        ("intel", _INTEL),
        ("apple", _APPLE),
    )
    return tuple(vendor for vendor, pattern in pairs if pattern.search(text))


def find_count(text: str) -> int | None:
    """The number of GPUs where no model is named: "4 GPUs"."""
    found = _COUNT_ONLY.search(text[:_TEXT_LIMIT])
    return int(found[1]) if found else None


def resolve(gpus: Iterable[Gpu], matrices: Matrices) -> tuple[Gpu, ...]:
    """The GPUs with the compute capability that the matrices know for their names."""
    return tuple(
        gpu if gpu.compute_capability or not gpu.name else _known(gpu, matrices)
        for gpu in gpus
    )


def _known(gpu: Gpu, matrices: Matrices) -> Gpu:
    for name in _shorter_names(gpu.name or ""):
        model = matrices.find_gpu(name)
        if model is not None:
            return replace(gpu, compute_capability=model.compute_capability)
    return gpu


_DECORATION = re.compile(
    r"\(.*|[,;/].*|\b(?:laptop gpu|laptop|mobile|notebook|with max-?q design|max-?q"
    r"|founders edition|graphics card|gpu|\d{1,3} ?gi?b|\d{4,6} ?mi?b)\b"
    r"|-(?:sxm\d?|pcie?|nvl|hbm\d?e?).*",
    re.IGNORECASE,
)


_FAMILIES = ("RTX", "GTX", "GT")
_SHORT_SUPER = re.compile(r"(?:[GR]TX[ -]?)?\d{4}s", re.IGNORECASE)


def _shorter_names(name: str) -> Iterator[str]:
    """The name, then with less and less said of its form and memory."""
    yield name
    plain = " ".join(_DECORATION.sub(" ", name).split())
    if plain and plain != name:
        yield plain
    words = plain.split()
    yield from (" ".join(words[:kept]) for kept in range(len(words) - 1, 1, -1))
    while len(words) > 1 and words[0].lower() in ("nvidia", "geforce"):
        words = words[1:]
    if words and words[0][:1].isdigit():
        yield from (f"{family} {' '.join(words)}" for family in _FAMILIES)
    if words and _SHORT_SUPER.fullmatch(words[-1]):
        yield f"{plain[:-1]} SUPER"
        yield plain[:-1]
    if words and words[0].upper() == "GTX":  # "GTX 4090" is a common slip
        yield " ".join(["RTX", *words[1:2]])
    if words and words[0].upper() == "GRID":
        yield words[-1].partition("-")[0]
