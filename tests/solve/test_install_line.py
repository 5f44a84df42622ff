"""Install lines as pages, prompts, Dockerfiles and files dress them."""

from __future__ import annotations

import time

import pytest

from fwdoctor.matrices.load import Matrices
from fwdoctor.solve.install_line import InstallLine, Item, parse_install_lines
from fwdoctor.solve.translate import Translation, translate
from fwdoctor.target import parse_target

ADA = "gpu=RTX 4090,driver=550.54.14"
WHL = "https://download.pytorch.org/whl"
TORCH = Item(name="torch", spec="==2.0.1")


def only(text: str) -> InstallLine:
    (line,) = parse_install_lines(text)
    return line


def translated(text: str, matrices: Matrices, target: str = ADA) -> Translation:
    found = translate(only(text), parse_target(target, matrices), matrices)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        "(base) C:\\Users\\me> pip install torch==2.0.1",
        "PS C:\\Users\\me> pip install torch==2.0.1",
        "C:\\venv\\Scripts\\pip.exe install torch==2.0.1",
        "(myenv) $ pip install torch==2.0.1",
        "root@host:~# pip install torch==2.0.1",
        "(x) me@host:/srv/a$ pip install torch==2.0.1",
        ">>> pip install torch==2.0.1",
        "In [3]: !pip install torch==2.0.1",
        "time pip install torch==2.0.1",
        "yes | pip install torch==2.0.1",
        "conda run -n x pip install torch==2.0.1",
        "poetry run pip install torch==2.0.1",
        "/opt/venv/bin/pip install torch==2.0.1",
        "RUN --mount=type=cache,target=/root/.cache pip install torch==2.0.1",
        'RUN ["pip", "install", "torch==2.0.1"]',
        "  - run: pip install torch==2.0.1",
        "pip install ^\n  torch==2.0.1",
        "pip install `\n  torch==2.0.1",
        "pip install \\\r\n  torch==2.0.1",
        "pip install “torch==2.0.1”",
        "ARG T=2.0.1\nRUN pip install torch==${T}",
        "pip install torch==${UNSET:-2.0.1}",
        "set T=2.0.1\npip install torch==%T%",
        "pip download torch==2.0.1",
    ],
)
def test_the_dress_comes_off(text: str) -> None:
    line = only(text)
    assert (line.tool, line.items, line.unknown) == ("pip", (TORCH,), ())


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("py -3.8 -m pip install torch", "3.8"),
        ("/usr/bin/python3.9 -m pip install torch", "3.9"),
        ("pip3.10 install torch", "3.10"),
        ("uv pip install -p 3.11 torch", "3.11"),
        (
            f"pip install {WHL}/cu113/torch-1.12.1%2Bcu113-cp38-cp38-win_amd64.whl",
            "3.8",
        ),
        ("pip3 install torch", None),
    ],
)
def test_the_python_that_is_meant(text: str, python: str | None) -> None:
    assert only(text).python == python


@pytest.mark.parametrize(
    "text",
    [
        f"pip install {WHL}/cu113/torch-1.12.1%2Bcu113-cp38-cp38-linux_x86_64.whl",
        f"pip install 'torch @ {WHL}/cu113/torch-1.12.1%2Bcu113-cp38-cp38-any.whl'",
        f"{WHL}/cu113/torch-1.12.1%2Bcu113-cp38-cp38-linux_x86_64.whl#sha256=abc",
        "pip install ./torch-1.12.1+cu113-cp38-cp38-linux_x86_64.whl",
    ],
)
def test_a_wheel_says_what_it_is(text: str) -> None:
    assert only(text).items == (Item(name="torch", spec="==1.12.1", label="cu113"),)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (f"pip install torch –f {WHL}/torch_stable.html", f"{WHL}/torch_stable.html"),
        (f"pip install torch —index-url {WHL}/cu121", f"{WHL}/cu121"),
        (f"PIP_EXTRA_INDEX_URL={WHL}/cu116 pip install torch", f"{WHL}/cu116"),
        (f'ENV PIP_FIND_LINKS="{WHL}/x.html"\nRUN pip install torch', f"{WHL}/x.html"),
        ("poetry add torch --source pytorch-cu121", "pytorch-cu121"),
        (f"pipenv install torch --index {WHL}/cu118", f"{WHL}/cu118"),
    ],
)
def test_where_it_is_to_come_from(text: str, sources: str) -> None:
    assert only(text).sources == (sources,)


def test_an_environment_file() -> None:
    conda, pip = parse_install_lines(
        "name: x  # mine\nchannels:\n  - pytorch\n  - nodefaults\ndependencies:\n"
        "  - python=3.9\n  - pytorch=1.12.1  # old\n  - cudatoolkit=11.6\n  - pip:\n"
        "    - tensorflow-gpu==2.8\n    - -f https://x.example/a.html\n"
    )
    assert (conda.tool, conda.python, conda.sources) == ("conda", "3.9", ("pytorch",))
    assert [item.name for item in conda.items] == ["pytorch", "cudatoolkit"]
    assert (pip.tool, pip.sources) == ("pip", ("https://x.example/a.html",))


def test_lists_in_brackets_of_an_environment_file() -> None:
    line = only("channels: [pytorch, 'nvidia']\ndependencies:\n  - pytorch=1.12.1\n")
    assert line.sources == ("pytorch", "nvidia")


def test_hashes_and_constraints_are_no_packages() -> None:
    line = only(
        "torch==2.0.1 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\n"
        "-e .\n-r more.txt\n"
    )
    assert line.items == (TORCH,)
    assert line.unknown == ("-r more.txt",)
    line = only("pip install torch==2.0.1 -c constraints.txt -e .")
    assert (line.items, line.sources) == ((TORCH,), ())


def test_pixi_takes_wheels_when_told_and_its_own_channel_else() -> None:
    assert only("pixi add --pypi torch").is_conda is False
    assert only("pixi add pytorch --platform linux-64").items == (Item(name="pytorch"),)


def test_text_that_hurts_ends_soon() -> None:
    begun = time.perf_counter()
    for text in (
        "C:\\" + "a\\" * 20_000,
        'A="x" ' * 5_000,
        "PIP_INDEX_URL=x pip install torch\n" * 500,
        "a@" * 20_000,
        "${" * 20_000,
        ";" + " " * 50_000,
    ):
        parse_install_lines(text)
    assert time.perf_counter() - begun < 5


# What is said of them


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"pip install --pre torch --index-url {WHL}/nightly/cu128", "nightly"),
        ("conda install pytorch-nightly cuda92 -c pytorch", "nightly"),
        ("conda install pytorch-nightly::pytorch -c pytorch-nightly", "nightly"),
        ("pip install tf-nightly-gpu-2.0-preview", "nightly"),
        (f"pip install torch --index-url {WHL}/test/cu130", "release candidates"),
        ("pip install nvidia-tensorflow[horovod]", "nvidia-tensorflow"),
        ("uv pip install torch --torch-backend=auto", "by the driver alone"),
        (f"pip install torch=={'$V'} --index-url {WHL}/{'${CU}'}", "$V and $CU"),
        ("conda install pytorch cudatoolkit=$CUDA_VER -c pytorch", "$CUDA_VER"),
        ("conda install -c anaconda tensorflow-gpu==1.15.0", "1.15.0"),
        (f"pip install torch==1.8.2+cu111 -f {WHL}/lts/1.8/torch_lts.html", "1.8.2"),
    ],
)
def test_what_is_not_known_is_not_called_broken(
    text: str, words: str, matrices: Matrices
) -> None:
    found = translated(text, matrices)
    assert found.works is None
    assert any(words in reason for reason in found.why)
    assert found.plan.outcome == "complete"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"pip install torch --index-url {WHL}/rocm6.0", "AMD GPUs"),
        ("pip install tensorflow-rocm", "AMD GPUs"),
        (f"pip install torch --index-url {WHL}/xpu", "Intel GPUs"),
        ("pip install torch-directml", "DirectML"),
        ("pip install pytorch", "placeholder"),
        ("pip install tensorflow[and-cuda]==2.15.0", "tensorrt-libs"),
    ],
)
def test_what_cannot_serve_says_why(text: str, words: str, matrices: Matrices) -> None:
    found = translated(text, matrices)
    assert found.works is False
    assert any(words in reason for reason in found.why)
    assert found.plan.outcome == "complete"


@pytest.mark.parametrize(
    ("text", "cuda"),
    [
        ("conda install pytorch==1.0.0 torchvision cuda100 -c pytorch", "10.0"),
        ("conda install pytorch cuda92 -c pytorch", "9.2"),
        ("poetry add torch --source torch_cu118", "11.8"),
        (f"PIP_EXTRA_INDEX_URL={WHL}/cu116 pip install torch==1.12.1", "11.6"),
        ("pixi add pytorch-gpu 'cuda-version 12.9.*'", "12.9"),
        ("mamba install pytorch cuda-version=12.9", "12.9"),
        (
            (
                "conda install pytorch cudatoolkit=10.2 -c https://mirror.example/cloud/"
                "pytorch/linux-64/"
            ),
            "10.2",
        ),
    ],
)
def test_the_cuda_and_channel_that_were_meant(
    text: str, cuda: str, matrices: Matrices
) -> None:
    era = translated(text, matrices, "gpu=Tesla V100,driver=535").eras[0]
    assert era.release is not None
    assert str(era.cuda) == cuda


def test_a_cpu_line_leaves_no_gpu_out(matrices: Matrices) -> None:
    found = translated("pip install torch==2.1.0+cpu", matrices)
    assert "left out" not in found.plan.headline
