"""Operating systems as people and programs write them, to facts about the host.

"Ubuntu 18.04.2 LTS (x86_64)", "Linux Ubuntu 16.04", "Microsoft Windows 11 Pro",
"Windows 10.0.22621 / WSL2 Ubuntu 18.04.6", "macOS 12.7.6 (arm64)",
"JetPack 5.1.2 / L4T R35.4.1 (aarch64)", "Linux-5.8.0-50-generic-x86_64-with-glibc2.31"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fwdoctor.intake.facts import FactName

VALUE_LIMIT: Final = 400

DISTRIBUTION_PATTERN: Final = (
    r"(?:"
    r"(?:[KLX]|ed)?ubuntu(?: server| desktop| studio| mate)?"
    r"|debian(?: gnu/linux)?|centos(?: linux| stream)?(?: release)?"
    r"|red ?hat(?: enterprise linux)?(?: server)?|rhel|rocky(?: linux)?|alma ?linux"
    r"|fedora(?: linux)?|amazon linux|scientific linux|oracle linux(?: server)?"
    r"|arch(?: ?linux|(?= based))|manjaro(?: linux)?|endeavouros|cachyos|garuda"
    r"(?: linux)?"
    r"|opensuse(?:[ -](?:leap|tumbleweed))?|suse(?: linux enterprise(?: server)?)?|sles"
    r"|pop!?[_ ]?os|linux ?mint|elementary os|zorin os|kali(?: linux)?|deepin"
    r"|nixos|gentoo|void linux|alpine(?: linux)?|raspbian|clear linux|slackware"
    r"|unraid|proxmox(?: ve)?|photon os|azure ?linux|mariner|flatcar|devuan"
    r")"
)
_DISTRIBUTION = re.compile(
    rf"(?<![A-Za-z0-9]){DISTRIBUTION_PATTERN}"
    r"(?:[ -]?v?(?:\d{1,3}(?:\.\d{1,3}){0,2}|testing|sid|unstable|tumbleweed|leap))?"
    r"(?: LTS)?(?![A-Za-z])",
    re.IGNORECASE,
)
_WINDOWS = re.compile(
    r"(?<![A-Za-z])(?:microsoft )?windows(?! (?:subsystem|terminal|update))"
    r"(?:[ -](?:\d{1,2}(?:\.\d{1,5}){0,3}|xp|vista|server(?: \d{4})?))?"
    r"(?: (?:home|pro|professional|enterprise|education|n|\d\dH\d)){0,3}(?![A-Za-z])"
    r"|(?<![A-Za-z])win(?:dows)?[ -]?(?:7|8|8\.1|10|11|32|64)(?![\d.])"
    r"|\bwin_amd64\b",
    re.IGNORECASE,
)
_MACOS = re.compile(
    r"(?<![A-Za-z])(?:mac ?os(?: ?x)?|os ?x|darwin|macosx)(?![A-Za-z])"
    r"(?:[ -]?(?:big sur|monterey|ventura|sonoma|sequoia|catalina|mojave"
    r"|high sierra|sierra|\d{1,2}(?:\.\d{1,2}){0,2}))?"
    r"|(?<![A-Za-z])mac(?:book(?: pro| air)?| mini| studio| pro| laptop"
    r"| computer)(?![A-Za-z])",
    re.IGNORECASE,
)
_WSL = re.compile(
    r"\bWSL ?[12]?\b|windows subsystem (?:for )?linux|microsoft-standard", re.IGNORECASE
)
_TEGRA = re.compile(
    r"\bjet ?pack\b|\bL4T\b|\btegra\b|\bjetson\b|NVIDIA (?:AGX )?(?:Orin|Xavier)\b",
    re.IGNORECASE,
)
_TEGRA_RELEASE = re.compile(
    r"(?:L4T|Jetson Linux)[ :]{1,3}r?(\d{2}(?:\.\d{1,2}){0,2})"
    r"|\bR(\d{2} \(release\), REVISION: [\d.]{1,8})",
    re.IGNORECASE,
)
_MACHINE = re.compile(
    r"(?<![A-Za-z0-9])(x86[_-]64|amd64|aarch64|arm64|ppc64le|s390x|riscv64|i[3-6]86|x86"
    r"|snapdragon)"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_MACHINES = {
    "amd64": "x86_64",
    "x86-64": "x86_64",
    "x86_64": "x86_64",
    "arm64": "aarch64",
    "snapdragon": "aarch64",
    "aarch64": "aarch64",
    "x86": "i686",
}
_KERNEL = re.compile(
    r"(?:\blinux[- ]v?(?=\d\.\d{1,2}\.\d)|\bkernel(?: version| release)?[ :]{1,3}v?)"
    r"(\d\.\d{1,2}(?:\.\d{1,4})?[\w.+-]{0,60})",
    re.IGNORECASE,
)
_GLIBC = re.compile(r"glibc[- _]?(\d\.\d{1,2})", re.IGNORECASE)
_LINUX = re.compile(r"(?<![A-Za-z])(?:gnu/)?linux(?![A-Za-z])", re.IGNORECASE)


def parse_os(text: str) -> dict[FactName, str]:
    """What a value such as "Ubuntu 20.04.2 LTS (x86_64)" says about the host."""
    text = text[:VALUE_LIMIT]
    facts: dict[FactName, str] = {}
    distribution = _DISTRIBUTION.search(text)
    windows = _WINDOWS.search(text)
    macos = _MACOS.search(text)
    is_wsl = _WSL.search(text) is not None
    is_tegra = _TEGRA.search(text) is not None
    if is_wsl:
        facts["is_wsl"] = "true"
    if is_tegra:
        facts["is_tegra"] = "true"
        _add(facts, "tegra_release", _TEGRA_RELEASE.search(text))
    name = _os_name(
        is_linux=bool(distribution or is_wsl or is_tegra),
        first_windows=windows,
        first_macos=macos,
        has_linux_word=_LINUX.search(text) is not None,
    )
    if name:
        facts["os"] = name
    shown = {"linux": distribution, "windows": windows, "macos": macos}.get(name or "")
    if shown:
        facts["distribution"] = " ".join(shown[0].split())
    _add_machine(facts, text)
    if name == "linux":
        _add_kernel(facts, text)
        _add(facts, "libc_version", _GLIBC.search(text))
    return facts


def _os_name(
    *,
    is_linux: bool,
    first_windows: re.Match[str] | None,
    first_macos: re.Match[str] | None,
    has_linux_word: bool,
) -> str | None:
    """WSL and Jetson are Linux, whatever else is named beside them."""
    if is_linux:
        return "linux"
    named = [m for m in (first_windows, first_macos) if m]
    if named:
        first = min(named, key=lambda match: match.start())
        return "windows" if first is first_windows else "macos"
    return "linux" if has_linux_word else None


def _add(
    facts: dict[FactName, str], name: FactName, match: re.Match[str] | None
) -> None:
    if match:
        facts[name] = next(group for group in match.groups() if group)


def _add_machine(facts: dict[FactName, str], text: str) -> None:
    found = _MACHINE.search(text)
    if found:
        word = found[1].lower()
        is_apple = facts.get("os") == "macos" and word == "arm64"
        facts["machine"] = word if is_apple else _MACHINES.get(word, word)


def _add_kernel(facts: dict[FactName, str], text: str) -> None:
    """The release in the middle of "Linux-5.8.0-50-generic-x86_64-with-glibc2.31"."""
    found = _KERNEL.search(text)
    if not found:
        return
    release = found[1]
    for word in ("-with-", "-x86_64", "-amd64", "-aarch64"):
        release = release.partition(word)[0]
    facts["kernel"] = release.rstrip(".-+")
    if "microsoft" in found[1].lower():
        facts["is_wsl"] = "true"
