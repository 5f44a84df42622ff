"""`python -m fwdoctor.rescue`: a snapshot from an interpreter that has nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import fwdoctor
from fwdoctor.cli.snapshot_file import read_snapshot
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.testing.plugin import FakeGpuFactory

# What `-m` does, with the package's folder alone added to the standard library; says
# on stderr which modules from elsewhere were imported.
BARE = """\
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
try:
    runpy.run_module("fwdoctor.rescue", run_name="__main__", alter_sys=True)
finally:
    names = {name.partition(".")[0] for name in sys.modules}
    known = {*sys.stdlib_module_names, "__main__", "fwdoctor"}
    foreign = sorted(n for n in names - known if not n.startswith("_distutils"))
    print("foreign:", *foreign, file=sys.stderr)
"""


def run_bare(
    *words: str, folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the module where no installed package can be imported."""
    # A link to the package: an editable installation has the whole checkout beside it.
    (folder / "path").mkdir()
    (folder / "path" / "fwdoctor").symlink_to(Path(fwdoctor.__file__).parent)
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE, str(folder / "path"), *words],
        env=dict(os.environ if env is None else env),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def make_environment(folder: Path) -> Path:
    """A venv as files, with a torch that this interpreter could not import."""
    site = folder / "env" / "lib" / "python3.12" / "site-packages"
    (site / "torch").mkdir(parents=True)
    (folder / "env" / "bin").mkdir()
    (folder / "env" / "bin" / "python").symlink_to(sys.executable)
    (folder / "env" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")
    (site / "torch" / "version.py").write_text(
        "__version__ = '2.15.0+cu132'\ncuda = '13.2'\nhip = None\n"
    )
    info = site / "torch-2.15.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torch\nVersion: 2.15.0\n"
    )
    (info / "RECORD").write_text("")
    # A 32-bit object, which only pyelftools could read.
    (folder / "env" / "lib" / "libcudnn.so.9").write_bytes(b"\x7fELF\x01" + bytes(64))
    return folder / "env"


def test_a_snapshot_without_dependencies(
    tmp_path: Path, fake_gpu: FakeGpuFactory, matrices: Matrices
) -> None:
    prefix = make_environment(tmp_path)
    machine = fake_gpu("rtx4090-550")
    env = dict(machine.env)
    env["LD_LIBRARY_PATH"] += f"{os.pathsep}{prefix / 'lib'}"
    result = run_bare(str(prefix), folder=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stderr == "foreign:\n"
    path = tmp_path / "machine.json"
    path.write_text(result.stdout, encoding="utf-8")
    snapshot = read_snapshot(str(path))
    nvml = snapshot.find_probe("nvml")
    assert nvml is not None
    assert "nvidia-ml-py is not installed" in nvml.reason
    assert snapshot.driver.version_source == "kernel module"
    report = judge(snapshot, matrices)
    assert report.findings[0].code == "FW111"
    assert not [probe for probe in snapshot.probes if "Error" in probe.reason]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("/nowhere/at/all",), "/nowhere/at/all"),
        (("a", "b"), "usage:"),
        (("--help",), "usage:"),
    ],
)
def test_misuse(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    result = run_bare(*words, folder=tmp_path)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_the_snapshot_names_no_person(tmp_path: Path) -> None:
    home = tmp_path / "home" / "maria"
    home.mkdir(parents=True)
    prefix = make_environment(home)
    env = dict(os.environ) | {"HOME": str(home), "USER": "maria"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = run_bare(str(prefix), folder=elsewhere, env=env)
    assert "maria" not in result.stdout
    assert json.loads(result.stdout)["environments"][0]["prefix"] == "~/env"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "fwdoctor.rescue", str(make_environment(tmp_path))],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 2
    assert result.stderr == "fwdoctor: standard output: No space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
def test_a_reader_that_left_is_no_fault(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "fwdoctor.rescue", str(make_environment(tmp_path))],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (result.returncode, result.stderr) == (0, "")
