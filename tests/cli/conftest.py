"""The installed command in a real child process, on small generated environments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
_LEFT_OUT = ("VIRTUAL_ENV", "CONDA_PREFIX", "NO_COLOR", "COLUMNS", "PYTHONPATH")


@pytest.fixture
def fwdoctor(tmp_path: Path) -> Run:
    """Run `python -m fwdoctor …` in an empty folder; texts in, texts out."""

    def run(
        *words: str,
        env: Mapping[str, str] | None = None,
        python: tuple[str, ...] = (),
        cwd: Path | None = None,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        variables = {k: v for k, v in os.environ.items() if k not in _LEFT_OUT}
        variables |= {"COLUMNS": "100"} | dict(env or {})
        return subprocess.run(
            [sys.executable, *python, "-m", "fwdoctor", *words],
            env=variables,
            cwd=cwd or tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def make_venv(tmp_path: Path) -> Callable[..., Path]:
    """A virtual environment as files only, with the distributions asked for."""

    def make(
        name: str = ".venv",
        *,
        torch_version: str | None = None,
        installed: Mapping[str, str] | None = None,
    ) -> Path:
        prefix = tmp_path / name
        site = prefix / "lib" / "python3.12" / "site-packages"
        (prefix / "bin").mkdir(parents=True)
        site.mkdir(parents=True)
        (prefix / "bin" / "python").symlink_to(sys.executable)
        (prefix / "pyvenv.cfg").write_text(
            "home = /usr/bin\nuv = 0.9.0\nversion_info = 3.12.4\n"
        )
        packages = dict(installed or {})
        if torch_version is not None:
            _add_torch(site, torch_version)
            packages["torch"] = torch_version.partition("+")[0]
        for package, version in packages.items():
            _add_distribution(site, package, version)
        return prefix

    return make


def _add_torch(site: Path, version: str) -> None:
    label = version.partition("+")[2]
    digits = label.removeprefix("cu")
    cuda = repr(f"{digits[:-1]}.{digits[-1]}") if label.startswith("cu") else None
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (site / "torch" / "version.py").write_text(
        f"__version__ = {version!r}\ndebug = False\ncuda = {cuda}\nhip = None\n"
    )


def _add_distribution(site: Path, package: str, version: str) -> None:
    folder = site / f"{package.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    )
    (folder / "INSTALLER").write_text("uv\n")
    (folder / "RECORD").write_text("")
