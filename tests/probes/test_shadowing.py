"""Files imported in place of the installed framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwdoctor.probes.environments import read_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

SITE = "/v/lib/python3.12/site-packages"
USER = "/h/.local/lib/python3.12/site-packages"
CONDA: dict[str, str | bytes] = {
    "/v/conda-meta/python-3.12.4-h_0.json": "{}",
    "/v/bin/python": "",
    f"{SITE}/torch/__init__.py": "",
    f"{SITE}/torch/version.py": "__version__ = '2.9.0'\n",
    f"{SITE}/numpy/__init__.py": "",
    f"{SITE}/nvidia/cudnn/lib/x": "",
}


def shadows(make_source: MakeSource, files: dict[str, str], **env: str) -> list[str]:
    source = make_source({**CONDA, "/w/train.py": "", **files}, {"HOME": "/h", **env})
    found = read_environment(source, "/v", is_target=True, is_active=False, cwd="/w")
    return list(found.shadowing)


@pytest.mark.parametrize("name", ["/w/torch.py", "/w/numpy.py"])
def test_a_script_named_like_a_package(make_source: MakeSource, name: str) -> None:
    assert shadows(make_source, {name: ""}) == [name]


def test_a_package_folder_here(make_source: MakeSource) -> None:
    assert shadows(make_source, {"/w/torch/__init__.py": ""}) == ["/w/torch"]


@pytest.mark.parametrize("name", ["/w/torch/data.csv", "/w/keras.py", "/w/mytorch.py"])
def test_what_hides_nothing(make_source: MakeSource, name: str) -> None:
    assert shadows(make_source, {name: ""}) == []


def test_safe_path_ignores_the_working_folder(make_source: MakeSource) -> None:
    assert shadows(make_source, {"/w/torch.py": ""}, PYTHONSAFEPATH="1") == []


def test_user_site_wins_over_a_conda_environment(make_source: MakeSource) -> None:
    files = {f"{USER}/torch/__init__.py": "", f"{USER}/nvidia/nccl/lib/x": ""}
    assert shadows(make_source, files) == [f"{USER}/torch", f"{USER}/nvidia"]
    assert shadows(make_source, files, PYTHONNOUSERSITE="1") == []


def test_copy_on_python_path(make_source: MakeSource) -> None:
    files = {"/ros/numpy/__init__.py": "", "/ros/rclpy/__init__.py": ""}
    assert shadows(make_source, files, PYTHONPATH="/ros") == ["/ros/numpy"]


def test_venv_does_not_see_the_user_site(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/v/pyvenv.cfg": "version = 3.12.4\n",
            "/v/bin/python": "",
            f"{SITE}/torch/__init__.py": "",
            f"{USER}/torch/__init__.py": "",
        },
        {"HOME": "/h"},
    )
    found = read_environment(source, "/v", is_target=True, is_active=False, cwd="/v")
    assert found.shadowing == ()
