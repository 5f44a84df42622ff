"""Which frameworks on which devices; skips, reasons, and comparing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fwdoctor.errors import UsageError
from fwdoctor.model.snapshot import Environment, Framework, Gpu, SmokeResult, Snapshot
from fwdoctor.smoke import agreement
from fwdoctor.smoke.dataset import Mnist
from fwdoctor.smoke.gpu_usage import GpuUsage
from fwdoctor.smoke.runner import Runtime
from fwdoctor.smoke.session import Bench, SmokeRequest, choose_device, run_smoke, wanted
from fwdoctor.smoke.summary import headline, with_observations
from tests.smoke.conftest import MakeRuntime

TARGET = Environment(
    prefix="/venv",
    is_target=True,
    torch=Framework(version="2.13.0", package="torch", kind="cuda"),
)
WITHOUT_GPU = Snapshot(gpus=(), pci=(), environments=(TARGET,))
WITH_GPU = replace(WITHOUT_GPU, gpus=(Gpu(index=0, name="NVIDIA H200"),))
# What a sound framework writes: the reference itself.
SOUND = f"""
    import json
    with open({agreement.REFERENCE_FILE!r}) as stream:
        reference = json.load(stream)["curves"]
    log.facts["device_count"] = 3
    for preset in log.plan["presets"]:
        name = preset["name"]
        log.curves[name] = reference[name]
        log.run("train", lambda: "loss falls on " + log.plan["device"], name)
        log.run("accuracy", lambda: "87 %", name)
    log.finish()
"""


def request(mnist: Mnist, **changes: object) -> SmokeRequest:
    plain = SmokeRequest(mnist=mnist, presets=("mlp50",), device="cpu")
    return replace(plain, **changes)  # type: ignore[arg-type]  # named by each test


def bench(runtime: Runtime, snapshot: Snapshot = WITHOUT_GPU) -> Bench:
    return Bench(snapshot=snapshot, runtime=runtime)


def stage(results: tuple[SmokeResult, ...], name: str) -> SmokeResult:
    (found,) = [r for r in results if r.stage == name]
    return found


@pytest.mark.parametrize(
    ("asked", "snapshot", "device"),
    [
        ("auto", WITHOUT_GPU, "cpu"),
        ("auto", WITH_GPU, "cuda:0"),
        ("auto", Snapshot(), "cpu"),
        ("cpu", WITH_GPU, "cpu"),
        ("cuda", WITHOUT_GPU, "cuda:0"),
        ("CUDA:2", WITHOUT_GPU, "cuda:2"),
    ],
)
def test_the_device(asked: str, snapshot: Snapshot, device: str) -> None:
    assert choose_device(asked, snapshot) == device


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "tpu", "cuda:-1", ""])
def test_a_device_that_cannot_be(asked: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        choose_device(asked, WITH_GPU)


def test_all_means_what_is_installed() -> None:
    assert wanted((), TARGET) == ("torch",)
    assert wanted(("tensorflow",), TARGET) == ("tensorflow",)
    assert wanted((), Environment(prefix="/venv")) == ("torch", "tensorflow")


def test_a_sound_run_on_the_cpu(mnist: Mnist, fake: MakeRuntime) -> None:
    results = run_smoke(request(mnist), bench(fake(SOUND)))
    assert stage(results, "losses-agree").status == "passed"
    skipped = stage(results, "gpu")
    assert (skipped.status, skipped.kind) == ("skipped", None)
    assert "no NVIDIA GPU found here" in skipped.detail
    assert headline(results).endswith("No GPU was tested.")


def test_a_required_gpu_makes_the_skip_a_failure(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    asked = request(mnist, require_gpu=True)
    found = stage(run_smoke(asked, bench(fake(SOUND))), "gpu")
    assert (found.status, found.kind) == ("failed", "no-gpu")


def test_a_gpu_that_is_not_seen_is_explained_by_check(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    text = """
    def fail():
        raise notes.Failure("no-gpu", "torch.cuda.is_available() is False")
    log.run("device", fail)
    """
    here = replace(
        bench(fake(text), WITH_GPU),
        why_no_gpu={"torch": "FW111 driver-too-old: driver 535 is too old"},
    )
    found = stage(run_smoke(request(mnist, device="auto"), here), "device")
    assert found.kind == "no-gpu"
    assert "is_available() is False; FW111 driver-too-old" in found.detail


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("[loss + 0.05 for loss in reference[name]]", "first loss"),
        ("[reference[name][0]] * 96", "part from the float64 reference"),
        ("reference[name][:50] + [float('nan')] * 46", "step 51"),
    ],
    ids=["other-start", "flat", "nan"],
)
def test_wrong_numbers_are_not_did_not_run(
    mnist: Mnist, fake: MakeRuntime, change: str, says: str
) -> None:
    text = SOUND.replace(
        "log.curves[name] = reference[name]",
        f"log.curves[name] = [notes.plain(loss) for loss in {change}]",
    )
    found = stage(run_smoke(request(mnist), bench(fake(text))), "losses-agree")
    assert (found.status, found.kind) == ("failed", "wrong-numbers")
    assert says in found.detail


def test_both_frameworks_are_compared(
    mnist: Mnist, fake: MakeRuntime, tmp_path: Path
) -> None:
    other = "[loss * 1.00001 - 0.02 * (n > 40) for n, loss in enumerate({})]"
    text = SOUND.replace(
        "log.curves[name] = reference[name]",
        "log.curves[name] = reference[name] if log.plan['framework'] == 'torch' else "
        + other.format("reference[name]"),
    )
    script = fake(text).scripts["torch"]
    both = replace(fake(text), scripts={"torch": script, "tensorflow": script})
    asked = request(mnist, frameworks=("torch", "tensorflow"))
    results = run_smoke(asked, bench(both))
    found = stage(results, "frameworks-agree")
    assert (found.framework, found.kind) == ("tensorflow", "wrong-numbers")
    assert "part from PyTorch's at step 41" in found.detail


def test_own_images_have_no_reference_on_the_cpu(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    own = replace(mnist, train_labels=bytes(reversed(mnist.train_labels)))
    found = stage(run_smoke(request(own), bench(fake(SOUND))), "losses-agree")
    assert found.status == "skipped"


def test_own_images_on_a_gpu_are_compared_with_the_cpu(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    """A GPU that computes something else than the CPU is found without a reference."""
    own = replace(mnist, train_labels=bytes(reversed(mnist.train_labels)))
    text = SOUND.replace(
        "log.curves[name] = reference[name]",
        "log.curves[name] = [loss + 0.1 * (log.plan['device'] != 'cpu') * (n > 15)"
        " for n, loss in enumerate(reference[name])][:log.plan['max_steps']]",
    )
    asked = request(own, device="cuda")
    results = run_smoke(asked, bench(fake(text), WITH_GPU))
    found = stage(results, "losses-agree")
    assert found.kind == "wrong-numbers"
    assert "the same steps on the CPU at step 11" in found.detail


def test_all_gpus_train_alone_and_then_together(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    runtime = fake(SOUND)
    script = runtime.scripts["torch"]
    runtime = replace(runtime, scripts={"torch": script, "torch together": script})
    asked = request(mnist, device="cuda", all_gpus=True)
    results = run_smoke(asked, bench(runtime, WITH_GPU))
    trained = [r.device for r in results if r.stage == "train"]
    together = "cuda:0+cuda:1+cuda:2"
    assert trained == ["cuda:0", "cuda:1", "cuda:2", together]
    agreed = [r.device for r in results if r.stage == "losses-agree"]
    assert agreed == trained


def test_one_gpu_has_nothing_to_train_together_with(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    text = SOUND.replace('log.facts["device_count"] = 3', "")
    asked = request(mnist, device="cuda", all_gpus=True)
    results = run_smoke(asked, bench(fake(text), WITH_GPU))
    assert stage(results, "together").status == "skipped"


def test_a_gpu_that_trained_counts_as_seen_working(
    mnist: Mnist, fake: MakeRuntime
) -> None:
    results = run_smoke(request(mnist, device="cuda"), bench(fake(SOUND), WITH_GPU))
    seen = with_observations(replace(WITH_GPU, smoke=results)).target
    assert seen is not None
    assert seen.torch is not None
    assert seen.torch.deep is not None
    assert seen.torch.deep.gpu_available is True
    on_cpu = run_smoke(request(mnist), bench(fake(SOUND)))
    unseen = with_observations(replace(WITH_GPU, smoke=on_cpu)).target
    assert unseen is not None
    assert unseen.torch is not None
    assert unseen.torch.deep is None


def test_what_nvml_says_is_kept_at_its_highest() -> None:
    usage = GpuUsage(env={})
    entry = '{"gpus": [{"gpu": 1, "memory_bytes": %d, "utilisation": %s}]}'
    usage.take(entry % (512 * 2**20, "null"))
    usage.take(entry % (256 * 2**20, "37"))
    assert usage.text == "NVML sees the process on GPU 1, 512 MiB, 37 % busy"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"gpus": []}', "does not name the process"),
        ("", "did not answer libnvidia-ml.so.1 not found"),
        ("[]", "did not answer"),
    ],
)
def test_what_nvml_does_not_say_is_no_proof(answer: str, says: str) -> None:
    usage = GpuUsage(env={})
    usage.take(answer, "Traceback\nlibnvidia-ml.so.1 not found")
    assert usage.gpu is None
    assert says in usage.text


def test_without_results_there_is_nothing_to_say() -> None:
    assert headline(()) == "Nothing was tested."
