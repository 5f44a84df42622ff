"""How long the compatibility matrices take to load, all of them.

    python benchmarks/matrices.py [--runs 15]

`parse` is json.loads of every file that fwdoctor judges by, read from disk; `load` is
`Matrices` with every release and table asked for, whose rows become typed records when
looked at; `typed` looks at every row. Best and median of the runs in this process, and
the first run, which also warms the caches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

from fwdoctor.matrices.load import FRAMEWORKS, Matrices, find_matrices_folder

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = (*FRAMEWORKS, "pairs", "cuda", "cudnn", "nvidia")


def parse() -> int:
    """Read and parse every file; returns how many."""
    root = find_matrices_folder()
    paths = [path for name in FOLDERS for path in (root / name).glob("*.json")]
    return len([json.loads(path.read_bytes()) for path in paths])


def load(*, is_typed: bool) -> int:
    """Ask for everything; returns how many rows there are."""
    matrices = Matrices()
    releases = [r for name in FRAMEWORKS for r in matrices.releases(name)]
    tables = [rows for r in releases for rows in (r.variants, r.conda)]
    tables += [matrices.pairs(), matrices.toolkits(), matrices.driver_branches()]
    tables += [matrices.architectures(), matrices.gpus(), matrices.cudnn_releases()]
    return sum(len(tuple(rows)) if is_typed else len(rows) for rows in tables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    ways: dict[str, Callable[[], int]] = {
        "parse": parse,
        "load": lambda: load(is_typed=False),
        "typed": lambda: load(is_typed=True),
    }
    print(f"{'':8} {'count':>6} {'first ms':>9} {'best ms':>8} {'median ms':>10}")
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
