"""Old install lines: taken apart, dated, judged, and put into today's words."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fwdoctor.matrices.load import Matrices
from fwdoctor.solve.install_line import InstallLine, Item, parse_install_lines
from fwdoctor.solve.translate import Translation, translate
from fwdoctor.target import parse_target

ADA = "gpu=RTX 4090,driver=550.54.14"


def only(text: str) -> InstallLine:
    (line,) = parse_install_lines(text)
    return line


def translated(text: str, matrices: Matrices, target: str = ADA) -> Translation:
    found = translate(only(text), parse_target(target, matrices), matrices)
    assert found is not None
    return found


# Taking apart


@pytest.mark.parametrize(
    "text",
    [
        "pip install torch==1.8.1+cu102",
        "$ pip3 install torch==1.8.1+cu102",
        "!pip install -q 'torch==1.8.1+cu102'",
        "%pip install torch==1.8.1+cu102  # a comment",
        "sudo -H python3.8 -m pip install --user torch==1.8.1+cu102",
        "RUN pip install --no-cache-dir \\\n    torch==1.8.1+cu102",
        "cd x && pip install torch===1.8.1+cu102 && ls",
    ],
)
def test_the_same_wish_in_many_dresses(text: str) -> None:
    line = only(text)
    assert line.tool == "pip"
    assert line.items == (Item(name="torch", spec="==1.8.1", label="cu102"),)


def test_conda_lines() -> None:
    line = only(
        "conda create -n x python=3.8 conda-forge::pytorch=1.8=py3.8_cuda10.2*"
        " cudatoolkit=10.2 -c pytorch --channel=nvidia -y"
    )
    assert (line.tool, line.python) == ("conda", "3.8")
    assert line.sources == ("pytorch", "nvidia")
    torch = line.find_item("pytorch")
    assert torch == Item(
        name="pytorch", spec="==1.8.*", build="py3.8_cuda10.2*", channel="conda-forge"
    )


def test_requirements_text_is_one_line_together() -> None:
    line = only(
        "# mine\n-f https://download.pytorch.org/whl/torch_stable.html\n"
        "torch==1.7.1+cu110\ntensorflow-gpu == 1.15\n"
        "numpy>=1.2 ; python_version > '3.6'\n"
    )
    assert line.tool == "requirements"
    assert [item.name for item in line.items] == ["torch", "tensorflow-gpu", "numpy"]
    assert line.sources == ("https://download.pytorch.org/whl/torch_stable.html",)


@pytest.mark.parametrize(
    "text", ["", "rm -rf /", "hello world", "pip --version", "conda activate x", "#"]
)
def test_other_text_is_no_install_line(text: str) -> None:
    assert parse_install_lines(text) == ()


def test_unknown_options_are_kept_by_name() -> None:
    assert only("pip install torch --frobnicate").unknown == ("--frobnicate",)


@given(st.text(max_size=200))
def test_arbitrary_text_never_raises(text: str) -> None:
    parse_install_lines(text)


SCRAPS = (
    "pip conda install torch==1.8 tensorflow-gpu -c pytorch -f --index-url ' = =="
    " torch===1.7.1+cu110 cudatoolkit=10.2 python=3.8 && ; +cu 1."
)
WORDS = st.sampled_from([*SCRAPS.split(), "\\\n"])


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=8).map(" ".join))
@example("torch==1.8 =")
@example("conda install pytorch=1.8= -c pytorch")
def test_scraps_of_lines_are_translated_or_passed_by(text: str) -> None:
    matrices = _MATRICES
    snapshot = parse_target(ADA, matrices)
    for line in parse_install_lines(text):
        translate(line, snapshot, matrices)


_MATRICES = Matrices()


# The six lines that tutorials still print


def test_anacondas_tensorflow_gpu(matrices: Matrices) -> None:
    found = translated("conda install -c anaconda tensorflow-gpu", matrices)
    assert "defaults" in found.eras[0].when
    assert found.plan.outcome == "complete"
    assert found.plan.environments[0].is_conda


def test_pytorch_with_cudatoolkit_10_2(matrices: Matrices) -> None:
    text = "conda install pytorch torchvision torchaudio cudatoolkit=10.2 -c pytorch"
    found = translated(text, matrices)
    (era,) = found.eras
    assert "for CUDA 10.2" in found.asked
    assert era.release == "1.12.1"
    assert "1.5.0 (2020-04) to 1.12.1 (2022-08)" in era.when
    assert found.works is False
    assert any("none of it for 8.9" in reason for reason in found.why)
    names = [pin.name for pin in found.plan.environments[0].pins]
    assert {"pytorch", "torchvision", "torchaudio", "cuda-version"} <= set(names)
    assert any("cudatoolkit is not used any more" in note for note in found.notes)
    assert any("the pytorch channel ended with torch 2.5.1" in n for n in found.notes)


def test_the_same_line_still_works_on_a_gpu_of_its_time(matrices: Matrices) -> None:
    text = "conda install pytorch torchvision cudatoolkit=10.2 -c pytorch"
    found = translated(text, matrices, "gpu=Tesla V100,driver=535.54.03")
    assert found.works is True


def test_pytorch_with_cudatoolkit_11_1_and_python_3_8(matrices: Matrices) -> None:
    text = (
        "conda install pytorch torchvision torchaudio cudatoolkit=11.1"
        " -c pytorch -c conda-forge python=3.8"
    )
    found = translated(text, matrices)
    assert "Python 3.8" in found.asked
    assert found.works is True
    assert found.eras[0].gives
    assert found.plan.environments[0].python != "3.8"


def test_tensorflow_from_conda_forge_with_python_3_8(matrices: Matrices) -> None:
    found = translated("conda install tensorflow -c conda-forge python=3.8", matrices)
    release = matrices.find_release("tensorflow", found.eras[0].release or "")
    assert release is not None
    assert any("3.8" in variant.python for variant in release.conda)
    newer = matrices.versions("tensorflow")
    assert newer.index(release.version) < len(newer) - 1
    assert found.plan.outcome == "complete"


def test_torch_1_8_1_for_cuda_10_2_by_pip(matrices: Matrices) -> None:
    text = (
        "pip install torch==1.8.1+cu102"
        " -f https://download.pytorch.org/whl/torch_stable.html"
    )
    found = translated(text, matrices)
    assert found.works is False
    assert found.eras[0].release == "1.8.1"
    assert "Python 3.6 to 3.9" in found.eras[0].gives
    assert found.kept is not None
    kept = found.kept.environments[0]
    assert kept.pins[0].version == "1.8.1"
    assert kept.pins[0].local_label != "cu102"
    assert kept.channels == ("https://download.pytorch.org/whl/torch_stable.html",)


def test_tensorflow_gpu_2_4(matrices: Matrices) -> None:
    found = translated("pip install tensorflow-gpu==2.4", matrices)
    assert found.works is False
    assert any("CUDA 11.0 and cuDNN 8.0" in reason for reason in found.why)
    assert any("ended on PyPI" in note for note in found.notes)
    pin = found.plan.environments[0].find_pin("tensorflow")
    assert pin is not None
    assert pin.extras == ("and-cuda",)


# Odd ones


@pytest.mark.parametrize(
    ("text", "cuda"),
    [
        ("conda install pytorch pytorch-cuda=11.8 -c pytorch -c nvidia", "11.8"),
        ("pip install torch===1.7.1+cu110", "11.0"),
        (
            "pip install torch --extra-index-url https://download.pytorch.org/whl/cu113",
            "11.3",
        ),
        ("uv pip install torch --torch-backend=cu126", "12.6"),
        ("conda install pytorch=1.8.1=py3.8_cuda11.1_cudnn8.0.5_0 -c pytorch", "11.1"),
    ],
)
def test_the_cuda_that_was_meant(text: str, cuda: str, matrices: Matrices) -> None:
    assert str(translated(text, matrices).eras[0].cuda) == cuda


def test_a_cuda_that_never_was(matrices: Matrices) -> None:
    found = translated("pip install torch==1.8.1+cu999", matrices)
    assert found.works is False
    assert "no build" in found.why[0]


def test_a_release_that_never_was(matrices: Matrices) -> None:
    found = translated("pip install torch==1.99", matrices)
    assert found.works is False
    assert "1.99" in found.why[0]
    assert found.kept is None


def test_cpu_lines_stay_on_the_cpu(matrices: Matrices) -> None:
    found = translated("conda install pytorch cpuonly -c pytorch", matrices)
    assert found.plan.environments[0].cuda is None


def test_without_a_gpu_some_gpu_is_planned_for(matrices: Matrices) -> None:
    found = translated("pip install tensorflow-gpu==2.4", matrices, "gpu=none")
    assert found.plan.environments[0].cuda is not None


def test_a_line_for_something_else_has_no_translation(matrices: Matrices) -> None:
    line = only("pip install numpy")
    assert translate(line, parse_target(ADA, matrices), matrices) is None
