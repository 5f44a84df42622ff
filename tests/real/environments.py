"""Where the real environments lie, and how the small ones of them are made.

FWDOCTOR_REAL_ENVS names a folder with environments; FWDOCTOR_REAL=1 lets the tests make
those of RECIPES that are not in it (by default in .cache/real-envs), with venv and pip.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = "FWDOCTOR_REAL_ENVS"
MAY_MAKE = "FWDOCTOR_REAL"
HOW = f"set {FOLDER} to a folder with environments, or {MAY_MAKE}=1 to make them"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "real-envs"
# Name → what pip installs. Only builds without several gigabytes of CUDA libraries.
RECIPES = {
    "torch213cpu": ("torch==2.13.0", "numpy"),
    "tf220": ("tensorflow==2.20.0",),
}
TIMEOUT_S = 1200.0


class NotOfferedError(Exception):
    """This pip cannot give us the environment; the message says why."""


def prepare() -> None:
    """Make what may be made and put its folder into the variables."""
    if os.environ.get(MAY_MAKE) != "1":
        return
    folder = Path(os.environ.get(FOLDER) or CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[FOLDER] = str(folder)
    for name in RECIPES:
        why = folder / f"{name}.why"
        why.unlink(missing_ok=True)
        try:
            _ensure(folder, name)
        except NotOfferedError as error:
            why.write_text(str(error), encoding="utf-8")


def prefix_of(*names: str) -> Path:
    """The first of these environments that is there; skips the test otherwise."""
    folder = Path(os.environ.get(FOLDER) or "/nowhere")
    for name in names:
        if (folder / name).is_dir() and not (folder / f"{name}.unfinished").exists():
            return folder / name
    whys = [folder / f"{name}.why" for name in names]
    reasons = [why.read_text(encoding="utf-8") for why in whys if why.is_file()]
    pytest.skip("; ".join(reasons) or f"no {' or '.join(names)} in {FOLDER}")


def _ensure(folder: Path, name: str) -> None:
    """Make the environment unless it is there whole."""
    unfinished = folder / f"{name}.unfinished"
    if unfinished.exists():
        shutil.rmtree(folder / name, ignore_errors=True)
    if (folder / name).exists():
        return
    unfinished.touch()
    _run(sys.executable, "-m", "venv", str(folder / name))
    python = str(folder / name / ("Scripts" if os.name == "nt" else "bin") / "python")
    try:
        _run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        _refuse_cuda(python, RECIPES[name])
        _run(python, "-m", "pip", "install", "--quiet", *RECIPES[name])
    except NotOfferedError:
        shutil.rmtree(folder / name, ignore_errors=True)
        raise
    finally:
        if not (folder / name).exists():
            unfinished.unlink()
    unfinished.unlink()


def _refuse_cuda(python: str, requirements: tuple[str, ...]) -> None:
    """Raise when pip would bring NVIDIA's libraries too."""
    words = ("install", "--quiet", "--dry-run", "--report", "-", *requirements)
    plan = json.loads(_run(python, "-m", "pip", *words))
    names = [item["metadata"]["name"].lower() for item in plan["install"]]
    gigabytes = [n for n in names if n.startswith("nvidia-") or n == "triton"]
    if gigabytes:
        raise NotOfferedError(
            f"pip offers {requirements[0]} with {len(gigabytes)} CUDA packages only"
        )


def _run(*argv: str) -> str:
    try:
        result = subprocess.run(
            argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotOfferedError(f"{argv[-1]}: not done in {TIMEOUT_S:g} s") from error
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"status {result.returncode}"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise NotOfferedError(f"{argv[-1]}: {errors[-1]}")
    return result.stdout
