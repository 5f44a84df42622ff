"""How long the compatibility matrices take to load, all of them.

    python benchmarks/matrices.py [--runs 15]

`load` is `Matrices` with every release and table asked for, whose rows become typed
records when looked at; `typed` looks at every row; `unpacked` is `load` from a copy
of the folder without whole/facts.json. First run (it warms the caches), best, median.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fwdoctor.matrices.load import FRAMEWORKS, Matrices, find_matrices_folder
from fwdoctor.matrices.packed import NAME

if TYPE_CHECKING:
    from collections.abc import Callable


def load(folder: Path, *, is_typed: bool) -> int:
    """Ask for everything; returns how many rows there are."""
    matrices = Matrices(folder)
    releases = [r for name in FRAMEWORKS for r in matrices.releases(name)]
    tables = [rows for r in releases for rows in (r.variants, r.conda)]
    tables += [matrices.pairs(), matrices.conda_pairs(), matrices.toolkits()]
    tables += [matrices.driver_branches(), matrices.architectures(), matrices.gpus()]
    tables += [matrices.cudnn_releases(), matrices.codes()]
    return sum(len(tuple(rows)) if is_typed else len(rows) for rows in tables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        folder, unpacked = find_matrices_folder(), Path(temporary) / "matrices"
        shutil.copytree(folder, unpacked)
        (unpacked / NAME).unlink()
        ways: dict[str, Callable[[], int]] = {
            "load": lambda: load(folder, is_typed=False),
            "typed": lambda: load(folder, is_typed=True),
            "unpacked": lambda: load(unpacked, is_typed=False),
        }
        print(f"{'':8} {'rows':>6} {'first ms':>9} {'best ms':>8} {'median ms':>10}")
        for name, way in ways.items():
            count, taken = 0, []
            for _ in range(runs):
                begun = time.perf_counter()
                count = way()
                taken.append((time.perf_counter() - begun) * 1000)
            best, middle = min(taken), statistics.median(taken)
            print(f"{name:8} {count:6} {taken[0]:9.1f} {best:8.1f} {middle:10.1f}")


if __name__ == "__main__":
    main()
