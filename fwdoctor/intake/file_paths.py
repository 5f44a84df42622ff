r"""What paths in tracebacks tell: the Python, its manager, the operating system.

/opt/conda/envs/dl/lib/python3.8/site-packages/torch/cuda/__init__.py
C:\Users\…\Programs\Python\Python310\lib\site-packages\torch
flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.intake.facts import Collector

if TYPE_CHECKING:
    from fwdoctor.intake.facts import Facts

SOURCE = "paths"
_POSIX = re.compile(
    r"(?P<root>/[^\s:'\"]{0,160})/lib(?:64)?/python(?P<python>[23]\.\d{1,2})/(?:site|dist)-packages"
)
_WINDOWS = re.compile(
    r"[A-Za-z]:\\[^\n:*?\"<>|]{0,200}\\(?:lib|Lib|site-packages|Scripts|torch)\\",
    re.ASCII,
)
_MACOS = re.compile(r"(?<![\w:.\\/-])/Users/[\w.-]{1,40}/|\bMacBook-(?:Air|Pro)\b")
_WINDOWS_PYTHON = re.compile(r"\\Python([23])(\d{1,2})(?:-32)?\\", re.IGNORECASE)
_EXTENSION = re.compile(r"\.cpython-(\d)(\d{1,2})-(x86_64|aarch64)-linux-gnu")
_CONDA = re.compile(
    r"(?:ana|mini|mamba|conda)(?:conda|forge|)?\d?/|/envs/|\\envs\\|conda",
    re.IGNORECASE,
)
_NAMED = (
    ("/pixi/", "pixi"),
    ("/.pixi/", "pixi"),
    ("/pypoetry/", "poetry"),
    ("/uv/python/", "uv"),
)


def parse(text: str) -> Facts | None:
    """The facts of the first paths of a kind in a text."""
    found = Collector(SOURCE, text)
    if "-packages" in text:
        posix = _POSIX.search(text)
        if posix:
            _read_root(found, posix)
    if ".cpython-" in text:
        extension = _EXTENSION.search(text)
        if extension:
            version = f"{extension[1]}.{extension[2]}"
            found.add("python", version, extension.start())
            found.add_match("machine", extension, 3)
            found.add("os", "linux", extension.start())
    if ":\\" in text:
        _read_windows(found, text)
    macos = _MACOS.search(text)
    if macos:
        found.add("os", "macos", macos.start())
    return found.facts()


def _read_root(found: Collector, match: re.Match[str]) -> None:
    found.add_match("python", match, "python")
    root = match["root"] + "/"
    found.add("os", "macos" if root.startswith("/Users/") else "linux", match.start())
    manager = next((name for part, name in _NAMED if part in root), None)
    found.add("manager", manager, match.start())
    if manager is None and _CONDA.search(root):
        found.add("manager", "conda", match.start())


def _read_windows(found: Collector, text: str) -> None:
    path = _WINDOWS.search(text)
    if path is None:
        return
    found.add("os", "windows", path.start())
    version = _WINDOWS_PYTHON.search(text)
    if version:
        found.add("python", f"{version[1]}.{version[2]}", version.start())
    if _CONDA.search(path[0]):
        found.add("manager", "conda", path.start())
