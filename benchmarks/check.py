"""`fwdoctor check` beside `python -m torch.utils.collect_env`, in one run.

    python benchmarks/check.py PYTHON [--runs 7] [--fwdoctor "…"]

PYTHON is an interpreter with PyTorch (and TensorFlow, if you like). The two commands
take turns, so that a machine whose speed drifts still gives a fair ratio. Reported are
the median wall time, the ratio, and the peak memory of the largest single process.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import time


def run(argv: list[str]) -> tuple[float, int]:
    """Wall seconds and peak resident KiB of one run."""
    begun = time.perf_counter()
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)
        ],
    )
    _, _, usage = os.wait4(pid, 0)
    return time.perf_counter() - begun, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--fwdoctor", default=f"{sys.executable} -m fwdoctor")
    asked = parser.parse_args()
    doctor = shlex.split(asked.fwdoctor)
    commands = {
        "fwdoctor --version": [*doctor, "--version"],
        "fwdoctor check": [*doctor, "check", "--python", asked.python],
        "fwdoctor check --format json": [
            *(*doctor, "check", "--python", asked.python),
            *("--format", "json"),
        ],
        "torch.utils.collect_env": [asked.python, "-m", "torch.utils.collect_env"],
    }
    measured: dict[str, list[tuple[float, int]]] = {name: [] for name in commands}
    for argv in commands.values():
        run(argv)  # warm the caches
    for _ in range(asked.runs):
        for name, argv in commands.items():
            measured[name].append(run(argv))
    base = statistics.median(s for s, _ in measured["torch.utils.collect_env"])
    print(f"median of {asked.runs} runs, taken in turns; {os.cpu_count()} cores,")
    print(f"load {os.getloadavg()[0]:.1f}; Python {sys.version.split()[0]}")
    print(f"{'command':32} {'ms':>7} {'faster':>8} {'MiB':>6}")
    for name, rows in measured.items():
        seconds = statistics.median(s for s, _ in rows)
        memory = max(kib for _, kib in rows) / 1024
        print(f"{name:32} {seconds * 1000:7.0f} {base / seconds:7.1f}x {memory:6.0f}")


if __name__ == "__main__":
    main()
