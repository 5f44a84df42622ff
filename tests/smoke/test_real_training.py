"""Real frameworks, really trained, and sabotaged in every way that must be caught.

They lie in the folder FWDOCTOR_REAL_ENVS names: torch213cpu and tf221 or tf220 (CPU
builds, or builds that find no GPU). Each test skips where its environment is not there.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Environment, Framework, SmokeResult, Snapshot
from fwdoctor.smoke import agreement
from fwdoctor.smoke.dataset import PIXELS, Mnist
from fwdoctor.smoke.plan import FrameworkName, Plan
from fwdoctor.smoke.presets import PRESETS
from fwdoctor.smoke.runner import TASKS, Runtime, run_task, run_together
from fwdoctor.smoke.session import Bench, SmokeRequest, run_smoke
from tests.real.environments import prefix_of

pytestmark = [pytest.mark.real, pytest.mark.slow]

ENVIRONMENTS = {"torch": ("torch213cpu",), "tensorflow": ("tf221", "tf220")}
TIMEOUT_S = 240.0
# Wraps a task; {code} runs when the framework was imported, as `fw`, with `task` the
# module and `self` the task.
WRAPPER = """
import os, sys
sys.path.insert(0, {tasks!r})
{before}
import {module} as task
honest = task.Task.import_framework
def import_framework(self):
    said = honest(self)
    fw = getattr(task, {name!r})
{code}
    return said
task.Task.import_framework = import_framework
if __name__ == "__main__":
    task.main()
"""
Sabotage = Callable[..., Runtime]


def python_of(framework: str) -> str:
    return str(prefix_of(*ENVIRONMENTS[framework]) / "bin" / "python")


@pytest.fixture
def sabotage(tmp_path: Path) -> Sabotage:
    """A runtime whose framework was tampered with."""

    def make(framework: str, code: str = "pass", before: str = "") -> Runtime:
        script = tmp_path / f"sabotaged_{framework}.py"
        text = WRAPPER.format(
            tasks=TASKS,
            module=f"{framework}_mnist",
            name={"torch": "torch", "tensorflow": "tf"}[framework],
            before=textwrap.dedent(before),
            code=textwrap.indent(textwrap.dedent(code).strip(), "    "),
        )
        script.write_text(text, "utf-8")
        return Runtime(
            python=python_of(framework),
            timeout_s=TIMEOUT_S,
            env=dict(os.environ),
            scripts={framework: str(script)},
        )

    return make


def train(
    runtime: Runtime,
    framework: FrameworkName,
    mnist: Mnist,
    *presets: str,
    **changes: Any,
) -> tuple[SmokeResult, ...]:
    installed = Framework(version="1.0", package=framework)
    target = Environment(prefix="/venv", is_target=True)
    if framework == "torch":
        target = replace(target, torch=installed)
    else:
        target = replace(target, tensorflow=installed)
    request = SmokeRequest(
        mnist=mnist,
        frameworks=(framework,),
        device="cpu",
        presets=presets or ("mlp64",),
    )
    snapshot = Snapshot(gpus=(), pci=(), environments=(target,))
    asked = replace(request, **changes)
    return run_smoke(asked, Bench(snapshot=snapshot, runtime=runtime))


def failed(results: tuple[SmokeResult, ...]) -> dict[str, SmokeResult]:
    return {r.stage: r for r in results if r.status == "failed"}


def codes(results: tuple[SmokeResult, ...]) -> list[str]:
    """The findings these results give, errors only."""
    report = judge(Snapshot(smoke=results), Matrices(), select=("FW9",))
    return [f.code for f in report.findings if f.severity == "error"]


def smoke(*words: str) -> tuple[int, dict[str, Any], str]:
    """The command itself: exit code, report, progress."""
    done = subprocess.run(
        [sys.executable, "-m", "fwdoctor", "smoke", *words, "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_both_default_models_train_alone_and_in_two_processes(framework: str) -> None:
    prefix = str(Path(python_of(framework)).parent.parent)
    code, report, progress = smoke(
        framework, "--python", prefix, "--device", "cpu", "--all-gpus"
    )
    assert code == 0, progress
    assert report["findings"] == []
    results = report["snapshot"]["smoke"]
    passed = {(r["stage"], r["preset"]) for r in results if r["status"] == "passed"}
    assert passed >= {
        (stage, preset)
        for stage in ("train", "accuracy", "placement", "losses-agree")
        for preset in ("dense", "cnn")
    }
    assert passed >= {("matmul", None), ("convolution", None), ("all-reduce", None)}
    assert ("together", "dense") in passed
    skipped = {r["stage"]: r["detail"] for r in results if r["status"] == "skipped"}
    assert set(skipped) == {"compile", "memory-released", "gpu"}
    assert all(skipped.values()), "a skip says why"
    assert "train cnn passed" in progress


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_every_model_agrees_with_the_reference(
    framework: FrameworkName, mnist: Mnist
) -> None:
    runtime = Runtime(
        python=python_of(framework), timeout_s=TIMEOUT_S, env=dict(os.environ)
    )
    results = train(runtime, framework, mnist, *PRESETS, is_deep=True)
    assert not failed(results)
    assert sum(r.stage == "losses-agree" for r in results) == len(PRESETS)
    assert all(
        r.status == "passed" for r in results if r.stage in ("compile", "losses-agree")
    )


SABOTAGE = {
    ("torch", "conv-noise"): (
        """
        def noise(x, w, *rest):
            return fw.randn(x.shape[0], w.shape[0], x.shape[2] - 2, x.shape[3] - 2)
        fw.nn.functional.conv2d = noise
        """,
        "cnn",
        {"convolution": "wrong-numbers", "losses-agree": "wrong-numbers"},
        "FW909",
    ),
    ("tensorflow", "conv-noise"): (
        """
        def noise(x, w, *rest, **more):
            x = fw.convert_to_tensor(x)
            return fw.random.normal((4, 26, 26, 8))
        fw.nn.conv2d = noise
        """,
        "mlp64",
        {"convolution": "wrong-numbers"},
        "FW909",
    ),
    ("torch", "no-update"): (
        "fw.optim.Adam.step = lambda self, closure=None: None",
        "mlp64",
        {"train": "did-not-learn", "losses-agree": "wrong-numbers"},
        "FW910",
    ),
    ("tensorflow", "no-update"): (
        "fw.keras.optimizers.Adam.update_step = lambda *words, **more: None",
        "mlp64",
        {"train": "did-not-learn", "losses-agree": "wrong-numbers"},
        "FW910",
    ),
    ("torch", "nan-weight"): (
        """
        build = task.Task.build
        def broken(self, preset):
            model = build(self, preset)
            with fw.no_grad():
                next(model.parameters())[0, 0] = float("nan")
            return model
        task.Task.build = broken
        """,
        "mlp64",
        {"train": "did-not-learn", "losses-agree": "wrong-numbers"},
        "FW910",
    ),
    ("torch", "labels-shuffled"): (
        """
        allocate = task.Task.allocate
        def shuffled(self):
            said = allocate(self)
            labels = self.data["train_labels"]
            self.data["train_labels"] = labels[fw.randperm(len(labels))]
            return said
        task.Task.allocate = shuffled
        """,
        "mlp64",
        {"accuracy": "did-not-learn", "losses-agree": "wrong-numbers"},
        "FW909",
    ),
    ("torch", "rate-half-again"): (
        """
        step = fw.optim.Adam.step
        def off(self, closure=None):
            for group in self.param_groups:
                group["lr"] = 1.5e-3
            return step(self, closure)
        fw.optim.Adam.step = off
        """,
        "mlp64",
        {"losses-agree": "wrong-numbers"},
        "FW909",
    ),
    ("torch", "segfault"): (
        "fw.nn.functional.cross_entropy = lambda *words: os.kill(os.getpid(), 11)",
        "mlp64",
        {"train": "crashed"},
        "FW904",
    ),
    ("torch", "cuda-error"): (
        """
        def refuse(*words):
            raise RuntimeError("CUDA error: no kernel image is available")
        fw.nn.functional.cross_entropy = refuse
        """,
        "mlp64",
        {"train": "error"},
        "FW908",
    ),
}


@pytest.mark.parametrize("case", SABOTAGE, ids="-".join)
def test_sabotage_is_caught_and_named(
    case: tuple[FrameworkName, str], mnist: Mnist, sabotage: Sabotage
) -> None:
    code, preset, expected, finding = SABOTAGE[case]
    results = train(sabotage(case[0], code), case[0], mnist, preset)
    found = failed(results)
    kinds = {stage: found[stage].kind for stage in expected if stage in found}
    assert kinds == expected, results
    assert finding in codes(results)


def test_own_shuffled_labels_are_found_by_the_test_images(
    mnist: Mnist, sabotage: Sabotage
) -> None:
    """Nothing to compare with: the accuracy alone tells."""
    labels = list(mnist.train_labels)
    random.Random(1).shuffle(labels)
    own = replace(mnist, train_labels=bytes(labels))
    results = train(sabotage("torch"), "torch", own)
    assert set(failed(results)) <= {"train", "accuracy"}
    assert codes(results)
    assert set(codes(results)) == {"FW910"}


def test_a_hang_names_its_stage(mnist: Mnist, sabotage: Sabotage) -> None:
    code = "import time; task.Task.convolve = lambda self: time.sleep(600)"
    runtime = replace(sabotage("torch", code), timeout_s=20.0)
    found = failed(train(runtime, "torch", mnist))
    assert {s: r.kind for s, r in found.items()} == {"convolution": "timeout"}


def test_a_model_left_on_the_cpu_is_found(mnist: Mnist, sabotage: Sabotage) -> None:
    """A GPU was asked for; everything works, on the CPU."""
    code = """
    self.is_gpu = False
    self.device = "cpu"
    place = task.Task.place
    def lying(self):
        self.device = "cuda:0"
        try:
            return place(self)
        finally:
            self.device = "cpu"
    task.Task.place = lying
    """
    runtime = sabotage("torch", code)
    plan = Plan(
        framework="torch", device="cuda:0", presets=(PRESETS["mlp64"],), mnist=mnist
    )
    run = run_task(plan, runtime)
    (found,) = [r for r in run.results if r.status == "failed"]
    assert (found.stage, found.kind) == ("placement", "not-on-device")
    assert "7 of 7 tensors are not on cuda:0" in found.detail
    assert codes(run.results) == ["FW903"]


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_gpu_that_is_not_there_is_no_cpu_run(framework: str) -> None:
    """tf221 also lacks every GPU library."""
    prefix = str(Path(python_of(framework)).parent.parent)
    code, report, _ = smoke(framework, "--python", prefix, "--device", "cuda")
    assert code == 1
    results = {r["stage"]: r for r in report["snapshot"]["smoke"] if not r["preset"]}
    assert results["device"]["kind"] == "no-gpu"
    assert "FW903" in [f["code"] for f in report["findings"]]
    assert not any(
        r["status"] == "passed" for r in report["snapshot"]["smoke"] if r["preset"]
    )


def test_torch_without_numpy(mnist: Mnist, sabotage: Sabotage) -> None:
    before = "sys.modules['numpy'] = None"
    code = """
    try:
        import numpy
    except ImportError:
        self.journal.facts["without_numpy"] = True
    """
    plan = Plan(
        framework="torch", device="cpu", presets=(PRESETS["dense"],), mnist=mnist
    )
    run = run_task(plan, sabotage("torch", code, before))
    assert not run.is_failed, run.results
    assert run.facts["without_numpy"] is True


def interpreters() -> dict[str, str]:
    """Pythons found here, "3.6" to "3.13"."""
    found = {}
    for minor in range(6, 14):
        name = f"3.{minor}"
        path = shutil.which(f"python{name}")
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python"))
        if path and "shims" not in path:
            found[name] = path
        elif pyenv:
            found[name] = str(pyenv[-1])
    return found


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(6, 14)])
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_every_python_reads_the_task(
    version: str, framework: FrameworkName, mnist: Mnist
) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    plan = Plan(
        framework=framework, device="cpu", presets=(PRESETS["mlp50"],), mnist=mnist
    )
    run = run_task(plan, Runtime(python=python, timeout_s=60.0, env=dict(os.environ)))
    first = run.results[0]
    if first.status == "passed":
        pytest.skip(f"{framework} is installed for Python {version}")
    assert (first.stage, first.kind) == ("import", "missing"), first


def test_few_own_images_are_trained_and_not_judged(mnist: Mnist) -> None:
    """Sixty images teach nothing; that is not the framework's fault."""
    few = replace(
        mnist,
        train_images=mnist.train_images[: 60 * PIXELS],
        train_labels=mnist.train_labels[:60],
    )
    runtime = Runtime(
        python=python_of("torch"), timeout_s=TIMEOUT_S, env=dict(os.environ)
    )
    results = train(runtime, "torch", few, "mlp50")
    assert not failed(results)
    (accuracy,) = [r for r in results if r.stage == "accuracy"]
    assert accuracy.status == "skipped"
    assert "so few training images" in accuracy.detail


# Test accuracies that tutorials state, in percent, after the presets' epochs.
PUBLISHED = {
    ("torch", "dense"): 98.0,
    ("tensorflow", "dense"): 97.7,
    ("torch", "mlp50"): 91.0,
    ("tensorflow", "mlp50"): 91.0,
}


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_whole_set_reaches_the_published_accuracies(framework: str) -> None:
    data = os.environ.get("FWDOCTOR_MNIST")
    if not data:
        pytest.skip("FWDOCTOR_MNIST names no folder with the whole MNIST")
    prefix = str(Path(python_of(framework)).parent.parent)
    words = ("--device", "cpu", "--full", "--data", data, "--preset", "dense,mlp50")
    code, report, progress = smoke(framework, "--python", prefix, *words)
    assert code == 0, progress
    for result in report["snapshot"]["smoke"]:
        if result["stage"] == "accuracy":
            percent = float(result["detail"].partition(" %")[0])
            assert percent >= PUBLISHED[framework, result["preset"]] - 0.5


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_three_that_share_unevenly_train_as_one(
    framework: FrameworkName, mnist: Mnist
) -> None:
    """128 images are no multiple of 3; the losses must still be those of one device."""
    plan = Plan(
        framework=framework,
        device="cpu",
        presets=(PRESETS["dense"],),
        mnist=mnist,
        max_steps=20,
        world=3,
    )
    runtime = Runtime(
        python=python_of(framework), timeout_s=TIMEOUT_S, env=dict(os.environ)
    )
    run = run_together(plan, runtime)
    assert not run.is_failed, run.results
    reference = agreement.read_reference()
    found = agreement.compare(
        run.curves["dense"],
        reference.curves["dense"],
        "the reference",
        agreement.tolerance_for(reference, "dense"),
    )
    assert found.is_close, found.text
