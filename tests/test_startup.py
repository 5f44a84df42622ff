"""What the start costs: by imported modules, not by the clock."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

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


def test_a_check_takes_its_options_without_pydantic(tmp_path: Path) -> None:
    """typer 0.29 and newer import it for every value, a quarter of the command."""
    facts = Path(__file__).parent / "machines" / "no-gpu-torch-cpu" / "snapshot.json"
    told = tmp_path / "report.json"
    words = ["check", "--snapshot", str(facts), "--fail-on", "never", "--assume"]
    words += ["driver=550.54.14", "--format", "json", "--output", str(told)]
    result = run(
        "import sys, fwdoctor.cli\n"
        f"sys.argv = {['fwdoctor', *words]!r}\n"
        "try:\n    fwdoctor.cli.run()\n"
        "except SystemExit as left:\n    print(left.code)\n"
        "print('pydantic' in sys.modules)"
    )
    assert result.stdout.split() == ["0", "False"]
    driver = json.loads(told.read_text(encoding="utf-8"))["snapshot"]["driver"]
    assert driver["version"] == "550.54.14"


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
