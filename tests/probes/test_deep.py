"""`--deep` against stand-in frameworks that behave, raise, crash and hang."""

from __future__ import annotations

import ast
import os
import shutil
import sys
from pathlib import Path

import pytest

from fwdoctor.model.snapshot import DeepResult, Environment
from fwdoctor.probes.deep import INSIDE, explain_child, run_deep
from fwdoctor.probes.source import Source
from fwdoctor.process import ChildResult, run_child
from fwdoctor.versions import ComputeCapability

TORCH = """
import sys
print("chatter", file=sys.stdout)
print("warning: no NumPy", file=sys.stderr)
__version__ = "2.9.0+cu128"

class version:
    cuda = "12.8"

class _C:
    @staticmethod
    def _cuda_getArchFlags():
        return "sm_80 sm_90 compute_90"

    class _cudnn:
        @staticmethod
        def getCompileVersion():
            return (9, 10, 2)

class backends:
    class cudnn:
        @staticmethod
        def version():
            {cudnn}

class cuda:
    is_available = staticmethod(lambda: {available})
    device_count = staticmethod(lambda: {count})
    get_device_name = staticmethod(lambda index: "NVIDIA H%d00" % (index + 1))

    @staticmethod
    def init():
        {init}
"""
HEALTHY = {"cudnn": "return 91002", "available": True, "count": 2, "init": "pass"}
NO_DRIVER = {
    "cudnn": "return 91002",
    "available": False,
    "count": 0,
    "init": "raise RuntimeError('Found no NVIDIA driver.\\nSecond line')",
}
MISFIT = {**HEALTHY, "cudnn": "raise RuntimeError('cuDNN version incompatibility: x')"}
TENSORFLOW = """
import os, sys
assert os.environ["TF_CPP_MAX_VLOG_LEVEL"] == "1"
assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
__version__ = "2.21.0"

class sysconfig:
    @staticmethod
    def get_build_info():
        return {"cuda_version": "12.5.1", "cudnn_version": "9",
                "cuda_compute_capabilities": ["sm_60", "compute_90"]}

class config:
    class experimental:
        pass

    @staticmethod
    def list_physical_devices(kind):
        for name in ("libnvinfer.so.10", "libcusolver.so.11"):
            sys.stderr.write("dso_loader.cc] Could not load dynamic library '%s'; x\\n"
                             % name)
        return []
"""


def ask(
    folder: Path, text: str, name: str = "torch", timeout_s: float = 20.0
) -> DeepResult:
    (folder / f"{name}.py").write_text(text)
    source = Source(env={"PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"})
    environment = Environment(prefix=str(folder), python=sys.executable)
    return run_deep(source, environment, name, timeout_s)


def test_healthy(tmp_path: Path) -> None:
    assert ask(tmp_path, TORCH.format(**HEALTHY)) == DeepResult(
        stage="done",
        status="ok",
        gpu_available=True,
        device_count=2,
        device_names=("NVIDIA H100", "NVIDIA H200"),
        version="2.9.0+cu128",
        cuda="12.8",
        cudnn_built="9.10.2",
        compute_capabilities=(ComputeCapability(8, 0), ComputeCapability(9, 0)),
        output="warning: no NumPy\n",
    )
    assert not (tmp_path / "__pycache__").exists()


def other_pythons() -> list[str]:
    """Interpreters of other versions on PATH that really start."""
    names = [f"python3.{minor}" for minor in range(6, 16)]
    paths = [path for name in names if (path := shutil.which(name))]
    return [p for p in paths if run_child([p, "-V"], timeout_s=10).is_success]


def test_every_python_on_this_machine_runs_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(TORCH.format(**HEALTHY))
    source = Source(env={"PYTHONPATH": str(tmp_path)})
    for python in [sys.executable, *other_pythons()]:
        environment = Environment(prefix=str(tmp_path), python=python)
        found = run_deep(source, environment, "torch", 20)
        assert (found.stage, found.status, found.error) == ("done", "ok", None), python


def test_without_driver_the_reason_is_kept(tmp_path: Path) -> None:
    found = ask(tmp_path, TORCH.format(**NO_DRIVER))
    assert (found.stage, found.status, found.gpu_available) == ("done", "ok", False)
    assert found.error == "RuntimeError: Found no NVIDIA driver."


def test_cudnn_misfit_fails_and_the_rest_is_still_asked(tmp_path: Path) -> None:
    found = ask(tmp_path, TORCH.format(**MISFIT))
    assert (found.stage, found.status, found.device_count) == ("done", "failed", 2)
    assert found.error == "RuntimeError: cuDNN version incompatibility: x"


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGILL", "SIGABRT"])
def test_a_signal_names_itself_and_its_stage(tmp_path: Path, name: str) -> None:
    found = ask(tmp_path, f"import os, signal; os.kill(os.getpid(), signal.{name})")
    assert (found.stage, found.status, found.signal) == ("import", "crashed", name)
    assert found.error == f"killed by {name}"


def test_a_hang_ends_at_the_deadline(tmp_path: Path) -> None:
    found = ask(tmp_path, "import time; time.sleep(60)", timeout_s=1.5)
    assert (found.stage, found.status) == ("import", "timeout")


@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        (
            "raise ImportError('libcudart.so.13: cannot open')",
            "failed",
            "ImportError: ",
        ),
        ("import absent_module_x", "failed", "ModuleNotFoundError: "),
        ("def (", "failed", "SyntaxError: "),
        ("raise SystemExit(0)", "failed", "SystemExit: 0"),
        ("import os; os._exit(0)", "crashed", "exit status 0"),
        ("import os; os._exit(7)", "crashed", "exit status 7"),
        ("x = 1", "failed", "AttributeError: "),
        ("raise Exception(chr(0xdc80))", "failed", "Exception: "),
    ],
)
def test_imports_that_end_badly(
    tmp_path: Path, text: str, status: str, error: str
) -> None:
    found = ask(tmp_path, text)
    assert found.status == status
    assert found.error is not None
    assert found.error.startswith(error)


def test_tensorflow_names_the_library_that_did_not_open(tmp_path: Path) -> None:
    found = ask(tmp_path, TENSORFLOW, "tensorflow")
    assert (found.status, found.gpu_available) == ("ok", False)
    assert found.error == "could not load libcusolver.so.11"
    assert (found.cuda, found.cudnn_built) == ("12.5.1", "9")


def test_nothing_is_started_where_nothing_may_run(tmp_path: Path) -> None:
    environment = Environment(prefix="/v", python=sys.executable)
    source = Source(root=str(tmp_path), may_run=False)
    found = run_deep(source, environment, "torch", 5)
    assert (found.stage, found.status) == ("start", "failed")
    gone = Environment(prefix="/v", python="/v/bin/python")
    found = run_deep(Source(), gone, "torch", 5)
    assert found.error == "/v/bin/python not found"


def test_nonsense_in_the_result_file_is_left_out() -> None:
    facts = {
        "stage": 3,
        "device_count": "two",
        "device_names": [1, "A100"],
        "libraries": None,
        "architectures": ["gfx90a", "sm_80"],
    }
    found = explain_child(ChildResult(status="exited", returncode=0), facts)
    assert found.device_count is None
    assert found.device_names == ("A100",)
    assert found.compute_capabilities == (ComputeCapability(8, 0),)


@pytest.mark.parametrize("name", ["stages.py", "torch_facts.py", "tensorflow_facts.py"])
def test_scripts_parse_in_the_oldest_python(name: str) -> None:
    text = (Path(INSIDE) / name).read_text()
    ast.parse(text, feature_version=(3, 6))
    assert "from __future__" not in text
