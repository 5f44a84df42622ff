"""Plans: the promise over a grid of machines, and single decisions by name."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fwdoctor.errors import SolveError, UsageError
from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.plan import Plan
from fwdoctor.model.snapshot import Snapshot
from fwdoctor.solve.apply import apply_plan
from fwdoctor.solve.planner import NotEnoughFactsError, solve
from fwdoctor.solve.requests import parse_request
from fwdoctor.target import parse_target
from tests.solve import grid


def plan_for(
    matrices: Matrices,
    target: str,
    *frameworks: str,
    constraints: tuple[str, ...] = (),
    companions: tuple[str, ...] = (),
    manager: str | None = None,
    python: str | None = None,
    prefer: str = "newest",
) -> Plan:
    request = parse_request(
        matrices,
        frameworks=frameworks,
        constraints=constraints,
        companions=companions,
        manager=manager,
        python=python,
        prefer=prefer,
    )
    return solve(parse_target(target, matrices), matrices, request)


def pins(plan: Plan, number: int = 0) -> dict[str, str]:
    return {pin.name: pin.full_version for pin in plan.environments[number].pins}


def assert_clean(point: grid.Point, matrices: Matrices) -> Plan:
    gpu, driver, python, frameworks = point
    target = f"gpu={gpu},driver={driver},python={python}"
    snapshot = parse_target(target, matrices)
    request = parse_request(matrices, frameworks=frameworks, python=python)
    plan = solve(snapshot, matrices, request)
    for applied in apply_plan(snapshot, plan, matrices):
        report = judge(applied, matrices)
        errors = [f for f in report.findings if f.severity == "error"]
        assert not errors, (plan.headline, errors)
        for name, verdict in report.frameworks.items():
            assert verdict.gpu_usable is True, (plan.headline, name, verdict.reason)
    served = {name for env in plan.environments for name in env.frameworks}
    assert served | set(plan.missing) == set(frameworks)
    assert not served & set(plan.missing)
    assert all(env.python == python for env in plan.environments)
    assert (plan.outcome == "complete") == (not plan.missing)
    if plan.missing:
        assert plan.changes, f"{grid.named(point)}: an answer without a way out"
    majors_never_mixed(plan)
    return plan


def majors_never_mixed(plan: Plan) -> None:
    for environment in plan.environments:
        names = [pin.name for pin in environment.pins]
        majors = {name.rpartition("-cu")[2] for name in names if "-cu1" in name}
        assert len(majors) <= 1, names


@pytest.mark.property
def test_every_plan_of_the_grid_is_judged_clean(matrices: Matrices) -> None:
    outcomes = {assert_clean(point, matrices).outcome for point in grid.part()}
    assert outcomes == {"complete", "partial", "impossible"}


@pytest.mark.slow
@pytest.mark.property
@pytest.mark.parametrize("gpu", grid.GPUS)
def test_every_plan_of_the_whole_grid_is_judged_clean(
    gpu: str, matrices: Matrices
) -> None:
    for point in grid.whole():
        if point[0] == gpu:
            assert_clean(point, matrices)


def test_the_clean_check_can_fail(matrices: Matrices) -> None:
    """Another machine's plan is found out: the property is not empty."""
    good = plan_for(matrices, "gpu=RTX 4090,driver=580", "torch")
    old = parse_target("gpu=Tesla V100,driver=535", matrices)
    (applied,) = apply_plan(old, good, matrices)
    codes = {f.code for f in judge(applied, matrices).findings}
    assert {"FW111", "FW403"} & codes


def test_plans_are_the_same_each_time(matrices: Matrices) -> None:
    target = "gpu=RTX 4090,driver=550"
    assert plan_for(matrices, target) == plan_for(Matrices(), target)


@pytest.mark.parametrize(
    ("wish", "python", "is_bounded"),
    [
        ("tensorflow==2.14.0", "3.11", True),  # numpy>=1.23.5
        ("tensorflow==2.10.1", "3.10", True),  # numpy>=1.20
        ("torch==1.13.1", "3.10", True),  # names no NumPy at all
        ("tensorflow==2.15.1", "3.11", False),  # numpy>=1.23.5,<2.0.0
        ("torch==2.9.1", "3.12", False),  # made for NumPy 2
    ],
)
def test_numpy_1_for_what_was_compiled_for_it(
    matrices: Matrices, wish: str, python: str, is_bounded: bool
) -> None:
    framework = wish.partition("==")[0]
    plan = plan_for(matrices, "gpu=none", framework, constraints=(wish,), python=python)
    (environment,) = plan.environments
    numpy = environment.find_pin("numpy")
    assert (numpy is not None and numpy.version == "<2") == is_bounded


# The GPU decides, not the driver alone


def test_volta_on_a_new_driver_gets_cuda_12_from_pytorchs_index(
    matrices: Matrices,
) -> None:
    plan = plan_for(matrices, "gpu=Tesla V100,driver=580", "torch")
    (environment,) = plan.environments
    torch = environment.find_pin("torch")
    assert torch is not None
    assert environment.cuda is not None
    assert environment.cuda.major == 12
    assert torch.local_label is not None
    assert torch.index.endswith(torch.local_label)
    reasons = [p for p in plan.passed_over if p.kind == "gpu"]
    assert reasons
    assert all("7.0" in p.reason for p in reasons)


def test_newer_releases_are_passed_over_for_the_driver(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=RTX 4090,driver=550.54.14", "torch")
    assert {p.kind for p in plan.passed_over} >= {"driver"}
    assert all("580" in p.reason for p in plan.passed_over if p.kind == "driver")


def test_several_gpus_are_all_served(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=GTX 1080,RTX 4090,driver=580", "torch")
    assert plan.left_out == ()
    release = matrices.find_release("torch", plan.environments[0].pins[0].version)
    assert release is not None


def test_a_gpu_no_common_build_serves_is_named(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=Tesla K80,RTX 4090,driver=470", "torch")
    assert plan.outcome == "complete"
    assert [gpu for gpu in plan.left_out if "4090" in gpu]
    assert "for Tesla K80, driver 470; " in plan.headline
    assert plan.headline.endswith("RTX 4090 is left out.")


@pytest.mark.parametrize("driver", ["450.51.05", "450.51", "450.36.06"])
def test_the_first_drivers_of_a_branch_have_no_minor_version_compatibility(
    driver: str, matrices: Matrices
) -> None:
    plan = plan_for(matrices, f"gpu=T4,driver={driver},python=3.8", "torch")
    (environment,) = plan.environments
    installed = parse_target(f"gpu=T4,driver={driver}", matrices).driver.version
    assert environment.least_driver is not None
    assert installed is not None
    assert environment.least_driver <= installed


@pytest.mark.parametrize("driver", ["450", "450.80.02"])
def test_a_branch_and_its_later_drivers_have_it(
    driver: str, matrices: Matrices
) -> None:
    plan = plan_for(matrices, f"gpu=T4,driver={driver},python=3.8", "torch")
    assert plan.environments[0].cuda is not None
    assert plan.environments[0].cuda.major == 11


def test_two_conda_environments_are_no_surer_than_one(matrices: Matrices) -> None:
    target = "gpu=GTX 1080,RTX 5090,driver=580,python=3.12"
    plan = plan_for(matrices, target, "both")
    (environment,) = plan.environments
    assert set(environment.frameworks) == {"torch", "tensorflow"}
    assert plan.left_out == ()


def test_native_code_is_preferred_when_asked(matrices: Matrices) -> None:
    target = "gpu=H100,driver=570"
    newest = plan_for(matrices, target, "tensorflow")
    native = plan_for(matrices, target, "tensorflow", prefer="native")
    assert newest.environments[0].manager == "pip"
    assert any("compiles" in note for note in newest.notes)
    assert native.environments[0].manager == "conda"
    assert not any("compiles" in note for note in native.notes)


def test_native_is_given_up_with_a_word_when_there_is_none(matrices: Matrices) -> None:
    target = "gpu=H100,driver=570"
    plan = plan_for(matrices, target, "tensorflow", prefer="native", manager="pip")
    assert plan.outcome == "complete"
    assert any("no build has native code" in note for note in plan.notes)


# cuDNN


@pytest.mark.parametrize("gpu", ["GTX 1080", "Tesla P100", "Tesla V100"])
def test_cudnn_is_held_for_gpus_that_newer_ones_dropped(
    gpu: str, matrices: Matrices
) -> None:
    plan = plan_for(matrices, f"gpu={gpu},driver=535", "tensorflow", manager="pip")
    held = pins(plan)["nvidia-cudnn-cu12"]
    line = matrices.find_cudnn(held)
    gpu_model = matrices.find_gpu(gpu)
    assert line is not None
    assert gpu_model is not None
    assert min(line.compute_capabilities) <= gpu_model.compute_capability


def test_cudnn_is_left_alone_for_gpus_it_serves(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=Tesla T4,driver=535", "tensorflow")
    assert list(pins(plan)) == ["tensorflow"]


def test_without_the_pin_the_rules_would_complain(matrices: Matrices) -> None:
    snapshot = parse_target("gpu=Tesla V100,driver=535", matrices)
    request = parse_request(matrices, frameworks=("tensorflow",), manager="pip")
    plan = solve(snapshot, matrices, request)
    (environment,) = plan.environments
    bare = replace(
        environment, pins=tuple(p for p in environment.pins if p.name == "tensorflow")
    )
    (applied,) = apply_plan(snapshot, replace(plan, environments=(bare,)), matrices)
    assert "FW303" in {f.code for f in judge(applied, matrices).findings}


# Releases to avoid


def test_releases_that_do_not_find_their_libraries_are_avoided(
    matrices: Matrices,
) -> None:
    plan = plan_for(matrices, "gpu=RTX 4090,driver=580", "tensorflow", manager="pip")
    lame = {r.version for r in matrices.releases("tensorflow") if r.runpath_lacks}
    assert lame
    assert pins(plan)["tensorflow"] not in lame
    loader = [p for p in plan.passed_over if p.kind == "loader"]
    assert loader
    assert all(p.version in lame and "cusolver" in p.reason for p in loader)


def test_pre_releases_are_never_taken(matrices: Matrices) -> None:
    target = "gpu=RTX 4090,driver=580,python=3.14"
    plan = plan_for(matrices, target, "tensorflow", python="3.14")
    assert plan.outcome == "impossible"
    assert any("no final release for Python 3.14" in note for note in plan.notes)
    assert any(change.kind == "python" for change in plan.changes)


def test_a_python_that_was_only_found_may_change(matrices: Matrices) -> None:
    target = "gpu=RTX 4090,driver=580,python=3.14"
    plan = plan_for(matrices, target, "tensorflow")
    assert plan.outcome == "complete"
    assert plan.environments[0].python != "3.14"
    assert any("make a new one" in note for note in plan.notes)


# Both frameworks


def test_both_come_from_a_pair_measured_clean(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=RTX 4090,driver=580")
    assert len(plan.environments) == 1
    chosen = pins(plan)
    pair = (chosen["torch"], chosen["tensorflow"])
    clean = {
        (p.torch, p.tensorflow)
        for p in matrices.pairs()
        if p.outcome == "clean" and p.extra == "and-cuda"
    }
    assert pair in clean
    assert any("overwrite" in p.reason for p in plan.passed_over if p.kind == "pair")
    assert any("torch could be" in note for note in plan.notes)


def test_what_is_not_measured_is_called_inferred(matrices: Matrices) -> None:
    plan = plan_for(
        matrices,
        "gpu=RTX 4090,driver=580",
        "torch",
        "tensorflow",
        constraints=("torch>=2.11",),
        manager="pip",
    )
    (environment,) = plan.environments
    assert environment.cuda is not None
    assert environment.cuda.major == 12
    assert any("inferred" in reason for reason in environment.why)


def test_pins_that_collide_are_named_when_apart(matrices: Matrices) -> None:
    plan = plan_for(
        matrices,
        "gpu=RTX 4090,driver=550",
        constraints=("torch==2.6.0", "tensorflow==2.19.1"),
        manager="pip",
    )
    assert len(plan.environments) == 2
    assert any("nvidia-nvjitlink-cu12" in n or "collide" in n for n in plan.notes)


def test_conda_takes_both_for_one_cuda(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=RTX 5090,driver=580", manager="conda")
    (environment,) = plan.environments
    assert environment.channels == ("conda-forge",)
    assert environment.virtual_packages["__cuda"] == "13.0"
    cuda = environment.find_pin("cuda-version")
    assert cuda is not None
    assert cuda.version == str(environment.cuda)


def test_tensorrt_of_the_extra_is_left_out(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=Tesla K80,driver=470", "tensorflow")
    chosen = pins(plan)
    tensorflow = plan.environments[0].find_pin("tensorflow")
    assert tensorflow is not None
    assert tensorflow.extras == ()
    assert "tensorrt" not in chosen
    assert chosen["nvidia-cudnn-cu11"].startswith("8.")


# Partners


def test_partners_come_from_the_same_index(matrices: Matrices) -> None:
    plan = plan_for(
        matrices,
        "gpu=Tesla V100,driver=535",
        "torch",
        companions=("torchvision", "torchaudio"),
    )
    torch, vision = (
        plan.environments[0].find_pin(name) for name in ("torch", "torchvision")
    )
    assert torch is not None
    assert vision is not None
    assert vision.index == torch.index
    assert vision.local_label == torch.local_label


# When nothing fits


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ("gpu=RTX 5090,driver=550", "driver", "R570"),
        ("gpu=Tesla K80,driver=535", "driver", "R470"),
        ("gpu=RTX 4090,driver=560.76,os=windows", "platform", "WSL"),
    ],
)
def test_the_smallest_change_is_offered(
    target: str, kind: str, words: str, matrices: Matrices
) -> None:
    plan = plan_for(matrices, target, "tensorflow", manager="pip")
    assert plan.outcome == "impossible"
    offered = [change for change in plan.changes if change.kind == kind]
    assert any(words in change.what for change in offered)


@pytest.mark.parametrize(
    ("driver", "constraint", "branch"),
    [("470", "torch>=2.10", "R525"), ("418.39", "torch>=1.10,<1.13", "R440")],
)
def test_the_upgrade_is_to_the_first_branch_that_will_do(
    driver: str, constraint: str, branch: str, matrices: Matrices
) -> None:
    target = f"gpu=T4,driver={driver}"
    plan = plan_for(matrices, target, "torch", constraints=(constraint,))
    assert any(f"to {branch} or newer" in change.what for change in plan.changes)


def test_wsl_is_offered_with_another_manager_where_it_takes_both(
    matrices: Matrices,
) -> None:
    target = "gpu=RTX 5090,driver=581.15,os=windows"
    plan = plan_for(matrices, target, "tensorflow", manager="pip")
    assert any("WSL 2" in c.what and "pip" in c.what for c in plan.changes)


def test_another_channel_is_offered(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=RTX 5090,driver=580", "tensorflow", manager="pip")
    assert plan.outcome == "impossible"
    change = next(c for c in plan.changes if c.kind == "channel")
    assert "conda-forge" in change.what


def test_a_constraint_that_cannot_be_kept_is_named(matrices: Matrices) -> None:
    target = "gpu=Tesla V100,driver=535"
    plan = plan_for(matrices, target, constraints=("torch>=2.15",))
    assert plan.outcome == "impossible"
    change = next(c for c in plan.changes if c.kind == "constraint")
    assert "torch>=2.15" in change.what
    assert change.gives.startswith("torch 2.14")


def test_the_cuda_of_a_target_is_what_its_driver_speaks(matrices: Matrices) -> None:
    for target in ("gpu=RTX 4090,cuda=12.4", "cuda=12.4,gpu=RTX 4090", "cuda=12.4"):
        plan = plan_for(matrices, target, "torch")
        assert str(plan.target.driver_cuda) == "12.4"
        assert plan.environments[0].cuda is not None
        assert plan.environments[0].cuda.major == 12


@pytest.mark.parametrize("target", ["gpu=none,driver=550", "driver=550,gpu=none"])
def test_no_gpu_is_no_gpu_whatever_the_driver(target: str, matrices: Matrices) -> None:
    plan = plan_for(matrices, target, "torch")
    assert plan.environments[0].cuda is None
    assert "without an NVIDIA GPU" in plan.headline


def test_a_framework_alone_is_no_constraint_but_a_wish(matrices: Matrices) -> None:
    request = parse_request(matrices, constraints=["PyTorch"])
    assert (request.frameworks, request.constraints) == (("torch",), {})


def test_a_label_in_a_constraint_is_explained(matrices: Matrices) -> None:
    with pytest.raises(SolveError) as caught:
        parse_request(matrices, constraints=["torch==2.5.1+cu124"])
    assert "label" in (caught.value.hint or "")


def test_a_jetson_gets_the_channels_builds_for_it(matrices: Matrices) -> None:
    from fwdoctor.solve.commands import install_commands

    target = "gpu=Jetson AGX Orin,driver=540.4.0,arch=aarch64,python=3.10"
    (environment,) = plan_for(matrices, target, "torch").environments
    assert '"arm-variant=*=tegra"' in " ".join(install_commands(environment))
    server = "gpu=GH200,driver=560.35.03,arch=aarch64,python=3.10"
    plan = plan_for(matrices, server, "torch", manager="conda")
    assert plan.environments[0].find_pin("arm-variant") is None


def test_no_gpu_means_cpu_builds(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=none")
    (environment,) = plan.environments
    assert environment.cuda is None
    assert pins(plan)["torch"].endswith("+cpu")


def test_unknown_gpu_facts_are_an_error_of_their_own(matrices: Matrices) -> None:
    with pytest.raises(NotEnoughFactsError):
        solve(Snapshot(), matrices, parse_request(matrices))


def test_an_old_glibc_is_respected(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=Tesla T4,driver=535,glibc=2.17", "torch")
    release = matrices.find_release("torch", plan.environments[0].pins[0].version)
    assert release is not None
    assert release.glibc_min == "2.17"


def test_aarch64_gets_its_own_builds(matrices: Matrices) -> None:
    plan = plan_for(matrices, "gpu=GH200,driver=580,arch=aarch64", "torch")
    assert plan.target.platform == "linux-aarch64"
    assert plan.outcome == "complete"


# What cannot be understood


@pytest.mark.parametrize(
    "target",
    [
        "driver=abc",
        "gpu=RTX 9999",
        "driver=9999.1",
        "nonsense=1",
        "",
        "gpu=T4,gpu=V100",
        "gpu=T4,arch=sparc",
        "gpu=T4,os=plan9",
    ],
)
def test_nonsense_targets_are_usage_errors(target: str, matrices: Matrices) -> None:
    with pytest.raises(UsageError):
        parse_target(target, matrices)


@pytest.mark.parametrize(
    "wish",
    [
        {"constraints": ("torch>=99",)},
        {"constraints": ("jax>=0.4",)},
        {"constraints": ("torch>>2",)},
        {"python": "2.7"},
        {"python": "3.99"},
        {"manager": "brew"},
        {"frameworks": ("caffe",)},
        {"companions": ("torchtext",)},
        {"prefer": "oldest"},
    ],
)
def test_nonsense_requests_are_solve_errors(
    wish: dict[str, str], matrices: Matrices
) -> None:
    with pytest.raises(SolveError):
        parse_request(matrices, **wish)


def test_a_driver_branch_alone_is_enough(matrices: Matrices) -> None:
    snapshot = parse_target("T4,driver=535", matrices)
    assert str(snapshot.driver.version) == "535"
    assert str(snapshot.driver.cuda_driver_version) == "12.2"


def test_a_plan_takes_a_tenth_of_a_second(matrices: Matrices) -> None:
    begun = time.perf_counter()
    plan_for(Matrices(), "gpu=RTX 4090,driver=550")
    assert time.perf_counter() - begun < 15  # a wide guard
