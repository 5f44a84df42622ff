"""`fwdoctor env`: what is written where, what is never overwritten."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fwdoctor.cli import make_app

T4 = ("--target", "gpu=T4,driver=535.54.03")


def run(*words: str) -> Result:
    return CliRunner().invoke(make_app(), ["env", *words])


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def left_behind() -> list[str]:
    return sorted(os.listdir("."))


def test_writes_what_was_named() -> None:
    result = run("environment.yml", "sub/requirements.txt", *T4)
    assert result.exit_code == 0, result.output
    assert left_behind() == ["environment.yml", "sub"]
    assert "wrote environment.yml: pytorch" in result.stderr
    assert "tensorflow[and-cuda]==" in Path("sub/requirements.txt").read_text()


def test_the_again_command_makes_the_same_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795219200")
    run(
        "requirements.txt",
        "--target",
        "gpu=Tesla V100,driver=535.54.03,glibc=2.31",
        "--with",
        "torchvision",
        "--constraint",
        "torch<2.9",
    )
    first = Path("requirements.txt").read_text()
    line = next(ln for ln in first.splitlines() if ln.startswith("#   fwdoctor env "))
    again = run(*shlex.split(line)[3:], "--force")
    assert again.exit_code == 0, again.output
    assert Path("requirements.txt").read_text() == first


def test_nothing_is_overwritten_unasked() -> None:
    Path("environment.yml").write_text("mine\n")
    result = run("requirements.txt", "environment.yml", *T4)
    assert result.exit_code == 2
    assert "environment.yml: exists" in result.stderr
    assert "--force" in result.stderr
    assert left_behind() == ["environment.yml"]  # nor was the other one written
    assert Path("environment.yml").read_text() == "mine\n"
    assert run("environment.yml", "--force", *T4).exit_code == 0
    assert Path("environment.yml").read_text() != "mine\n"


def test_a_pyproject_is_merged_into() -> None:
    Path("pyproject.toml").write_text('[project]\nname = "mine"  # stays\n')
    assert run("pyproject.toml", *T4).exit_code == 0
    assert "# stays" in Path("pyproject.toml").read_text()


def test_pins_of_a_pyproject_change_with_force_only() -> None:
    text = '[project]\nname = "mine"\ndependencies = ["torch==1.0"]\n'
    Path("pyproject.toml").write_text(text)
    result = run("pyproject.toml", *T4)
    assert result.exit_code == 2
    assert "torch==1.0, which would change" in result.stderr
    assert Path("pyproject.toml").read_text() == text
    assert run("pyproject.toml", "--force", *T4).exit_code == 0
    assert "torch==1.0" not in Path("pyproject.toml").read_text()


def test_stdout_prints_one_file_and_writes_none() -> None:
    result = run("environment.yml", "--stdout", *T4)
    assert result.exit_code == 0
    assert result.stdout.startswith("# Made by fwdoctor")
    assert left_behind() == []
    assert run("environment.yml", "requirements.txt", "--stdout", *T4).exit_code == 2


def test_two_environments_become_two_files() -> None:
    result = run(
        "requirements.txt",
        "--target",
        "gpu=RTX 4090,driver=550.54.14",
        "--constraint",
        "torch==2.6.0",
        "--constraint",
        "tensorflow==2.19.1",
    )
    assert result.exit_code == 0, result.output
    assert left_behind() == ["requirements-tensorflow.txt", "requirements-torch.txt"]
    assert "cannot share one environment" in result.stderr


def test_the_impossible_is_exit_1_and_writes_nothing() -> None:
    target = "gpu=RTX 5090,driver=580.65.06"
    result = run("requirements.txt", "--for", "tensorflow", "--target", target)
    assert result.exit_code == 1
    assert "conda-forge" in result.stderr
    assert "requirements.txt was not written" in result.stderr
    assert left_behind() == []


@pytest.mark.parametrize(
    "words",
    [
        ("notes.md",),
        ("environment.yml", "--manager", "pip"),
        ("requirements.txt", "--manager", "conda"),
        ("requirements.txt", "--kind", "poem"),
        ("environment.yml", "--for", "caffe"),
        ("environment.yml", "--constraint", "torch>=99"),
        ("environment.yml", "--python", "2.7"),
    ],
)
def test_misuse_is_exit_2_and_writes_nothing(words: tuple[str, ...]) -> None:
    result = run(*words, *T4)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("fwdoctor: ")
    assert left_behind() == []


def test_a_folder_in_the_way_is_said() -> None:
    Path("environment.yml").mkdir()
    result = run("environment.yml", "--force", *T4)
    assert result.exit_code == 2
    assert "is a folder" in result.stderr


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere"
)
def test_a_read_only_folder_is_said() -> None:
    Path("closed").mkdir()
    Path("closed").chmod(stat.S_IRUSR | stat.S_IXUSR)
    result = run("closed/environment.yml", *T4)
    assert result.exit_code == 2
    assert "closed" in result.stderr


def test_a_path_that_cannot_be_written_is_said() -> None:
    Path("file").write_text("")
    result = run("file/environment.yml", *T4)
    assert result.exit_code == 2
    assert "file" in result.stderr
    assert left_behind() == ["file"]


def test_a_source_of_the_project_changes_with_force_only() -> None:
    text = '[project]\nname = "x"\n[tool.uv.sources]\ntorch = { path = "./mine.whl" }\n'
    Path("pyproject.toml").write_text(text)
    wish = ("pyproject.toml", "--for", "torch", *T4)
    result = run(*wish)
    assert result.exit_code == 2
    assert "tool.uv.sources.torch" in result.stderr
    assert Path("pyproject.toml").read_text() == text


def test_a_link_keeps_pointing_and_permissions_stay() -> None:
    Path("real.toml").write_text('[project]\nname = "x"\n')
    os.chmod("real.toml", 0o640)
    os.symlink("real.toml", "pyproject.toml")
    assert run("pyproject.toml", *T4).exit_code == 0
    assert os.readlink("pyproject.toml") == "real.toml"
    assert "torch" in Path("real.toml").read_text()
    assert stat.S_IMODE(os.stat("real.toml").st_mode) == 0o640


def test_a_byte_order_mark_is_no_obstacle() -> None:
    Path("pyproject.toml").write_bytes(b'\xef\xbb\xbf[project]\nname = "x"\n')
    assert run("pyproject.toml", *T4).exit_code == 0
    assert Path("pyproject.toml").read_text().startswith("# Made by")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for() -> None:
    os.mkfifo("pyproject.toml")
    result = run("pyproject.toml", "--force", *T4)
    assert result.exit_code == 2
    assert stat.S_ISFIFO(os.stat("pyproject.toml").st_mode)


def test_a_device_is_written_to_and_not_replaced() -> None:
    from fwdoctor.cli.boundary import write_file

    os.symlink(os.devnull, "out.txt")
    write_file("out.txt", "text")
    assert os.readlink("out.txt") == os.devnull
    assert not os.path.isfile(os.devnull)


@pytest.mark.parametrize("name", ["Dockerfile", "devcontainer.json"])
def test_containers_are_linux_with_a_glibc_of_their_own(name: str) -> None:
    windows = "gpu=RTX 4090,driver=551.86,os=windows"
    result = run(name, "--stdout", "--for", "tensorflow", "--target", windows)
    assert result.exit_code == 0, result.output
    assert "tensorflow[and-cuda]" in result.stdout
    assert "os=wsl" in result.stdout
    old = "gpu=RTX 4090,driver=550.54.14,glibc=2.17"
    result = run(name, "--stdout", "--for", "torch", "--target", old)
    new = run(name, "--stdout", "--for", "torch", "--target", old.rpartition(",")[0])
    assert result.stdout == new.stdout


def test_a_mac_gets_the_image_of_its_processor_for_linux() -> None:
    mac = "gpu=none,os=macos,arch=arm64"
    result = run("Dockerfile", "--stdout", "--for", "tensorflow", "--target", mac)
    assert result.exit_code == 0, result.output
    assert "linux-aarch64" in result.stdout
