"""A child that dies, hangs or chatters: its stage is named and nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from fwdoctor.model.snapshot import SmokeResult
from fwdoctor.smoke.outcome import TaskRun, stages_of
from fwdoctor.smoke.plan import Plan
from fwdoctor.smoke.runner import Runtime, child_env, run_task, run_together
from tests.smoke.conftest import HEAD, MakeRuntime


def failure_of(run: TaskRun) -> SmokeResult:
    failed = [result for result in run.results if result.status == "failed"]
    assert len(failed) == 1, run.results
    return failed[0]


def test_a_whole_run_is_read_back(plan: Plan, fake: MakeRuntime) -> None:
    text = """
    log.run("train", lambda: "fine", "mlp50")
    log.curves["mlp50"] = [2.3, 2.2, "nan"]
    log.facts["version"] = "1.0"
    log.finish()
    """
    run = run_task(plan, fake(text))
    passed = [r for r in run.results if r.status == "passed"]
    assert [(r.stage, r.preset) for r in passed] == [
        ("import", None),
        ("train", "mlp50"),
    ]
    assert not run.is_failed
    assert run.curves["mlp50"][:2] == (2.3, 2.2)
    assert run.curves["mlp50"][2] != run.curves["mlp50"][2], "not a number"
    assert run.facts["version"] == "1.0"


@pytest.mark.parametrize(
    ("text", "kind", "signal_name", "detail"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "SIGSEGV", "SIGSEGV"),
        ("os.abort()", "crashed", "SIGABRT", "SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "SIGKILL", "memory"),
        ("os._exit(7)", "error", None, "exit status 7"),
        ("os._exit(0)", "error", None, "before its work was done"),
        ("time.sleep(60)", "timeout", None, "no answer in 1 s"),
    ],
    ids=["segfault", "abort", "oom-kill", "exit", "early-end", "hang"],
)
def test_the_stage_of_a_death_is_named(
    plan: Plan,
    fake: MakeRuntime,
    text: str,
    kind: str,
    signal_name: str | None,
    detail: str,
) -> None:
    runtime = fake(f'log.run("matmul", lambda: {text})', timeout_s=1.0)
    run = run_task(plan, runtime)
    failed = failure_of(run)
    assert (failed.stage, failed.kind, failed.signal) == ("matmul", kind, signal_name)
    assert detail in failed.detail
    missed = [r for r in run.results if r.status == "skipped"]
    assert {r.stage for r in missed} >= {"convolution", "train", "accuracy"}
    assert all(r.detail == "not reached: matmul failed" for r in missed)
    assert len(run.results) == len(stages_of(plan)), "every stage is told of"


def test_a_crash_while_training_says_how_far_it_was(
    plan: Plan, fake: MakeRuntime
) -> None:
    text = """
    def die():
        log.progress(2, 3, 0.5)
        sys.stderr.write("Fatal: device-side assert\\n"); sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    log.run("train", die, "mlp50")
    """
    failed = failure_of(run_task(plan, fake(text)))
    assert (failed.stage, failed.preset) == ("train", "mlp50")
    assert "device-side assert, after epoch 2 of 3" in failed.detail


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        ("RuntimeError('CUDA error: an illegal memory access')", "error"),
        ("RuntimeError('CUDA out of memory. Tried to allocate')", "out-of-memory"),
        ("MemoryError()", "out-of-memory"),
        ("ModuleNotFoundError('No module', name='torch')", "missing"),
        ("ModuleNotFoundError('No module', name='sympy')", "error"),
        ("SystemExit(0)", "error"),
        ("notes.Failure('wrong-numbers', 'off')", "wrong-numbers"),
    ],
)
def test_exceptions_have_kinds(
    plan: Plan, fake: MakeRuntime, raised: str, kind: str
) -> None:
    text = f"""
    def fail():
        raise {raised}
    log.run("allocate", fail)
    """
    assert failure_of(run_task(plan, fake(text))).kind == kind


def test_noise_on_stdout_is_no_answer(plan: Plan, fake: MakeRuntime) -> None:
    text = """
    print('{"is_finished": true, "results": [{"stage": "train", "status": "passed"}]}')
    print("{" * 100000)
    os.write(1, b"\\xff\\x00" * 1000)
    os._exit(0)
    """
    run = run_task(plan, fake(text))
    assert failure_of(run).detail == "it ended before its work was done"
    assert all(r.status == "skipped" for r in run.results if r.stage == "train")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "nonsense",
        '{"results": 5, "facts": [], "curves": 1, "stage": "x"}',
        '{"results": [1, {"stage": 3, "status": "passed"}, {"stage": "a"}]}',
        '{"results": [{"stage": "a", "status": "passed", "seconds": "x", "kind": 5}]}',
        '{"curves": {"mlp50": ["a"], "b": [[]], "c": 1}, "is_finished": 0}',
    ],
)
def test_a_wild_result_file_is_no_crash(
    plan: Plan, fake: MakeRuntime, text: str
) -> None:
    code = f"""
    open(os.path.join(log.folder, "result.json"), "w").write({text!r})
    os._exit(0)
    """
    assert run_task(plan, fake(code)).is_failed


def test_an_interpreter_that_is_not_there(plan: Plan) -> None:
    run = run_task(plan, Runtime(python="/nowhere/python", timeout_s=5.0))
    assert failure_of(run).stage == "start"
    assert "not found" in failure_of(run).detail


def test_the_listener_hears_of_stages(plan: Plan, fake: MakeRuntime) -> None:
    heard: list[object] = []
    text = """
    log.run("train", lambda: time.sleep(0.5), "mlp50")
    log.finish()
    """
    run_task(plan, fake(text), lambda record: heard.append(record.get("stage")))
    assert {"name": "train", "preset": "mlp50"} in heard
    assert heard[-1] == {"name": "done", "preset": None}


def test_caches_of_the_child_lie_in_its_own_folder() -> None:
    env = child_env({"HOME": "/home/ada", "OMP_WAIT_POLICY": "ACTIVE"}, "/tmp/x")
    assert env["HOME"] == "/home/ada"
    assert env["OMP_WAIT_POLICY"] == "ACTIVE", "the user's choice counts"
    for name in ("KERAS_HOME", "TMPDIR", "TRITON_CACHE_DIR"):
        assert env[name].startswith("/tmp/x")


INTERRUPTED = """
    import sys
    from fwdoctor.smoke.dataset import read_bundled
    from fwdoctor.smoke.plan import Plan
    from fwdoctor.smoke.presets import PRESETS
    from fwdoctor.smoke.runner import Runtime, run_task, run_together

    plan = Plan(framework="torch", device="cpu", presets=(PRESETS["mlp50"],),
                mnist=read_bundled(), world=int(sys.argv[2]))
    runtime = Runtime(python=sys.executable, timeout_s=60.0, env={"MARK": sys.argv[3]},
                      scripts={"torch": sys.argv[1], "torch together": sys.argv[1]})
    try:
        (run_together if plan.world > 1 else run_task)(plan, runtime)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def marked_processes(mark: str) -> list[str]:
    """Processes with MARK=mark among their variables."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"MARK={mark}".encode() in variables:
            found.append(entry.name)
    return found


def wait_for(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("world", [1, 2], ids=["alone", "together"])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, world: int) -> None:
    """Not the child, not the child's own child, not the folder."""
    task = tmp_path / "task.py"
    grandchild = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    task.write_text(
        f"{HEAD}\nimport subprocess\n"
        f"log.run('train', lambda: subprocess.call({grandchild}), 'mlp50')\n",
        "utf-8",
    )
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(INTERRUPTED), "utf-8")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    mark = f"smoke-{os.getpid()}-{world}"
    process = subprocess.Popen(
        [sys.executable, str(program), str(task), str(world), mark],
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        wait_for(lambda: len(marked_processes(mark)) == 2 * world)
        assert list(temporary.iterdir())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
    wait_for(lambda: not marked_processes(mark))
    assert not list(temporary.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="a feature of Linux")
def test_a_killed_parent_takes_the_child_with_it(tmp_path: Path) -> None:
    task = tmp_path / "task.py"
    task.write_text(f"{HEAD}\ntime.sleep(60)\n", "utf-8")
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(INTERRUPTED), "utf-8")
    mark = f"smoke-{os.getpid()}-killed"
    process = subprocess.Popen(
        [sys.executable, str(program), str(task), "1", mark],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        wait_for(lambda: len(marked_processes(mark)) == 1)
        wait_for(lambda: list(tmp_path.glob("fwdoctor-*/result.json")))
    finally:
        process.kill()
    process.wait(20)
    wait_for(lambda: not marked_processes(mark))


TOGETHER = """
    rank = log.plan["rank"]
    log.run("device", lambda: os.environ["RANK"] + "/" + os.environ["WORLD_SIZE"])
    {}
    log.run("all-reduce", lambda: log.plan["rendezvous"])
    log.run("together", lambda: "rank {{}}".format(rank), "mlp50")
    log.finish()
"""


def together(plan: Plan, fake: MakeRuntime, text: str) -> TaskRun:
    pair = Plan(
        framework="torch",
        device="cpu",
        presets=plan.presets,
        mnist=plan.mnist,
        world=2,
    )
    return run_together(pair, fake(TOGETHER.format(text), name="torch together"))


def test_processes_together_know_their_rank(plan: Plan, fake: MakeRuntime) -> None:
    run = together(plan, fake, "")
    assert not run.is_failed
    details = {result.stage: result.detail for result in run.results}
    assert details["device"] == "0/2"
    assert details["together"] == "rank 0"
    assert {result.device for result in run.results} == {"cpu+cpu"}


def test_one_process_of_two_that_dies_is_the_answer(
    plan: Plan, fake: MakeRuntime
) -> None:
    text = 'rank and log.run("all-reduce", lambda: os.kill(os.getpid(), 11))'
    run = together(plan, fake, text)
    assert failure_of(run).stage == "all-reduce"
    assert failure_of(run).signal == "SIGSEGV"
