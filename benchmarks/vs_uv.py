"""fwdoctor's choice of a PyTorch build beside uv's `--torch-backend=auto`.

    python benchmarks/vs_uv.py            a table; exit 1 when uv's choice is better

uv is really asked: its log names the first index it would take torch from, under
UV_CUDA_DRIVER_VERSION. Which release that index holds, and whether it has code for the
GPU, comes from the matrices, for the index itself may be out of reach. «better» for uv
would be: its build runs on this GPU and driver, and is a newer release than ours, or
ours does not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from fwdoctor.matrices.load import Matrices
from fwdoctor.model.matrix import Release, Variant
from fwdoctor.solve.candidates import Machine, machine_of
from fwdoctor.solve.fit import variant_obstacles
from fwdoctor.solve.planner import solve
from fwdoctor.solve.requests import parse_request
from fwdoctor.target import parse_target

DRIVERS = (
    "450.80.02",
    "470.42.01",
    "510.39.01",
    "525.60.13",
    "535.54.03",
    "545.23.06",
    "550.54.14",
    "560.28.03",
    "570.26",
    "575.51.03",
    "580.65.06",
    "595.45.04",
)
GPUS = ("Tesla V100", "Tesla T4", "RTX 3090", "RTX 4090", "H100", "RTX 5090")
PYTHON = "3.12"
_INDEX = re.compile(r"https://download\.pytorch\.org/whl/(\w+)/torch/")


@dataclass(frozen=True)
class Row:
    driver: str
    gpu: str
    uv: str
    ours: str
    verdict: str  # same, better, worse, neither
    why: str


def backend_of(uv: str, driver: str, folder: str) -> str:
    """The variant uv asks PyTorch's indexes for first."""
    Path(folder, "torch.in").write_text("torch\n", encoding="utf-8")
    words = [uv, "pip", "compile", "torch.in", "--torch-backend=auto", "--verbose"]
    words += ["--python-version", PYTHON, "--no-cache"]
    words += ["--python-platform", "x86_64-manylinux_2_28"]
    env = {**os.environ, "UV_CUDA_DRIVER_VERSION": driver, "UV_HTTP_RETRIES": "0"}
    child = subprocess.run(
        words,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = _INDEX.search(child.stderr)
    return found[1] if found else "none"


def newest_on(backend: str, matrices: Matrices) -> tuple[Release, Variant] | None:
    """The newest release PyTorch's index of this variant has for our platform."""
    index = f"https://download.pytorch.org/whl/{backend}"
    for release in reversed(matrices.releases("torch")):
        for variant in release.variants:
            if variant.index != index or "linux-x86_64" not in variant.platforms:
                continue
            if PYTHON in (variant.python or release.python):
                return release, variant
    return None


def compare(gpu: str, driver: str, backend: str, matrices: Matrices) -> Row | None:
    snapshot = parse_target(f"gpu={gpu},driver={driver}", matrices)
    machine: Machine = replace(machine_of(snapshot), python=PYTHON)
    request = parse_request(
        matrices, frameworks=("torch",), manager="uv", python=PYTHON
    )
    plan = solve(snapshot, matrices, request)
    if any("does not support any GPU" in note for note in plan.notes):
        return None  # no such machine: the driver does not know the GPU
    pin = plan.environments[0].pins[0] if plan.environments else None
    ours = f"{pin.version} {pin.local_label or 'PyPI'}" if pin else "none"
    theirs = newest_on(backend, matrices)
    if theirs is None:
        verdict = "better" if pin else "neither"
        return Row(driver, gpu, backend, ours, verdict, "nothing known on that index")
    release, variant = theirs
    against = next(variant_obstacles(release, variant, machine, matrices), None)
    uv = f"{release.version} {backend}"
    if against is not None:
        verdict = "better" if pin else "neither"
        return Row(driver, gpu, uv, ours, verdict, f"uv's: {against.reason}")
    if pin is None or Version(pin.version) < Version(release.version):
        return Row(driver, gpu, uv, ours, "worse", "uv's runs here too")
    if Version(pin.version) > Version(release.version):
        return Row(driver, gpu, uv, ours, "better", "a newer release runs here")
    cuda = plan.environments[0].cuda
    why = "" if pin.local_label else "the same build, from PyPI"
    if cuda != variant.cuda:
        why = "the same release, for a CUDA that the driver itself speaks"
    return Row(driver, gpu, uv, ours, "same", why)


def main() -> int:
    uv = shutil.which("uv")
    if uv is None:
        print("uv is not on PATH: pip install uv", file=sys.stderr)
        return 2
    matrices = Matrices()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for driver in DRIVERS:
            backend = backend_of(uv, driver, folder)
            found = (compare(gpu, driver, backend, matrices) for gpu in GPUS)
            rows.extend(row for row in found if row is not None)
    print("| driver | GPU | uv | fwdoctor | fwdoctor is | why |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        cells = (row.driver, row.gpu, row.uv, row.ours, row.verdict, row.why)
        print(f"| {' | '.join(cells)} |")
    counts = {
        v: sum(row.verdict == v for row in rows)
        for v in ("same", "better", "worse", "neither")
    }
    print(f"\n{', '.join(f'{number} {name}' for name, number in counts.items())}")
    return 1 if counts["worse"] else 0


if __name__ == "__main__":
    sys.exit(main())
