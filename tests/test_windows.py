"""What is different on Windows: run by its leg of the CI, skipped elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fwdoctor.probes.environments import choose_target
from fwdoctor.probes.source import Source
from fwdoctor.process import run_child

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="of Windows")


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fwdoctor", *words]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def make_environment(folder: Path, *, torch: str) -> Path:
    """A virtual environment with the files of a PyTorch build; returns its Python."""
    program = folder / "Scripts" / "python.exe"
    program.parent.mkdir(parents=True)
    shutil.copyfile(sys.executable, program)
    (folder / "pyvenv.cfg").write_text("version = 3.12.4\n")
    site = folder / "Lib" / "site-packages"
    info = site / f"torch-{torch}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: torch\nVersion: {torch}\n")
    (info / "INSTALLER").write_text("pip\n")
    (info / "RECORD").write_text("")
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text("")
    cuda = None if torch.endswith("+cpu") else "12.6"
    (site / "torch" / "version.py").write_text(
        f"__version__ = {torch!r}\ncuda = {cuda!r}\n"
    )
    return program


def test_lines_end_as_elsewhere() -> None:
    result = run_child(python("print('out')"), timeout_s=60)
    assert result.stdout == "out\n"


def test_a_crash_is_known_by_its_status() -> None:
    code = "import ctypes; ctypes.windll.kernel32.ExitProcess(0xC0000005)"
    result = run_child(python(code), timeout_s=60)
    assert (result.status, result.signal_name) == ("signalled", "SIGSEGV")
    assert "0xc0000005" in result.reason


def test_programs_are_found_on_path(tmp_path: Path) -> None:
    (tmp_path / "tool.exe").write_bytes(b"MZ")
    source = Source(env={"PATH": f"relative;{tmp_path};C:\\nowhere"})
    assert source.which("tool") == f"{tmp_path.as_posix()}/tool.exe"
    assert source.which("other") is None


def test_the_active_environment_is_the_target(tmp_path: Path) -> None:
    make_environment(tmp_path / "my env", torch="2.9.1+cpu")
    source = Source(env={"VIRTUAL_ENV": str(tmp_path / "my env")})
    target = choose_target(source, tmp_path.as_posix())
    assert target == (tmp_path / "my env").as_posix()


@pytest.mark.parametrize("folder", ["env", "my env"])
def test_check_reads_an_environment(tmp_path: Path, folder: str) -> None:
    program = make_environment(tmp_path / folder, torch="2.9.1+cpu")
    result = run("check", "--python", str(program), "-f", "json")
    assert result.returncode in (0, 1), result.stderr
    (target,) = json.loads(result.stdout)["snapshot"]["environments"]
    assert target["torch"]["version"] == "2.9.1"
    assert target["torch"]["kind"] == "cpu"
    assert target["python"].endswith(f"/{folder}/Scripts/python.exe")
    assumed = run("check", "--python", str(program), "--assume", "gpu=RTX 4090")
    written = str(program) if folder == "env" else f'& "{program}"'
    assert f"{written} -m pip install" in assumed.stdout
