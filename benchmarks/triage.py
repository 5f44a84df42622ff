"""How many pasted reports `triage` judges a second, and how long a large log takes.

usage: python benchmarks/triage.py [FOLDER]

FOLDER holds *.txt reports (default: the samples of the tests). Every report is judged
in this process, as `fwdoctor triage FILE… --format jsonl` does; the rate counts
reading, judging and writing, not the start of Python. The log is 5 MB of TensorFlow's
lines.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from fwdoctor.cli.triaging import Triage
from fwdoctor.report.registry import RenderOptions, render

SAMPLES = Path(__file__).parent.parent / "tests" / "intake" / "samples"
LEAST_REPORTS = 600
LOG_BYTES = 5_000_000
LOG_LINE = (
    "2024-03-10 19:15:{:02d}.{:06d}: I external/local_xla/xla/stream_executor/cuda/"
    "cuda_executor.cc:901] successful NUMA node read from SysFS had negative value"
    " (-1), but there must be at least one NUMA node, so returning NUMA node zero\n"
)


def main() -> None:
    """Judge the folder's reports again and again, then the log; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    texts = [
        path.read_text(errors="replace")
        for path in sorted(parser.parse_args().folder.glob("*.txt"))
    ]
    if not texts:
        sys.exit("no *.txt files there")
    triage = Triage()
    first = _seconds(triage, texts[0])
    rounds = -(-LEAST_REPORTS // len(texts))
    times = [_seconds(triage, text) for _ in range(rounds) for text in texts]
    log = _seconds(triage, _log())
    print(f"{len(texts)} texts, {len(times)} reports: {len(times) / sum(times):.0f}/s")
    print(f"median {1000 * statistics.median(times):.1f} ms, slowest {_ms(max(times))}")
    print(f"first {_ms(first)}, 5 MB of log {_ms(log)}")


def _seconds(triage: Triage, text: str) -> float:
    begun = time.perf_counter()
    render(triage.judge_text(text, name="report.txt"), "jsonl", RenderOptions())
    return time.perf_counter() - begun


def _log() -> str:
    count = LOG_BYTES // len(LOG_LINE)
    return "".join(LOG_LINE.format(n % 60, n % 1_000_000) for n in range(count))


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    main()
