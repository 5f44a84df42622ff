"""What the start costs: by imported modules, not by the clock."""

from __future__ import annotations

import subprocess
import sys
import time

HEAVY = (
    "pydantic",
    "rich",
    "packaging",
    "pynvml",
    "jsonschema",
    "asyncio",
    "importlib.metadata",
    "torch",
    "tensorflow",
    "elftools",
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_importing_the_cli_imports_nothing_heavy() -> None:
    result = run(
        f"import sys, fwdoctor.cli;print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert result.stdout.strip() == "[]"


def test_version_does_not_even_import_typer() -> None:
    result = run(
        "import sys; sys.argv = ['fwdoctor', '--version'];"
        "from fwdoctor.__main__ import main; main();"
        "print([m for m in ('typer', 'json', 'dataclasses') if m in sys.modules])"
    )
    assert result.stdout.splitlines()[0].startswith("fwdoctor ")
    assert result.stdout.splitlines()[1] == "[]"


def test_version_is_quick_within_a_very_wide_guard() -> None:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "fwdoctor", "--version"],
            capture_output=True,
            check=True,
        )
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.5
