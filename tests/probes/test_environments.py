"""Which environment is meant, which others there are, and reading one of them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwdoctor.errors import UsageError
from fwdoctor.probes.environments import (
    choose_target,
    find_environments,
    read_environment,
)
from fwdoctor.probes.source import Source, live_source

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeSource = Callable[..., Source]


def venv(prefix: str, **files: str | bytes) -> dict[str, str | bytes]:
    """A virtual environment, with `site__path` files in its site-packages."""
    site = f"{prefix}/lib/python3.12/site-packages"
    return {
        f"{prefix}/pyvenv.cfg": "version = 3.12.4\n",
        f"{prefix}/bin/python": "",
        f"{site}/six.py": "",
        **{f"{site}/{name}": content for name, content in files.items()},
    }


TORCH: dict[str, str | bytes] = {
    "torch/version.py": "__version__ = '2.9.0+cu128'\ncuda = '12.8'\n",
    "torch-2.9.0.dist-info/INSTALLER": "uv",
    "numpy-2.1.dist-info/INSTALLER": "uv",
}
EVERYTHING: dict[str, str | bytes] = {
    **venv("/w/active"),
    **venv("/w/.venv"),
    **venv("/c"),
    **venv("/tools/uv/tools/fwdoctor"),
    "/usr/bin/python3": "-> python3.11",
    "/usr/bin/python3.11": b"\x7fELF",
    "/usr/lib/python3.11/os.py": "",
}
TOOL_BIN = "/tools/uv/tools/fwdoctor/bin"


@pytest.mark.parametrize(
    ("env", "cwd", "expected"),
    [
        ({"VIRTUAL_ENV": "/w/active", "CONDA_PREFIX": "/c"}, "/w", "/w/active"),
        ({"VIRTUAL_ENV": "/gone", "CONDA_PREFIX": "/c"}, "/w", "/c"),
        ({"PATH": "/usr/bin"}, "/w", "/w/.venv"),
        ({"PATH": f"rel:{TOOL_BIN}:/usr/bin"}, "/", "/usr/bin/python3"),
        ({"PATH": TOOL_BIN}, "/", f"{TOOL_BIN}/python"),
        ({}, "/", None),
    ],
    ids=["active", "conda", "project", "not-the-tool", "only-the-tool", "nothing"],
)
def test_the_environment_meant(
    make_source: MakeSource, env: dict[str, str], cwd: str, expected: str | None
) -> None:
    assert choose_target(make_source(EVERYTHING, env), cwd) == expected


def test_target_is_read_in_full_and_others_lightly(make_source: MakeSource) -> None:
    source = make_source(venv("/v", **TORCH))
    full = read_environment(source, "/v", is_target=True, is_active=True)
    assert (full.manager, full.is_target, full.is_active) == ("uv", True, True)
    assert full.packages is not None
    assert [p.name for p in full.packages] == ["numpy", "torch"]
    assert full.torch is not None
    assert (full.torch.version, full.torch.source) == ("2.9.0", "pypi")
    assert full.clashes == ()
    light = read_environment(source, "/v", is_target=False, is_active=False)
    assert light.packages is not None
    assert [p.name for p in light.packages] == ["torch"]
    assert light.torch is not None
    assert light.torch.kind == "cuda"
    assert light.clashes is None


def test_wrong_path_is_a_usage_error(make_source: MakeSource) -> None:
    with pytest.raises(UsageError, match="/nowhere"):
        read_environment(make_source({}), "/nowhere", is_target=True, is_active=False)


def test_everything_nearby_once(make_source: MakeSource) -> None:
    source = make_source(
        {
            **venv("/w/.venv"),
            **venv("/w/project/.venv"),
            **venv("/h/miniconda3/envs/ml"),
            **venv("/h/.conda-elsewhere"),
            **venv("/h/.virtualenvs/old"),
            **venv("/h/.local/share/uv/tools/ruff"),
            "/h/.conda/environments.txt": "/h/.conda-elsewhere\n/gone\nnoise\n",
            "/h/.pyenv/versions/3.12.1/bin/python": "",
            "/w/linked": "-> .venv",
        },
        {"HOME": "/h", "VIRTUAL_ENV": "/w/linked"},
    )
    assert find_environments(source, "/w") == (
        "/w/linked",
        "/w/project/.venv",
        "/h/.conda-elsewhere",
        "/h/miniconda3/envs/ml",
        "/h/.virtualenvs/old",
        "/h/.pyenv/versions/3.12.1",
    )


def test_two_hundred_environments_stay_cheap(tmp_path: Path) -> None:
    for number in range(200):
        folder = tmp_path / f"p{number:03}/.venv"
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/python").touch()
        (folder / "pyvenv.cfg").write_text("version = 3.12.4\n")
        site = folder / "lib/python3.12/site-packages"
        (site / "torch-2.9.0.dist-info").mkdir(parents=True)
        (site / "torch").mkdir()
        (site / "torch/version.py").write_text(str(TORCH["torch/version.py"]))
    source = live_source(env={})
    begun = time.perf_counter()
    found = find_environments(source, str(tmp_path))
    read = [
        read_environment(source, prefix, is_target=False, is_active=False)
        for prefix in found
    ]
    seconds = time.perf_counter() - begun
    assert len(read) == 64
    assert all(environment.torch for environment in read[:60])
    assert seconds < 0.5  # about 0.03 when the machine has nothing else to do


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything"
)
def test_a_closed_folder_is_unknown_not_empty(make_source: MakeSource) -> None:
    source = make_source(venv("/v", **TORCH))
    site = Path(source.root) / "v/lib/python3.12/site-packages"
    site.chmod(0)
    try:
        environment = read_environment(source, "/v", is_target=True, is_active=False)
    finally:
        site.chmod(0o755)
    assert environment.packages is None
    assert environment.problem is not None
    assert "site-packages" in environment.problem


def test_unreadable_folders_are_absent_not_fatal(make_source: MakeSource) -> None:
    source = make_source(
        {**venv("/v", **TORCH), "/v/lib/python3.12/site-packages/loop": "-> loop"}
    )
    environment = read_environment(source, "/v", is_target=True, is_active=False)
    assert environment.torch is not None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_garbage_in_every_file(tmp_path: Path, content: bytes) -> None:
    site = tmp_path / "v/lib/python3.12/site-packages"
    for name in (
        *("torch/version.py", "torch/__init__.py", "torch/lib/libtorch_python.so"),
        *("torch/lib/libtorch_global_deps.so", "torch/_C.cpython-312.so"),
        *("torch-2.1.0.dist-info/METADATA", "torch-2.1.0.dist-info/INSTALLER"),
        *("torch-2.1.0.dist-info/direct_url.json", "a.pth", "b.egg-info"),
        *("nvidia_cudnn_cu13-9.2.dist-info/RECORD", "tensorflow/__init__.py"),
        *("tensorflow/python/platform/build_info.py", "-.dist-info/METADATA"),
        "tensorflow/libtensorflow_framework.so.2",
        "../../../conda-meta/tensorflow-2.1-cuda_0.json",
        "../../../conda-meta/history",
        "../../../bin/python",
        "../../../../etc/ld.so.cache",
    ):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    source = Source(root=str(tmp_path))
    environment = read_environment(source, "/v", is_target=True, is_active=False)
    assert environment.torch is not None
    assert environment.tensorflow is not None


@pytest.mark.skipif(os.name != "posix", reason="POSIX links")
def test_an_interpreter_that_is_gone_is_said_and_the_packages_read(
    tmp_path: Path,
) -> None:
    site = tmp_path / "env/lib/python3.12/site-packages/numpy-2.2.0.dist-info"
    site.mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").write_text("home = /gone/bin\nversion = 3.12.1\n")
    (tmp_path / "env/bin").mkdir()
    (tmp_path / "env/bin/python").symlink_to("/gone/bin/python3.12")
    source = Source(root=str(tmp_path), env={})
    target = read_environment(source, "/env", is_target=True, is_active=False)
    assert target.problem == (
        "/env/bin/python leads to /gone/bin/python3.12, which is not there"
    )
    assert [p.name for p in target.packages or ()] == ["numpy"]
    (tmp_path / "gone/bin").mkdir(parents=True)
    (tmp_path / "gone/bin/python3.12").write_bytes(b"")
    whole = read_environment(source, "/env", is_target=True, is_active=False)
    assert whole.problem is None


@pytest.mark.skipif(hasattr(os, "geteuid") and not os.geteuid(), reason="root reads")
@pytest.mark.parametrize(
    ("closed", "says"),
    [
        ("env/lib", "/env/lib cannot be read: permission denied"),
        ("env/lib/python3.12/site-packages", "cannot be read: permission denied"),
        ("gone", None),  # the interpreter may be there, for others
    ],
)
def test_what_others_keep_closed_is_not_called_gone(
    tmp_path: Path, closed: str, says: str | None
) -> None:
    (tmp_path / "env/lib/python3.12/site-packages").mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").write_text("home = /gone/bin\nversion = 3.12.1\n")
    (tmp_path / "env/bin").mkdir()
    (tmp_path / "gone/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to("/gone/bin/python3.12")
    (tmp_path / "gone/bin/python3.12").write_bytes(b"")
    (tmp_path / closed).chmod(0)
    source = Source(root=str(tmp_path), env={})
    try:
        target = read_environment(source, "/env", is_target=True, is_active=False)
    finally:
        (tmp_path / closed).chmod(0o755)
    assert (says or "None") in str(target.problem)


@pytest.mark.skipif(hasattr(os, "geteuid") and not os.geteuid(), reason="root reads")
def test_closed_frameworks_are_there(tmp_path: Path) -> None:
    site = tmp_path / "env/lib/python3.12/site-packages"
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").write_text("version = 3.12.1\n")
    for name in ("torch", "tensorflow"):
        (site / name).mkdir(parents=True)
        (site / f"{name}-2.9.1.dist-info").mkdir()
        (site / name).chmod(0)
    source = Source(root=str(tmp_path), env={})
    try:
        target = read_environment(source, "/env", is_target=True, is_active=False)
    finally:
        for name in ("torch", "tensorflow"):
            (site / name).chmod(0o755)
    for framework in (target.torch, target.tensorflow):
        assert framework is not None
        assert framework.path is not None
        assert "ermission denied" in str(framework.problem)
    (tmp_path / "env").chmod(0)
    try:
        with pytest.raises(UsageError, match="permission denied"):
            read_environment(source, "/env", is_target=True, is_active=False)
    finally:
        (tmp_path / "env").chmod(0o755)
