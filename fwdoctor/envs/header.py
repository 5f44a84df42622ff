"""The comment every file starts with: for what it was made, and how to make it again.

Also the «again» command, which names the machine as a `--target`.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fwdoctor import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.plan import Plan, PlanEnvironment, Request, Target

MARK = "Made by fwdoctor"
_WIDTH = 78


def header_lines(plan: Plan, planned: PlanEnvironment, file_name: str) -> list[str]:
    """The comment's lines, without comment signs."""
    target = plan.target
    date = (target.created_at or "")[:10]
    made = f"{MARK} {__version__}{f' on {date}' if date else ''} for {machine(target)}."
    lines = textwrap.wrap(made, _WIDTH)
    if planned.least_driver is not None:
        lines.append(f"It needs driver {planned.least_driver} or newer.")
    lines.append("Make it again with:")
    lines.append(f"  {again_command(plan, file_name)}")
    return lines


def commented(lines: list[str], sign: str = "#") -> str:
    """The lines as a comment block."""
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in lines)


def machine(target: Target) -> str:
    """The machine in full: GPU, driver, CUDA, platform."""
    if target.has_gpu is False:
        return f"a machine without an NVIDIA GPU, {target.platform}"
    gpus = " and ".join(dict.fromkeys(target.gpus)) or "an unknown NVIDIA GPU"
    driver = f"driver {target.driver}" if target.driver else "an unknown driver"
    cuda = f" (CUDA {target.driver_cuda})" if target.driver_cuda else ""
    return f"{gpus}, {driver}{cuda}, {target.platform}"


def again_command(plan: Plan, file_name: str) -> str:
    """The command line that gives the same file on any machine."""
    words = ["fwdoctor", "env", _quoted(file_name), *_request_words(plan.request)]
    words.append(f"--target {_quoted(target_text(plan.target))}")
    return " ".join(words)


def _request_words(request: Request) -> Iterator[str]:
    if len(request.frameworks) == 1 and not request.constraints:
        yield f"--for {request.frameworks[0]}"
    elif request.constraints:
        yield f"--for {','.join(request.frameworks)}"
    for name, spec in sorted(request.constraints.items()):
        yield f"--constraint {_quoted(name + spec)}"
    if request.companions:
        yield f"--with {','.join(request.companions)}"
    if request.manager:
        yield f"--manager {request.manager}"
    if request.python:
        yield f"--python {request.python}"
    if request.prefer != "newest":
        yield f"--prefer {request.prefer}"


def target_text(target: Target) -> str:
    """The machine as `--target` takes it."""
    system, _, arch = target.platform.partition("-")
    gpus = ",".join(target.gpu_keys) or ("none" if target.has_gpu is False else "")
    facts = {
        "gpu": gpus,
        "driver": str(target.driver or ""),
        "cuda": "" if target.driver else str(target.driver_cuda or ""),
        "os": "wsl" if target.is_wsl else "" if system == "linux" else system,
        "arch": "" if arch == "x86_64" else arch,
        "glibc": target.glibc or "",
    }
    return ",".join(f"{name}={value}" for name, value in facts.items() if value)


def _quoted(text: str) -> str:
    is_plain = all(c.isalnum() or c in "=+.-_/,:" for c in text)
    return text if is_plain and text else f'"{text}"'
