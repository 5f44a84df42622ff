"""Who made an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwdoctor.model.snapshot import Package
from fwdoctor.probes.interpreter import find_interpreter
from fwdoctor.probes.manager import find_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

SIX = "lib/python3.12/site-packages/six.py"
PIP = Package(name="six", version="1", installer="pip")
UV = Package(name="torch", version="2", installer="uv")
HISTORY = "==> 2026-01-01 10:00:00 <==\n# cmd: /opt/bin/{} install pytorch\n"


@pytest.mark.parametrize(
    ("files", "packages", "expected"),
    [
        ({"/p/.venv/pyvenv.cfg": "uv = 0.9.1\n"}, [PIP], "uv"),
        ({"/p/.venv/pyvenv.cfg": "version = 3.12.1\n"}, [PIP, UV, PIP], "pip"),
        ({"/p/.venv/pyvenv.cfg": "version = 3.12.1\n"}, [PIP, UV, UV], "uv"),
        ({"/p/.venv/pyvenv.cfg": "version = 3.12.1\n"}, [], None),
        ({"/p/.venv/pyvenv.cfg": "", "/p/poetry.lock": ""}, [PIP], "poetry"),
        ({"/p/.venv/pyvenv.cfg": "", "/p/uv.lock": ""}, [PIP], "uv"),
        ({"/p/.venv/conda-meta/history": HISTORY.format("conda")}, [PIP], "conda"),
        ({"/p/.venv/conda-meta/history": HISTORY.format("micromamba")}, [], "mamba"),
        ({"/p/.venv/conda-meta/history": "\0\0"}, [PIP], "conda"),
        ({"/p/.venv/conda-meta/pixi": "{}"}, [], "pixi"),
    ],
)
def test_manager(
    make_source: MakeSource,
    files: dict[str, str],
    packages: list[Package],
    expected: str | None,
) -> None:
    source = make_source({f"/p/.venv/{SIX}": "", **files})
    interpreter = find_interpreter(source, "/p/.venv")
    assert find_manager(source, interpreter, packages) == expected


def test_pixi_folder_layout(make_source: MakeSource) -> None:
    source = make_source({f"/p/.pixi/envs/default/{SIX}": ""})
    interpreter = find_interpreter(source, "/p/.pixi/envs/default")
    assert find_manager(source, interpreter, []) == "pixi"
